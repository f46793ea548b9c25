"""COCO folders: what they list against pycocotools, choosing images, and what is said of a wrong JSON file."""

import contextlib
import io
import json
import pickle
import re
import shutil

import pytest

from freqlearn.pipelines.detection.coco import CocoFolder

COCO = pytest.importorskip("pycocotools.coco").COCO


def by_pycocotools(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def check_against_pycocotools(folder, path):
    coco = by_pycocotools(path)
    assert folder.image_ids == sorted(coco.imgs)
    assert dict(zip(folder.category_ids, folder.classes, strict=True)) == {i: c["name"] for i, c in coco.cats.items()}
    for index, image_id in enumerate(folder.image_ids):
        entry = coco.imgs[image_id]
        assert folder.image_id(index) == image_id
        assert folder.path(index) == folder.images_dir / entry["file_name"]
        assert folder.size_px(index) == (entry["height"], entry["width"])
        assert folder.annotations(index) == coco.imgToAnns[image_id]


def test_lists_what_pycocotools_lists(shapes, shapes_dir):
    check_against_pycocotools(shapes, shapes_dir / "instances.json")
    assert (len(shapes), shapes.classes) == (10, ("rectangle", "ellipse", "triangle"))
    assert (shapes.category_ids, shapes.labels) == ((1, 3, 4), {1: 1, 3: 2, 4: 3})


def test_lists_photos(photos):
    path = photos / "coco-seg" / "instances.json"
    folder = CocoFolder(photos / "coco-seg" / "images", path)
    check_against_pycocotools(folder, path)
    assert (len(folder), len(folder.classes), folder.without_mask()) == (100, 80, None)
    assert folder.first(8).image_ids == folder.image_ids[:8]


def test_order_is_of_ids_not_of_the_file(changed_shapes, shapes):
    folder = changed_shapes(lambda d: [entries.reverse() for entries in d.values()])
    assert (folder.image_ids, folder.paths()) == (shapes.image_ids, shapes.paths())
    assert (folder.classes, folder.category_ids) == (shapes.classes, shapes.category_ids)


def test_first(shapes):
    first = shapes.first(3)
    assert [first.image_id(i) for i in range(3)] == [1, 2, 3] == first.image_ids
    assert [first.annotations(i) for i in range(3)] == [shapes.annotations(i) for i in range(3)]
    for count in (0, 11):
        with pytest.raises(ValueError, match=f"expected to take the first 1 to 10 images, got {count}"):
            shapes.first(count)


def test_split_and_sample(shapes):
    for seed in (0, 1):
        rest, held_out = shapes.split(0.3, seed=seed)
        assert len(held_out) == 3
        assert sorted(rest.image_ids + held_out.image_ids) == shapes.image_ids
    assert shapes.split(0.3, seed=0)[1].image_ids != held_out.image_ids
    assert len(shapes.split(0.01)[1]) == len(shapes.split(0.999)[0]) == 1
    sample = shapes.sample(4, seed=2)
    assert set(sample.paths()) < set(shapes.paths())
    assert sample.image_ids == shapes.sample(4, seed=2).image_ids != shapes.sample(4, seed=3).image_ids
    assert shapes.sample(None) is shapes.sample(10) is shapes
    with pytest.raises(ValueError, match="above 0 and below 1, got 1"):
        shapes.split(1)
    with pytest.raises(ValueError, match="two images or more"):
        shapes.first(1).split(0.5)


def test_fingerprint(shapes, shapes_dir, tmp_path):
    moved = shutil.copytree(shapes_dir, tmp_path / "moved")
    again = CocoFolder(moved / "images", moved / "instances.json")
    assert again.fingerprint() == shapes.fingerprint() == pickle.loads(pickle.dumps(shapes)).fingerprint()
    others = {shapes.first(4).fingerprint(), shapes.sample(4).fingerprint()}
    others.add(shapes.relabelled(shapes.classes[::-1]).fingerprint())
    document = json.loads((moved / "instances.json").read_text())
    document["annotations"][1]["bbox"][0] += 1
    (moved / "instances.json").write_text(json.dumps(document))
    others.add(CocoFolder(moved / "images", moved / "instances.json").fingerprint())
    assert len(others - {shapes.fingerprint()}) == 4


def test_annotated_is_as_in_the_reference(changed_shapes):
    """Torchvision's references/detection/coco_utils.py: no annotation, or only boxes of at most 1 px, is left out."""

    def change(document):
        def one(image_id, **changes):
            of_image = [a for a in document["annotations"] if a["image_id"] == image_id]
            document["annotations"] = [a for a in document["annotations"] if a not in of_image[1:]]
            of_image[0].update(changes)

        one(2, bbox=[3, 3, 20, 1])
        one(3, bbox=[3, 3, 1.01, 20])
        one(4, iscrowd=1)
        document["annotations"] = [a for a in document["annotations"] if a["image_id"] != 5]

    folder = changed_shapes(change)
    assert folder.annotated().image_ids == [1, 3, 4, 6, 7, 8, 9, 10]
    with pytest.raises(ValueError, match=r"changed\.json: expected images with boxes of more than 1 px, got none"):
        changed_shapes(lambda d: d["annotations"].clear()).annotated()


def test_relabelled(shapes, changed_shapes):
    folder = shapes.relabelled(("square", "triangle", "ellipse", "rectangle"))
    assert (folder.classes, folder.category_ids) == (("square", "triangle", "ellipse", "rectangle"), (-1, 4, 3, 1))
    assert shapes.category_ids == (1, 3, 4)
    with pytest.raises(ValueError, match=r"category 'triangle' is not among the 2 known classes \('ellipse', 'rect"):
        shapes.relabelled(("ellipse", "rectangle"))
    with pytest.raises(ValueError, match=r"categories 'ellipse', 'triangle' are not among .*; rename or remove them"):
        shapes.relabelled(("rectangle",))
    unused = changed_shapes(lambda d: d["categories"].append({"id": 9, "name": "star"}))
    assert unused.relabelled(shapes.classes).category_ids == shapes.category_ids


def test_what_the_file_may_leave_out(changed_shapes):
    def change(document):
        for key in ("area", "iscrowd", "segmentation"):
            del document["annotations"][1][key]
        document["annotations"][2].update(segmentation=[], area=None, bbox=[1, 2, 3, 4])

    folder = changed_shapes(change)
    entries = {entry["id"]: entry for index in range(len(folder)) for entry in folder.annotations(index)}
    assert entries[2]["area"] == pytest.approx(entries[2]["bbox"][2] * entries[2]["bbox"][3])
    assert entries[2]["iscrowd"] == 0
    assert "segmentation" not in entries[2]
    assert "segmentation" not in entries[3]
    assert (entries[3]["area"], entries[3]["bbox"]) == (12.0, [1.0, 2.0, 3.0, 4.0])
    assert all(type(value) is float for value in entries[3]["bbox"])
    assert folder.without_mask() == 2
    assert changed_shapes(lambda d: d["annotations"][0].pop("segmentation")).without_mask() is None, "a crowd"


def put(kind, number, **values):
    """A change of one entry."""
    return lambda document: document[kind][number].update(values)


def drop(kind, number, key):
    return lambda document: document[kind][number].pop(key)


NAN, INFINITY = float("nan"), float("inf")
WRONG = {
    "no lists": (lambda d: d.clear(), "COCO annotations with a list of images, got no such list"),
    "no annotations": (lambda d: d.pop("annotations"), "with a list of annotations, got no such list"),
    "lists of another kind": (lambda d: d.update(categories={}), "with a list of categories, got dict"),
    "no images": (lambda d: d["images"].clear(), "at least one of images, got none"),
    "no categories": (lambda d: d["categories"].clear(), "at least one of categories, got none"),
    "image no object": (lambda d: d["images"].append(3), r"images\[10\]: expected an object with id, .*, got 3"),
    "image without width": (drop("images", 2, "width"), r"images\[2\]: expected the key 'width', got \['id'"),
    "image id of text": (put("images", 2, id="3"), r"images\[2\]: expected id as an integer, got '3'"),
    "image id too large": (put("images", 2, id=2**63), r"images\[2\]: expected id as an integer, got 92"),
    "image twice": (put("images", 2, id=1), r"images\[2\]: expected an id that no other image has, got 1"),
    "negative height": (put("images", 2, height=-4), r"images\[2\] \(id 3\): expected a height in pixels, got -4"),
    "huge width": (put("images", 2, width=10**12), r"images\[2\] \(id 3\): expected a width in pixels, got 10000"),
    "width with fraction": (
        put("images", 2, width=8.5),
        r"\(id 3\): expected width as an integer, got 8\.5",
    ),
    "file name of a number": (put("images", 2, file_name=3), r"images\[2\] \(id 3\): expected a file_name, got 3"),
    "file name with a zero": (put("images", 2, file_name="a\0"), r"expected a file_name, got 'a\\x00'"),
    "file name of no text": (put("images", 2, file_name="\ud800"), r"expected a file_name, got '\\ud800'"),
    "file name above": (put("images", 2, file_name="a/../../b.jpg"), r"within the images folder, got 'a/\.\./\.\./b"),
    "file name from the root": (put("images", 2, file_name="/etc/passwd"), "within the images folder, got '/etc/pas"),
    "file missing": (
        put("images", 2, file_name="x/3.jpg"),
        r"image id 3: expected the file x/3\.jpg in .*images, found none; 1 of 10 images are missing",
    ),
    "category without name": (drop("categories", 0, "name"), r"categories\[0\]: expected the key 'name'"),
    "category twice": (
        put("categories", 1, id=1),
        r"categories\[1\]: expected an id that no other category has",
    ),
    "name twice": (put("categories", 1, name="rectangle"), r"categories\[1\]: expected a name that no other category"),
    "annotation without id": (drop("annotations", 1, "id"), r"annotations\[1\]: expected the key 'id', got"),
    "annotation twice": (put("annotations", 1, id=1), r"annotations\[1\]: expected an id that no other annotation has"),
    "of no image": (put("annotations", 1, image_id=99), r"annotations\[1\] \(id 2\): expected the image_id of one of"),
    "of a true image": (put("annotations", 1, image_id=True), "expected image_id as an integer, got True"),
    "of no category": (put("annotations", 1, category_id=2), r"\(id 2\): expected the category_id of one of .* got 2"),
    "three numbers": (put("annotations", 1, bbox=[1, 2, 3]), r"\(id 2\): expected bbox as .* got \[1, 2, 3\]"),
    "negative width": (put("annotations", 1, bbox=[1, 2, -3, 4]), r"width and height that are not negative, got \[1"),
    "NaN": (put("annotations", 1, bbox=[1, NAN, 3, 4]), r"expected bbox as .* finite numbers of pixels, got \[1, nan"),
    "infinity": (put("annotations", 1, bbox=[1, 2, INFINITY, 4]), r"expected bbox as .* got \[1, 2, inf, 4\]"),
    "huge integer": (put("annotations", 1, bbox=[1, 2, 10**400, 4]), r"expected bbox as .* got \[1, 2, 10000"),
    "text": (put("annotations", 1, bbox=[1, 2, "3", 4]), r"expected bbox as .* got \[1, 2, '3', 4\]"),
    "crowd of two": (put("annotations", 1, iscrowd=2), r"\(id 2\): expected iscrowd as 0 or 1, got 2"),
    "negative area": (put("annotations", 1, area=-1), r"\(id 2\): expected an area in square pixels, got -1"),
    "line": (put("annotations", 1, segmentation=[[1, 2, 3, 4]]), r"polygons as .* got \[1, 2, 3, 4\]"),
    "odd polygon": (put("annotations", 1, segmentation=[[1] * 7]), r"polygons as \[x, y, .* got \[1, 1"),
    "segmentation of text": (put("annotations", 1, segmentation="a"), "expected a segmentation by polygons or run"),
    "run lengths of another size": (
        put("annotations", 1, segmentation={"size": [4, 5], "counts": [20]}),
        r"\(id 2\): expected a run-length mask of the image's size \[\d+, \d+\], got \[4, 5\]",
    ),
    "run lengths without counts": (
        lambda d: d["annotations"][0]["segmentation"].pop("counts"),
        r"\(id 1\): expected a run-length mask with counts, got None",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_entry_is_named(changed_shapes, tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        changed_shapes(change)
    assert str(caught.value).startswith(f"{tmp_path / 'changed.json'}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 450


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected COCO annotations as JSON, got text that is not JSON: Expecting value"),
        ("{'images': 3}", "got text that is not JSON: Expecting property name"),
        ("[" * 100_000, "got text that is not JSON: .*recursion"),
        ("1" * 10_000, "got text that is not JSON: Exceeds the limit"),
        (b"\xff\xd8\xff\xe0", "got text that is not JSON: 'utf-8' codec"),
        ("3", "expected COCO annotations, an object with images, annotations, categories, got int"),
        ("[]", "got list; a list of detections is a result, not ground truth"),
    ],
    ids=["empty", "no JSON", "nested deeply", "huge number", "JPEG", "number", "results"],
)
def test_what_is_no_coco_json(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: .*{message}"):
        CocoFolder(tmp_path, path)


def test_missing_folder_or_file(shapes_dir, tmp_path):
    images, annotations = shapes_dir / "images", shapes_dir / "instances.json"
    with pytest.raises(ValueError, match=r"nowhere: no such folder; expected the folder with .*instances\.json"):
        CocoFolder(tmp_path / "nowhere", annotations)
    with pytest.raises(ValueError, match=r"instances\.json: a file; expected the folder with the images of"):
        CocoFolder(annotations, annotations)
    with pytest.raises(ValueError, match=r"nowhere\.json: no such file; expected COCO annotations, a JSON file"):
        CocoFolder(images, tmp_path / "nowhere.json")
    with pytest.raises(ValueError, match=r"images: a folder; expected COCO annotations, a JSON file"):
        CocoFolder(images, images)


def test_file_names_may_have_folders(shapes_dir, tmp_path):
    document = json.loads((shapes_dir / "instances.json").read_text())
    for image in document["images"]:
        image["file_name"] = f"./images/../images/{image['file_name']}"
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document))
    assert all(path.is_file() for path in CocoFolder(shapes_dir, path).paths())


def test_missing_files_may_be_found_later(shapes_dir, tmp_path):
    with pytest.raises(ValueError, match="10 of 10 images are missing"):
        CocoFolder(tmp_path, shapes_dir / "instances.json")
    assert len(CocoFolder(tmp_path, shapes_dir / "instances.json", check_files=False)) == 10

"""Samples of COCO datasets, against torchvision's CocoDetection, its v2 wrapper and its transforms."""

import contextlib
import io
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import presets
from freqlearn.pipelines.data import UnreadableError, derived_seed
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.dataset import CocoDataset

rle = pytest.importorskip("pycocotools.mask")

RGB = fl.InputSpec.preset("imagenet-rgb")
DCT = fl.InputSpec("dct", fl.ChannelSet.of((0, 1, 64)), (-100.0, 0.0, 0.0), (400.0, 80.0, 50.0), 128)
SIZES = {"min_size": (48, 64, 80), "max_size": 100, "augment": "multiscale"}
SEED = 3


def train(spec):
    return presets.detection_train(spec, **SIZES)


def as_stored(source, target):
    """A transform that changes nothing."""
    return v2.functional.pil_to_tensor(Image.open(io.BytesIO(source)).convert("RGB")), target


def of_image(document, image_id):
    return [entry for entry in document["annotations"] if entry["image_id"] == image_id]


def without(document, entries):
    document["annotations"] = [entry for entry in document["annotations"] if entry not in entries]


def make_varied(document):
    """Every kind of mask and box: image 2 without annotations, 3 with crowds only, 4 without a box that is left."""
    height, width = (document["images"][0][side] for side in ("height", "width"))
    grid = np.zeros((height, width), np.uint8, order="F")
    grid[5:50:3, 10:40] = 1
    compressed = rle.encode(grid)
    uncompressed = {"size": [height, width], "counts": [7, 100, 3, 2, height * width - 112]}
    common = {"image_id": 1, "iscrowd": 0, "area": 10.0}
    document["annotations"] += [
        {"id": 91, "category_id": 4, "bbox": [10.0, 5.0, 30.0, 45.0], **common}
        | {"segmentation": {"size": compressed["size"], "counts": compressed["counts"].decode()}},
        {"id": 92, "category_id": 1, "bbox": [0.0, 7.0, 2.0, 50.5], **common, "segmentation": uncompressed},
        {"id": 93, "category_id": 3, "bbox": [-20.5, -3.0, 40.0, 30.0], **common}
        | {"segmentation": [[-20.5, -3, 19.5, -3, 19.5, 27], [40, 40, 60.3, 40, 60.3, 60, 40, 60]]},
        {
            "id": 94,
            "category_id": 3,
            "bbox": [12.0, 13.0, 0.0, 8.0],
            **common,
            "segmentation": [[12, 13, 12, 21, 12, 17]],
        },
        {"id": 95, "category_id": 3, "bbox": [width + 5.0, 13.0, 10.0, 8.0], **common}
        | {"segmentation": [[width + 5, 13, width + 15, 13, width + 15, 21]]},
    ]
    without(document, of_image(document, 2))
    for entry in of_image(document, 3):
        entry["iscrowd"] = 1
    without(document, of_image(document, 4)[1:])
    of_image(document, 4)[0]["bbox"] = [3.0, 3.0, 0.0, 20.0]


@pytest.fixture
def varied(changed_shapes):
    return changed_shapes(make_varied)


def by_torchvision(folder, path, transform):
    """Index -> sample, as torchvision makes it, of the annotations that are no crowds."""
    document = json.loads(folder.annotations_json.read_text())
    without(document, [entry for entry in document["annotations"] if entry["iscrowd"]])
    path.write_text(json.dumps(document))
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = CocoDetection(folder.images_dir, path, transforms=transform)
    return wrap_dataset_for_transforms_v2(dataset, target_keys=("boxes", "labels", "masks", "image_id"))


def resize_and_flip():
    def per_box(sample):
        return sample[1]["labels"], sample[1]["masks"]

    resize = v2.RandomShortestSize(list(SIZES["min_size"]), SIZES["max_size"])
    tensor = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(RGB.mean, RGB.std)]
    only_image = v2.Lambda(v2.Compose(tensor), Image.Image)
    clean = [v2.ClampBoundingBoxes(), v2.SanitizeBoundingBoxes(labels_getter=per_box)]
    return v2.Compose([resize, only_image, v2.RandomHorizontalFlip(0.5)]), v2.Compose(clean)


def compare(dataset, oracle, clean, *, epoch, tolerance):
    """Samples with the randomness of that epoch; the number of objects that were compared."""
    objects = 0
    for index in range(len(dataset)):
        image, target = dataset[epoch, index]
        torch.manual_seed(derived_seed(SEED, epoch, index))
        expected_image, expected = oracle[index]
        size = tuple(expected_image.shape[-2:])
        if "boxes" in expected:
            expected_image, expected = clean(expected_image, expected)
        else:
            expected |= {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0), "masks": torch.zeros(0, *size)}
        labels = [dataset.folder.labels[category] for category in expected["labels"].tolist()]
        assert target["labels"].tolist() == labels
        assert (target["labels"].dtype, target["boxes"].dtype, target["masks"].dtype) == (
            *(torch.int64, torch.float32),
            torch.uint8,
        )
        torch.testing.assert_close(target["boxes"], expected["boxes"].as_subclass(torch.Tensor), atol=tolerance, rtol=0)
        assert torch.equal(target["masks"], expected["masks"].as_subclass(torch.Tensor))
        assert all(type(target[key]) is torch.Tensor for key in ("boxes", "labels", "masks"))
        assert target["image_id"] == expected["image_id"]
        assert target["image_size"] == size
        assert target["original_size"] == dataset.folder.size_px(index)
        if image.shape[0] == 3 and tolerance == 0:
            assert torch.equal(image, expected_image)
        objects += len(labels)
    return objects


@pytest.mark.parametrize(("spec", "tolerance"), [(RGB, 0), (DCT, 1e-4)], ids=["rgb", "dct"])
def test_samples_are_torchvisions(varied, tmp_path, spec, tolerance):
    dataset = CocoDataset(varied, train(spec), masks=True, seed=SEED)
    transform, clean = resize_and_flip()
    oracle = by_torchvision(varied, tmp_path / "no_crowds.json", transform)
    objects = [compare(dataset, oracle, clean, epoch=epoch, tolerance=tolerance) for epoch in (0, 1)]
    assert objects == [objects[0]] * 2
    assert objects[0] >= 10


def test_samples_of_photos_are_torchvisions(photos, tmp_path):
    folder = CocoFolder(photos / "coco-seg" / "images", photos / "coco-seg" / "instances.json")
    dataset = CocoDataset(folder, train(DCT), masks=True, seed=SEED)
    transform, clean = resize_and_flip()
    oracle = by_torchvision(folder, tmp_path / "no_crowds.json", transform)
    assert compare(dataset, oracle, clean, epoch=0, tolerance=1e-4) > 600


def test_objects_that_are_left_out(varied):
    dataset = CocoDataset(varied, train(RGB), masks=True)
    sizes = []
    for index in range(4):
        _, target = dataset[index]
        count, (height, width) = len(target["labels"]), target["image_size"]
        assert target["boxes"].shape == (count, 4)
        assert target["masks"].shape == (count, height, width)
        sizes.append(count)
    listed = [entry["id"] for entry in varied.annotations(0) if not entry["iscrowd"]]
    assert sizes == [len(listed) - 2, 0, 0, 0], "94 has no area, and 95 is outside"
    before = dataset.target(0)
    assert isinstance(before["boxes"], tv_tensors.BoundingBoxes)
    assert len(before["labels"]) == len(listed)


def test_integer_boxes_are_not_rounded(changed_shapes):
    """The wrapper would make them integers, and torchvision's resize would round those."""

    def change(document):
        of_image(document, 2)[0]["bbox"] = [10, 11, 31, 17]
        without(document, of_image(document, 2)[1:])

    height, width = (folder := changed_shapes(change)).size_px(1)
    _, target = CocoDataset(folder, presets.detection_eval(RGB, min_size=61, max_size=200))[1]
    (scaled_height, scaled_width) = target["image_size"]
    assert min(scaled_height, scaled_width) == 61
    scale = torch.tensor([scaled_width / width, scaled_height / height] * 2)
    torch.testing.assert_close(target["boxes"], torch.tensor([[10.0, 11, 41, 28]]) * scale)


def test_masks_only_where_wanted(changed_shapes, shapes, monkeypatch):
    assert "masks" not in CocoDataset(shapes, train(RGB))[0][1]
    without_masks = changed_shapes(lambda d: d["annotations"][1].pop("segmentation"))
    assert len(CocoDataset(without_masks, train(RGB))[0][1]["boxes"]) == 2
    with pytest.raises(ValueError, match=r"changed\.json: annotation id 2: expected a segmentation, got none"):
        CocoDataset(without_masks, train(RGB), masks=True)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    assert len(CocoDataset(shapes, train(RGB))[0][1]["boxes"]) == 2
    with pytest.raises(ImportError, match=r"pip install 'freqlearn\[detection\]'"):
        CocoDataset(shapes, train(RGB), masks=True)


def test_a_file_of_another_size_is_named(own_shapes):
    path = own_shapes.path(2)
    height, width = own_shapes.size_px(2)
    Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path)
    dataset = CocoDataset(own_shapes, train(DCT))
    with pytest.raises(
        UnreadableError,
        match=rf"^{path}: expected {width}x{height} px \(width x height\), as .*instances\.json says of image id 3, "
        rf"got {height}x{width}; COCO counts stored pixels, before any EXIF orientation",
    ):
        dataset[2]
    Image.new("RGB", (33, 41)).save(path)
    with pytest.raises(UnreadableError, match=r"says of image id 3, got 33x41$"):
        dataset[2]


@pytest.mark.parametrize("spec", [RGB, DCT], ids=["rgb", "dct"])
def test_stored_pixels_count_not_exif_orientation(own_shapes, spec):
    expected = CocoDataset(own_shapes, train(spec), masks=True)[1]
    exif = Image.Exif()
    exif[0x0112] = 6
    content = own_shapes.path(1).read_bytes()
    payload = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    marker = b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload
    own_shapes.path(1).write_bytes(content[:2] + marker + content[2:])
    assert Image.open(own_shapes.path(1)).getexif()[0x0112] == 6
    image, target = CocoDataset(own_shapes, train(spec), masks=True)[1]
    assert torch.equal(image, expected[0])
    assert all(torch.equal(target[key], expected[1][key]) for key in ("boxes", "labels", "masks"))


def test_other_formats(own_shapes):
    path = own_shapes.path(1)
    Image.open(path).save(path, "PNG")
    image, target = CocoDataset(own_shapes, train(DCT))[1]
    assert image.shape[1:] == tuple(-(-side // 4) for side in target["image_size"])
    path.write_bytes(b"no image")
    with pytest.raises(UnreadableError, match=f"^{path}: expected an image that Pillow can read"):
        CocoDataset(own_shapes, train(DCT))[1]
    path.unlink()
    with pytest.raises(UnreadableError, match=f"^{path}: No such file"):
        CocoDataset(own_shapes, train(DCT))[1]

"""The generated scenes: the same for the same seed, annotated where they are drawn, read as COCO data."""

import numpy as np
import pytest
from folder_contents import contents
from PIL import Image

from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.shapes import CATEGORIES, write_shapes

rle = pytest.importorskip("pycocotools.mask")


def masks(folder, index):
    """(annotation, (height, width) bool) of a scene, decoded by pycocotools."""
    size = folder.size_px(index)
    for entry in folder.annotations(index):
        coded = rle.frPyObjects(entry["segmentation"], *size)
        yield entry, rle.decode(rle.merge(coded) if isinstance(coded, list) else coded).astype(bool)


def test_the_same_seed_gives_the_same_files(tmp_path):
    one, two, other = (write_shapes(tmp_path / str(n), images=2, size_px=64, seed=n // 2) for n in range(3))
    assert contents(one) == contents(two)
    assert contents(one) != contents(other)
    fewer = write_shapes(tmp_path / "fewer", images=1, size_px=64, seed=0)
    assert contents(fewer).items() - contents(one).items() == {
        (path, content) for path, content in contents(fewer).items() if path.endswith(".json")
    }


def test_scenes_are_lying_and_upright(shapes):
    sizes = [shapes.size_px(index) for index in range(len(shapes))]
    assert [Image.open(path).size[::-1] for path in shapes.paths()] == sizes
    assert all(max(size) == 96 and 72 <= min(size) <= 96 for size in sizes)
    assert {height > width for height, width in sizes} == {True, False}
    assert any(side % 8 for size in sizes for side in size)


def test_masks_are_where_shapes_are_drawn(shapes):
    """A shape's colour against what surrounds it within a margin; and boxes and areas are the mask's."""
    seen = set()
    for index in range(len(shapes)):
        pixels = np.asarray(Image.open(shapes.path(index)), dtype=np.float64)
        everything = np.zeros(pixels.shape[:2], dtype=bool)
        for entry, mask in masks(shapes, index):
            assert not (everything & mask).any(), "they do not overlap"
            everything |= mask
            left, top, width, height = entry["bbox"]
            box = rle.toBbox(rle.encode(np.asfortranarray(mask, dtype=np.uint8)))
            np.testing.assert_allclose(box, entry["bbox"], atol=2)  # a tip is narrower than a pixel
            assert abs(mask.sum() - entry["area"]) <= 1 + width + height  # a pixel more or less on each side
            if entry["iscrowd"]:
                continue
            around = np.zeros_like(mask)
            around[max(0, int(top) - 5) : int(top + height) + 6, max(0, int(left) - 5) : int(left + width) + 6] = True
            inside, outside = pixels[mask].mean(axis=0), pixels[around & ~mask].mean(axis=0)
            assert np.abs(inside - outside).max() > 20
            seen.add(CATEGORIES[entry["category_id"]])
    assert seen == set(shapes.classes)


def test_a_crowd_in_the_first_scene_only(shapes):
    crowds = [(index, e) for index in range(len(shapes)) for e, _ in masks(shapes, index) if e["iscrowd"]]
    ((index, crowd),) = crowds
    assert index == 0
    assert isinstance(crowd["segmentation"]["counts"], list)
    (mask,) = [mask for entry, mask in masks(shapes, 0) if entry["iscrowd"]]
    assert mask.sum() == crowd["area"] > 50


@pytest.mark.parametrize("arguments", [{"images": 0}, {"size_px": 31}, {"size_px": 5000}], ids=str)
def test_numbers_out_of_range(tmp_path, arguments):
    with pytest.raises(ValueError, match="expected at least one image of 32 to 4096 px, got"):
        write_shapes(tmp_path / "none", **arguments)
    assert not (tmp_path / "none").exists()


def test_smallest_and_single(tmp_path):
    root = write_shapes(tmp_path / "one", images=1, size_px=32)
    assert len(CocoFolder(root / "images", root / "instances.json")) == 1

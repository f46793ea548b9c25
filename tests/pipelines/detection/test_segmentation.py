"""Masks whose numbers are of no picture are named before pycocotools decodes them."""

import numpy as np
import pytest

import freqlearn as fl
from freqlearn import presets
from freqlearn.pipelines.data import SampleError, UnreadableError
from freqlearn.pipelines.detection.dataset import CocoDataset
from freqlearn.pipelines.detection.segmentation import check_segmentation
from freqlearn.pipelines.loaders import make_loader

rle = pytest.importorskip("pycocotools.mask")

RESIZE = presets.detection_eval(fl.InputSpec.preset("imagenet-rgb"), min_size=64, max_size=100)
LENGTHS = "expected run lengths"
BAD_MASKS = {
    "far point": (
        lambda _: [[1, 2, 3, 4, 1e9, 6]],
        r"expected a polygon around a picture of .*, got the point \(1000000000",
    ),
    "no number": (
        lambda _: [[1, 2, 3, 4, float("nan"), 6]],
        r"expected a polygon around .*, got the point \(nan, 6.0\)",
    ),
    "text": (lambda _: [[1, 2, 3, 4, "x", 6]], "expected a polygon of numbers: could not convert"),
    "list": (lambda _: [[1, 2, 3, 4, [5], 6]], "expected a polygon of numbers: setting an array element"),
    "huge": (lambda _: [[1, 2, 3, 4, 10**400, 6]], "expected a polygon of numbers: int too large"),
    "negative": (lambda n: [-1, n + 1], f"{LENGTHS} as counts, none of them negative"),
    "fractions": (lambda n: [0.5, n - 0.5], f"{LENGTHS} as counts, none of them negative"),
    "too few": (lambda n: [5, 6], f"{LENGTHS} of [0-9]+ pixels in all, got 11"),
    "too many": (lambda n: [5, n], f"{LENGTHS} of [0-9]+ pixels in all, got"),
    "compressed, too few": (lambda _: "53", f"{LENGTHS} of [0-9]+ pixels in all, got 8"),
    "compressed, unfinished": (lambda _: "5P", "expected compressed run lengths as pycocotools writes them"),
    "compressed, other text": (lambda _: "5é3", "expected compressed run lengths as pycocotools writes them"),
    "compressed, overflow": (lambda _: "o" * 20 + "0", "expected compressed run lengths as pycocotools writes them"),
}


@pytest.mark.parametrize(("segmentation", "message"), BAD_MASKS.values(), ids=BAD_MASKS.keys())
def test_masks_that_are_none_are_named(changed_shapes, segmentation, message):
    """What pycocotools would take gigabytes for, or make of memory that nobody has written to."""

    def change(document):
        size = [document["images"][0][side] for side in ("height", "width")]
        made = segmentation(size[0] * size[1])
        document["annotations"][1]["segmentation"] = (
            made if isinstance(made, list) and isinstance(made[0], list) else {"size": size, "counts": made}
        )

    folder = changed_shapes(change)
    with pytest.raises(SampleError, match=rf"^.*000001\.jpg: .*changed\.json: annotation id 2: {message}") as caught:
        CocoDataset(folder, RESIZE, masks=True)[0]
    assert not isinstance(caught.value, UnreadableError), "leaving out the file would not help"
    assert "\n" not in str(caught.value)


def test_any_mask_of_pycocotools_is_read(shapes):
    generator = np.random.default_rng(0)
    for density in (0.0, 0.001, 0.2, 0.5, 1.0):
        mask = np.asfortranarray(generator.random((150, 131)) < density).astype(np.uint8)
        encoded = rle.encode(mask)
        check_segmentation({"size": [150, 131], "counts": encoded["counts"].decode()}, (150, 131))
        with pytest.raises(ValueError, match=r"in all|pycocotools writes"):
            check_segmentation({"size": [150, 131], "counts": encoded["counts"].decode()[:-1]}, (150, 131))


def test_they_are_not_skipped(changed_shapes):
    folder = changed_shapes(lambda d: d["annotations"][1].update(segmentation=[[1, 2, 3, 4, 1e9, 6]]))
    dataset = CocoDataset(folder, RESIZE, masks=True)
    with pytest.raises(SampleError, match="annotation id 2"):
        list(make_loader(dataset, batch_size=2, num_workers=0, shuffle=True, on_error="skip"))

"""Detections drawn on photos: colours where they belong, photos seen through masks, labels that fit."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from freqlearn.pipelines.detection.drawing import Drawn, class_color, draw_detections
from freqlearn.pipelines.detection.run_lengths import run_lengths

pytest.importorskip("pycocotools")

GRAY = 90


def gray(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), (GRAY, GRAY, GRAY))


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def of_color(picture: Image.Image, label: int) -> np.ndarray:
    """(H, W) bool: where a picture has exactly a class's colour."""
    return (pixels(picture) == class_color(label)).all(axis=2)


def test_nothing_to_draw() -> None:
    assert draw_detections(gray(400, 330), []).tobytes() == gray(400, 330).tobytes()


def test_a_mask_lets_the_photo_through() -> None:
    mask = torch.zeros(330, 400, dtype=torch.bool)
    mask[100:200, 50:250] = True
    entry = Drawn(label=2, text="cat 0.90", box=(40, 90, 260, 210), mask=run_lengths(mask))
    drawn = pixels(draw_detections(gray(400, 330), [entry]))
    inside = drawn[110:190, 60:240].reshape(-1, 3)
    assert (inside == inside[0]).all()
    expected = 0.55 * GRAY + 0.45 * np.array(class_color(2))
    assert inside[0] == pytest.approx(expected, abs=1)
    assert (drawn[215:, :] == GRAY).all(), "beside the box nothing has changed"
    assert (drawn[95:98, 60:240] == GRAY).all(), "nor within it, beside the mask"


def test_masks_of_several_objects_mix() -> None:
    """The first one is on top; where they overlap nothing turns black."""
    masks = torch.zeros(2, 330, 400, dtype=torch.bool)
    masks[0, 100:200, 50:250] = True
    masks[1, 150:300, 150:350] = True
    entries = [
        Drawn(label=label, text="", box=(0, 0, 399, 329), mask=run_lengths(mask))
        for label, mask in zip((1, 4), masks, strict=True)
    ]
    both = pixels(draw_detections(gray(400, 330), entries))[175, 200]
    below = 0.55 * GRAY + 0.45 * np.array(class_color(4))
    assert both == pytest.approx(0.55 * below + 0.45 * np.array(class_color(1)), abs=2)


def test_a_box_is_where_it_was_found() -> None:
    found = of_color(draw_detections(gray(400, 330), [Drawn(label=3, text="", box=(50, 100, 149, 180))]), 3)
    rows, columns = np.flatnonzero(found[:, 100]), np.flatnonzero(found[140])
    assert (rows.min(), rows.max()) == (100, 180)
    assert (columns.min(), columns.max()) == (50, 149)


@pytest.mark.parametrize("factor", [5, 2])
def test_small_photos_are_enlarged(factor: int) -> None:
    side = 320 // factor
    entry = Drawn(label=3, text="", box=(10, 20, side - 8, side - 4))
    picture = draw_detections(gray(side, side), [entry])
    assert picture.size == (320, 320)
    columns = np.flatnonzero(of_color(picture, 3)[160])
    assert (columns.min(), columns.max()) == (10 * factor, (side - 8) * factor)


@pytest.mark.parametrize(
    "place", [(0, 0), (398, 0), (0, 328), (380, 320), (-5, -9)], ids=["corner", "right", "bottom", "both", "outside"]
)
def test_labels_are_whole_wherever_the_box_is(place: tuple[int, int]) -> None:
    """Background and ink of the label of a box at the border are as many pixels as in the middle."""

    def label_pixels(left: int, top: int) -> tuple[int, int]:
        picture = draw_detections(gray(400, 330), [Drawn(label=0, text="potted plant", box=(left, top, left, top))])
        drawn = pixels(picture)
        dark = int((drawn.sum(axis=2) < 60).sum()) + int((drawn.sum(axis=2) > 700).sum())
        return int(of_color(picture, 0).sum()), dark

    colored, ink = label_pixels(200, 150)
    assert ink > 50
    border = label_pixels(*place)
    assert border[1] == pytest.approx(ink, abs=20)
    assert border[0] == pytest.approx(colored, rel=0.05)


def test_labels_grow_with_the_photo_and_shrink_to_fit() -> None:
    def height(width: int, height: int, text: str) -> int:
        box = (width / 2, height / 2, width / 2, height / 2)
        found = of_color(draw_detections(gray(width, height), [Drawn(label=1, text=text, box=box)]), 1)
        return int(np.ptp(np.flatnonzero(found.any(axis=1))) + 1)

    assert height(2400, 1800, "cat") > 3 * height(640, 480, "cat")
    assert height(320, 320, "a very long name of a class, much too long to fit 0.99") < height(320, 320, "cat")


def test_colours_of_classes_differ() -> None:
    colors = [class_color(label) for label in range(80)]
    assert len(set(colors)) == 80
    apart = [np.abs(np.subtract(one, other)).sum() for one, other in pairwise(colors)]
    assert min(apart) > 150


def test_a_mask_of_another_photo() -> None:
    entry = Drawn(label=0, text="", box=(0, 0, 5, 5), mask=run_lengths(torch.ones(10, 10, dtype=torch.bool)))
    with pytest.raises(ValueError, match=r"expected a mask of the photo's size \(330, 400\), got \(10, 10\)"):
        draw_detections(gray(400, 330), [entry])

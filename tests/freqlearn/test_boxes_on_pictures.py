"""Boxes against pictures: random plans, and the edges of rectangles measured in what the maps show."""

from benchmarks.boxes import run, summed

KINDS = 10


def test_boxes_masks_and_edges_of_random_plans_are_where_torchvision_has_them():
    results = run(KINDS, photos=None)
    assert len(results) == KINDS
    total = summed(results.values())
    assert total.plans == KINDS
    assert total.boxes >= 4 * KINDS
    # Coordinates of up to 1333 px in float32, a few operations.
    assert total.largest_px < 1e-3
    assert total.mask_pixels_differing == 0
    for what in ("freqlearn Y", "freqlearn Cb", "RGB Y", "RGB Cb"):
        assert len(total.deviations[what]) > 20
        # A half-pixel convention gone wrong would be 0.25 px of the picture and more. The rest is what JPEG and, for
        # RGB, rounding to uint8 and chroma of half the size do to an edge.
        assert total.largest(what) < (0.1 if what.endswith("Y") else 0.2)

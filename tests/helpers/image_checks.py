"""What tests of reading check of an image."""

import numpy as np


def assert_same(image, planes):
    """An image's planes are exactly the given ones."""
    assert len(image.planes) == len(planes)
    for ours, theirs in zip(image.planes, planes, strict=True):
        np.testing.assert_array_equal(ours, theirs)

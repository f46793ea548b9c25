"""A small file and its coefficients as libjpeg reads them."""

import pytest


@pytest.fixture(scope="module")
def jpeg(make_jpeg):
    return make_jpeg(37, 53, seed=1)


@pytest.fixture(scope="module")
def planes(jpeg, read_planes):
    return read_planes(jpeg)[0]

"""Header facts: names of samplings, sizes of components, the quality that a table comes from."""

import copy
import io
import pickle

import numpy as np
import pytest
from PIL import Image

import freqlearn as fl
from freqlearn.info import component_size, subsampling_name
from freqlearn.quality import estimate_quality


@pytest.mark.parametrize("quality", [1, 10, 25, 49, 50, 51, 75, 90, 95, 99, 100])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_quality_is_what_libjpeg_was_asked_for(quality, mode):
    file = io.BytesIO()
    Image.new(mode, (8, 8)).save(file, "JPEG", quality=quality)
    assert fl.read_info(file.getvalue()).quality == quality


def test_every_table_of_pillow_is_recognised():
    for quality in range(1, 101):
        file = io.BytesIO()
        Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
        with Image.open(file) as image:
            table = np.array(image.quantization[0]).reshape(8, 8)
        assert estimate_quality(table) == quality


@pytest.mark.parametrize(
    "preset", ["web_low", "web_medium", "web_high", "web_maximum", "low", "medium", "high", "maximum"]
)
def test_photoshop_s_tables_have_no_libjpeg_quality(preset):
    """Pillow's presets are Photoshop's tables."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=preset)
    assert fl.read_info(file.getvalue()).quality is None


def test_tables_that_are_not_libjpeg_s():
    assert estimate_quality(np.full((8, 8), 16)) is None
    assert estimate_quality(np.zeros((8, 8), np.uint16)) is None


@pytest.mark.parametrize(
    ("sampling", "name"),
    [
        ([(1, 1)], "gray"),
        ([(2, 2)], "gray"),
        ([(1, 1)] * 3, "4:4:4"),
        ([(2, 2)] * 3, "4:4:4"),
        ([(2, 1), (1, 1), (1, 1)], "4:2:2"),
        ([(2, 2), (1, 2), (1, 2)], "4:2:2"),
        ([(2, 2), (1, 1), (1, 1)], "4:2:0"),
        ([(1, 2), (1, 1), (1, 1)], "4:4:0"),
        ([(4, 1), (1, 1), (1, 1)], "4:1:1"),
        ([(4, 2), (1, 1), (1, 1)], "4:1:0"),
        ([(3, 1), (1, 1), (1, 1)], "3x1,1x1,1x1"),
        ([(2, 2), (2, 1), (1, 1)], "2x2,2x1,1x1"),
        ([(1, 1), (2, 2), (1, 1)], "1x1,2x2,1x1"),
    ],
    ids=str,
)
def test_subsampling_names(sampling, name):
    assert subsampling_name(tuple(sampling)) == name


def test_component_sizes_are_rounded_up():
    sampling = ((2, 2), (1, 1), (2, 1))
    assert [component_size((5, 9), sampling, index) for index in range(3)] == [(5, 9), (3, 5), (3, 9)]
    assert component_size((5, 9), ((3, 2),), 0) == (5, 9)


def test_info_compares_and_describes(make_jpeg):
    data = make_jpeg(24, 32)
    info = fl.read_info(data)
    assert info == fl.read_info(bytes(data))
    assert info != fl.read_info(make_jpeg(24, 40))
    assert info.describe() == "32x24 px, YCbCr 4:2:0, baseline, quality 85"
    assert repr(fl.read_info(make_jpeg(9, 7, sampling="gray"))) == "ImageInfo(7x9 px, gray, baseline, quality 85)"
    with pytest.raises(AttributeError):
        info.size_px = (1, 1)


def test_copies_are_as_unchangeable_as_the_info(make_jpeg):
    info = fl.read_info(make_jpeg(16, 24))
    for again in (pickle.loads(pickle.dumps(info)), copy.deepcopy(info)):
        assert again == info
        for table, same in zip(again.quant_tables, info.quant_tables, strict=True):
            np.testing.assert_array_equal(table, same)
            with pytest.raises(ValueError, match="read-only"):
                table[0, 0] = 1

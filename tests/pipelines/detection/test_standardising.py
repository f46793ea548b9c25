"""Mean and std at a detector's geometry: those of all whole blocks that evaluation gives a network."""

import shutil

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

import freqlearn as fl
from freqlearn import presets
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.standardising import measured_detection_spec

CHANNELS = fl.ChannelSet.of((0, 1, 8, 64, 128))
SPEC = fl.InputSpec.unstandardised(CHANNELS, 120)
SIZES = {"min_size": 60, "max_size": 78}


def test_mean_and_std_are_those_of_all_whole_blocks(shapes):
    spec, statistics = measured_detection_spec(SPEC, shapes, images=100, **SIZES)
    transform = presets.detection_eval(SPEC, **SIZES)
    values, partial = [], 0
    for index in range(len(shapes)):
        boxes = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=shapes.size_px(index))
        maps, target = transform(shapes.path(index), {"boxes": boxes})
        height, width = (2 * side // 8 for side in target["boxes"].canvas_size)
        partial += maps.shape[1:] != (height, width)
        values.append(maps[:, :height, :width].reshape(len(CHANNELS), -1).double())
    assert partial > 2
    values = torch.cat(values, dim=1).numpy()
    np.testing.assert_allclose(spec.mean, values.mean(axis=1), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(spec.std, values.std(axis=1), rtol=1e-6)
    assert (spec.size_px, spec.resize_px, spec.channels) == (120, None, CHANNELS)
    assert (statistics.images, statistics.coefficients) == (10, values.shape[1])
    assert spec.source == "10 of 10 training files"


def test_a_sample_is_chosen_by_its_seed(shapes):
    one = measured_detection_spec(SPEC, shapes, images=4, seed=1, **SIZES)[0]
    assert one.source == "4 of 10 training files"
    assert one == measured_detection_spec(SPEC, shapes.sample(4, seed=1), images=4, **SIZES)[0]
    assert one != measured_detection_spec(SPEC, shapes, images=4, seed=2, **SIZES)[0]


def test_bad_files_are_listed(shapes_dir, tmp_path):
    root = shutil.copytree(shapes_dir, tmp_path / "own")
    folder = CocoFolder(root / "images", root / "instances.json")
    folder.path(3).write_bytes(b"no image")
    with pytest.raises(ValueError, match=f"^{folder.path(3)}: expected an image"):
        measured_detection_spec(SPEC, folder, images=100, **SIZES)
    spec, _ = measured_detection_spec(SPEC, folder, images=100, on_bad_image="skip", output=tmp_path, **SIZES)
    assert spec.source == "9 of 10 training files"
    assert str(folder.path(3)) in (tmp_path / "bad_images.csv").read_text()


def test_pixels_are_not_measured(shapes):
    with pytest.raises(ValueError, match="only frequency channels are measured; the spec is of kind rgb"):
        measured_detection_spec(fl.InputSpec.preset("imagenet-rgb"), shapes, images=1, **SIZES)

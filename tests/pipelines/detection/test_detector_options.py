"""Options of a detector's training, what they become by default, and how mistakes in them are said."""

from pathlib import Path
from typing import Any

import pytest

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.detection.inputs import choose_detection_spec
from freqlearn.pipelines.detection.networks import DETECTOR_NAMES, build_detector
from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.spec import InputSpec


def options(**changes: Any) -> DetectOptions:
    return DetectOptions(**{"images": Path("images"), "annotations": Path("instances.json"), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_size": 800}, "max_size must be at least min_size 800, got 667"),
        ({"val_images": Path("val")}, "give val_annotations too"),
        ({"val_first": 2}, "give val_annotations too"),
        ({"norm": "frozen"}, "norm frozen .* add backbone"),
        ({"trainable_layers": 3}, "trainable_layers 3 .* add backbone"),
        ({"trainable_layers": 6}, "trainable_layers must be 0 to 5"),
        ({"milestones": [8, 11]}, "milestones are for schedule step"),
        ({"schedule": "step", "milestones": [11, 8]}, "rising numbers of epochs"),
        ({"schedule": "step", "milestones": []}, "rising numbers of epochs"),
        ({"input": "rgb", "channels": "24"}, "rgb input has no frequency channels"),
        ({"input": "rgb", "gate": True}, "gate and std_floor are for frequency channels"),
        ({"momentum": 1.0}, "momentum must be"),
        ({"min_score": 1.0}, "min_score must be"),
        ({"rois": 0}, "rois must be at least 1"),
        ({"warmup_steps": 0}, "warmup_steps must be at least 1"),
        ({"std_floor": 0.0}, "std_floor must be positive"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"norm": "batch", "trainable_layers": 5, "min_anchor": 16}),
        ({"backbone": Path("b.ckpt")}, {"norm": "frozen", "trainable_layers": 3}),
        (
            {"backbone": Path("b.ckpt"), "norm": "batch", "trainable_layers": 0},
            {"norm": "batch", "trainable_layers": 0},
        ),
        ({"min_size": 800, "max_size": 1333}, {"min_anchor": 32}),
        ({"min_anchor": 8}, {"min_anchor": 8}),
    ],
)
def test_what_is_left_out_is_decided_by_the_rest(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    decided = options(**changes).network_arguments()
    assert {name: decided[name] for name in expected} == expected


@pytest.mark.parametrize(("min_size", "size_px"), [(800, 1600), (50, 104), (401, 808)])
def test_blocks_are_taken_of_a_picture_twice_as_large(min_size: int, size_px: int) -> None:
    spec = choose_detection_spec(options(min_size=min_size, max_size=1333, channels="48"))
    assert spec == InputSpec.unstandardised(ChannelSet.square(48), size_px)


def test_the_spec_of_rgb_is_imagenet_s() -> None:
    spec = choose_detection_spec(options(input="rgb", min_size=401))
    assert (spec.kind, spec.mean, spec.size_px, spec.resize_px) == ("rgb", (0.485, 0.456, 0.406), 401, None)


def test_a_spec_of_another_geometry_is_refused(tmp_path: Path) -> None:
    InputSpec.unstandardised(ChannelSet.square(24), 448, 512).save(tmp_path / "spec.json")
    with pytest.raises(ValueError, match=r"size_px 448, resize_px 512, and min_size 400 needs size_px 800"):
        choose_detection_spec(options(spec=str(tmp_path / "spec.json")))


def test_a_spec_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="imagenet-rgb: a spec of kind rgb, but input is dct"):
        choose_detection_spec(options(spec="imagenet-rgb"))


@pytest.mark.parametrize("name", DETECTOR_NAMES)
def test_options_reach_the_detector(name: str) -> None:
    import torch

    with torch.device("meta"):
        spec = InputSpec.unstandardised(ChannelSet.square(24), 800)
        arguments = options(proposals=30, rois=16, detections=7, min_score=0.1, gate=True).network_arguments()
        detector = build_detector(name, spec, classes=3, **arguments)
    heads = detector.roi_heads
    assert heads.box_predictor.cls_score.out_features == 4
    assert (heads.fg_bg_sampler.batch_size_per_image, heads.detections_per_img, heads.score_thresh) == (16, 7, 0.1)
    assert detector.rpn._post_nms_top_n == detector.rpn._pre_nms_top_n == {"training": 60, "testing": 30}
    assert heads.has_mask() == name.startswith("mask")
    assert detector.gate is not None
    blocks = {"18": 8, "50": 16, "101": 33}
    assert sum(len(detector.backbone.body[f"layer{n}"]) for n in (1, 2, 3, 4)) == blocks[name.split("_")[1][6:]]


def test_an_unknown_detector() -> None:
    with pytest.raises(ValueError, match="unknown detector 'yolo'; known are fasterrcnn_resnet18_fpn"):
        build_detector("yolo", InputSpec.preset("imagenet-rgb"), classes=3)

"""The options of torchvision's detectors that a detector on finished maps has too."""

import difflib
from collections.abc import Mapping
from typing import Any, TypedDict


class RCNNOptions(TypedDict, total=False):
    """Keyword arguments of torchvision's FasterRCNN and MaskRCNN, which explain them and give their defaults."""

    rpn_pre_nms_top_n_train: int
    rpn_pre_nms_top_n_test: int
    rpn_post_nms_top_n_train: int
    rpn_post_nms_top_n_test: int
    rpn_nms_thresh: float
    rpn_fg_iou_thresh: float
    rpn_bg_iou_thresh: float
    rpn_batch_size_per_image: int
    rpn_positive_fraction: float
    rpn_score_thresh: float
    box_score_thresh: float
    box_nms_thresh: float
    box_detections_per_img: int
    box_fg_iou_thresh: float
    box_bg_iou_thresh: float
    box_batch_size_per_image: int
    box_positive_fraction: float
    bbox_reg_weights: tuple[float, float, float, float] | None


# What torchvision's constructors have and these have not, and what to do instead.
_INSTEAD = {
    **dict.fromkeys(
        ("min_size", "max_size", "image_mean", "image_std"),
        "it takes pictures that are resized and standardised, see freqlearn.presets.detection_train",
    ),
    **dict.fromkeys(
        ("weights", "weights_backbone", "pretrained", "pretrained_backbone"),
        "weights are random at first; freqlearn.models.detection.load_backbone gives the ResNet those of a classifier",
    ),
    "trainable_backbone_layers": "trainable_layers says how many layers of the ResNet are trained",
}


def check_rcnn_options(options: Mapping[str, Any]) -> None:
    """Refuse other names: torchvision's detectors swallow what they do not know, a misspelt option too.

    Raises:
        TypeError: If there is one.
    """
    known = RCNNOptions.__annotations__
    for name in options:
        if name in _INSTEAD:
            raise TypeError(f"{name} is no option of a detector here: {_INSTEAD[name]}")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"of torchvision's it takes {', '.join(known)}"
            raise TypeError(f"unknown option {name!r} of a detector; {hint}")

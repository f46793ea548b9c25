"""Small detectors, and pictures and targets for them."""

import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from freqlearn.models import detection

FEW = {
    "num_classes": 5,
    "rpn_pre_nms_top_n_train": 40,
    "rpn_pre_nms_top_n_test": 40,
    "rpn_post_nms_top_n_train": 20,
    "rpn_post_nms_top_n_test": 6,
    "rpn_batch_size_per_image": 16,
    "box_batch_size_per_image": 4,
    "box_score_thresh": 0.0,
    "box_detections_per_img": 3,
    "min_anchor": 16,
}
"""Options that keep a detector quick, and let it find something with random weights."""

SIZES = [(43, 63), (58, 37)]
"""(height, width) of two pictures in pixels; none is a whole number of cells."""


def detector(name: str = "fasterrcnn_resnet18_fpn", *, seed: int = 0, **options) -> detection.FrequencyRCNN:
    """A detector of 24 channels (or other options) whose answers depend on its input, in evaluation mode."""
    torch.manual_seed(seed)
    if not {"spec", "in_channels"} & options.keys():
        options["in_channels"] = 24
    return with_lively_weights(getattr(detection, name)(**{**FEW, **options}))


def with_lively_weights(model: nn.Module) -> nn.Module:
    """Give every norm statistics of its own, and the last layers more than their initial zeros, as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d):
            nn.init.uniform_(module.weight, 0.2, 0.6)  # 16 blocks of more would add up to thousands
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.1)
    nn.init.normal_(model.rpn.head.bbox_pred.weight, std=0.02)
    nn.init.normal_(model.roi_heads.box_predictor.cls_score.weight, std=0.1)
    return model.eval()


def maps(sizes=SIZES, *, channels: int = 24, px_per_cell: int = 4, seed: int = 0) -> list[Tensor]:
    """Maps of pictures of the sizes, (C, h, w) each."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(channels, *(-(-side // px_per_cell) for side in size), generator=generator) for size in sizes]


def targets(sizes=SIZES) -> list[dict[str, Tensor]]:
    """Two objects in the first picture, none in the others."""
    boxes = [torch.tensor([[3.0, 4, 30, 40], [20, 10, 62, 42]]), *(torch.zeros(0, 4) for _ in sizes[1:])]
    made = []
    for box, size in zip(boxes, sizes, strict=True):
        masks = torch.zeros(len(box), *size, dtype=torch.uint8)
        for mask, (left, top, right, bottom) in zip(masks, box.int().tolist(), strict=True):
            mask[top:bottom, left:right] = 1
        made.append({"boxes": box, "labels": torch.arange(1, len(box) + 1), "masks": masks})
    return made

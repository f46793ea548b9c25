"""What a detector says of a picture, in COCO's results format."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from freqlearn.pipelines.detection.cocotools import load_masks

MASK_THRESHOLD = 0.5
"""A pixel belongs to an object above this probability, as in torchvision's references."""

Result = dict[str, Any]
"""image_id, category_id, bbox [x, y, width, height] in px, score, and with masks segmentation (compressed RLE)."""


def coco_results(
    detections: Mapping[str, torch.Tensor], *, image_id: int, category_ids: Sequence[int | None]
) -> list[Result]:
    """The detections in one picture as COCO results, in the order of the detections.

    Args:
        detections: Of one picture, as torchvision's detectors give them: boxes (N, 4) XYXY in px of the picture,
            labels (N,) 1..K, scores (N,), and perhaps masks (N, 1, H, W) of probabilities.
        image_id: The picture's id.
        category_ids: By label, beginning with that of label 1; detections where it is None are left out.

    Returns:
        JSON types only.
    """
    boxes = detections["boxes"].detach().double().cpu()
    corners, far = boxes[:, :2], boxes[:, 2:]
    bboxes = torch.cat([corners, far - corners], dim=1).tolist()
    labels = detections["labels"].tolist()
    scores = detections["scores"].tolist()
    masks = detections.get("masks")
    results: list[Result] = []
    for number, (label, bbox, score) in enumerate(zip(labels, bboxes, scores, strict=True)):
        category_id = category_ids[label - 1]
        if category_id is None:
            continue
        result: Result = {"image_id": image_id, "category_id": category_id, "bbox": bbox, "score": score}
        if masks is not None:
            result["segmentation"] = run_lengths(masks[number, 0] > MASK_THRESHOLD)
        results.append(result)
    return results


def run_lengths(mask: torch.Tensor) -> dict[str, Any]:
    """A mask as COCO's compressed run lengths.

    Args:
        mask: (H, W) bool.

    Returns:
        `size` [H, W] and `counts`, text: what pycocotools reads, and JSON keeps.
    """
    encoded = load_masks().encode(np.asfortranarray(mask.detach().cpu().numpy(), dtype=np.uint8))
    return {"size": [int(length) for length in encoded["size"]], "counts": encoded["counts"].decode("ascii")}


def mask_of(segmentation: Mapping[str, Any]) -> torch.Tensor:
    """The inverse of `run_lengths`: (H, W) bool."""
    return torch.from_numpy(load_masks().decode(dict(segmentation))).bool()

"""What a detector says of a picture, in COCO's results format."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.detection.roi_heads import paste_masks_in_image

from freqlearn.pipelines.detection.cocotools import load_masks

MASK_THRESHOLD = 0.5
"""A pixel belongs to an object above this probability, as in torchvision's references."""

Result = dict[str, Any]
"""image_id, category_id, bbox [x, y, width, height] in px, score, and with masks segmentation (compressed RLE)."""


def results_of_batch(
    model: nn.Module,
    images: Sequence[torch.Tensor],
    targets: Sequence[Mapping[str, Any]],
    *,
    category_ids: Sequence[int | None],
) -> list[Result]:
    """What a detector finds in a batch, as COCO results in px of the stored photos.

    Args:
        model: One of `freqlearn.models.detection`, in evaluation mode.
        images: (C, h, w) each.
        targets: Of each image, as `CocoDataset` gives them: image_id, image_size, original_size.
        category_ids: See `coco_results`.
    """
    sizes = [target["original_size"] for target in targets]
    # Masks are pasted one at a time: all of a photo of 12 megapixels would take 5 GB.
    found = model(
        list(images),
        image_sizes=[target["image_size"] for target in targets],
        output_sizes=sizes,
        paste_masks=False,
    )
    return [
        result
        for detections, target, size in zip(found, targets, sizes, strict=True)
        for result in coco_results(
            detections, image_id=int(target["image_id"]), category_ids=category_ids, paste_to=size
        )
    ]


def coco_results(
    detections: Mapping[str, torch.Tensor],
    *,
    image_id: int,
    category_ids: Sequence[int | None],
    paste_to: tuple[int, int] | None = None,
) -> list[Result]:
    """The detections in one picture as COCO results, in the order of the detections.

    Args:
        detections: Of one picture, as torchvision's detectors give them: boxes (N, 4) XYXY in px of the picture,
            labels (N,) 1..K, scores (N,), and perhaps masks (N, 1, H, W) of probabilities.
        image_id: The picture's id.
        category_ids: By label, beginning with that of label 1; detections where it is None are left out.
        paste_to: (height, width) of the picture, where masks are still (N, 1, 28, 28), for the boxes.

    Returns:
        JSON types only.
    """
    boxes = detections["boxes"].detach()
    corners, far = boxes.double().cpu().split(2, dim=1)
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
            mask = masks[number : number + 1].float()
            if paste_to is not None:
                mask = paste_masks_in_image(mask, boxes[number : number + 1].float(), paste_to)
            result["segmentation"] = run_lengths(mask[0, 0] > MASK_THRESHOLD)
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

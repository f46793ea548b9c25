"""What a detector says of a picture, in COCO's results format."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import torch
from torch import nn

from freqlearn.pipelines.detection.run_lengths import MASK_THRESHOLD, RunLengths, pasted_run_lengths, run_lengths

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
    corners, far = torch.tensor_split(detections["boxes"].detach().double().cpu(), 2, dim=1)
    bboxes = torch.cat([corners, far - corners], dim=1).tolist()
    results: list[Result] = []
    for label, bbox, score, mask in zip(
        detections["labels"].tolist(), bboxes, detections["scores"].tolist(), _masks(detections, paste_to), strict=True
    ):
        category_id = category_ids[label - 1]
        if category_id is None:
            continue
        result: Result = {"image_id": image_id, "category_id": category_id, "bbox": bbox, "score": score}
        results.append(result if mask is None else result | {"segmentation": mask})
    return results


def _masks(detections: Mapping[str, torch.Tensor], paste_to: tuple[int, int] | None) -> Iterator[RunLengths | None]:
    """The masks of detections, one after another; None for each without."""
    masks = detections.get("masks")
    if masks is None:
        return repeat(None, len(detections["scores"]))
    if paste_to is not None:
        return pasted_run_lengths(masks, detections["boxes"], paste_to)
    return (run_lengths(mask[0] > MASK_THRESHOLD) for mask in masks)

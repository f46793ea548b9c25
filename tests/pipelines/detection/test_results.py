"""Detections as COCO results."""

import json

import pytest
import torch

from freqlearn.models.detection import maskrcnn_resnet18_fpn
from freqlearn.pipelines.detection.results import coco_results, results_of_batch
from freqlearn.pipelines.detection.run_lengths import mask_of

pytest.importorskip("pycocotools")


def test_detections_become_results() -> None:
    masks = torch.zeros(3, 1, 6, 8)
    masks[0, 0, 1:3, 2:7] = 0.51
    masks[1, 0, 4, 4] = 0.5
    detections = {
        "boxes": torch.tensor([[2.0, 1.0, 7.0, 3.0], [0.25, 0.5, 4.0, 5.0], [0.0, 0.0, 1.0, 1.0]]),
        "labels": torch.tensor([2, 1, 3]),
        "scores": torch.tensor([0.75, 0.5, 0.25]),
        "masks": masks,
    }
    first, second = json.loads(json.dumps(coco_results(detections, image_id=5, category_ids=[3, 90, None])))
    assert (first["image_id"], first["category_id"], first["score"]) == (5, 90, 0.75)
    assert (first["bbox"], second["bbox"]) == ([2.0, 1.0, 5.0, 2.0], [0.25, 0.5, 3.75, 4.5])
    assert second["category_id"] == 3
    assert mask_of(first["segmentation"]).equal(masks[0, 0] > 0)
    assert first["segmentation"]["size"] == [6, 8]
    assert not mask_of(second["segmentation"]).any()
    boxes_only = {name: value for name, value in detections.items() if name != "masks"}
    assert "segmentation" not in coco_results(boxes_only, image_id=5, category_ids=[3, 90, 4])[0]


def test_masks_pasted_one_by_one_are_torchvision_s() -> None:
    """On a photo of other size and proportions than the picture, and across its borders."""
    torch.manual_seed(0)
    model = maskrcnn_resnet18_fpn(
        in_channels=6, num_classes=4, box_score_thresh=0.0, rpn_post_nms_top_n_test=12, box_detections_per_img=5
    ).eval()
    images = [torch.randn(6, 20, 24), torch.randn(6, 16, 30)]
    targets = [
        {"image_id": 3, "image_size": (78, 95), "original_size": (120, 70)},
        {"image_id": 4, "image_size": (64, 120), "original_size": (33, 200)},
    ]
    with torch.inference_mode():
        found = results_of_batch(model, images, targets, category_ids=[10, 20, 30])
        expected = model(
            images,
            image_sizes=[target["image_size"] for target in targets],
            output_sizes=[target["original_size"] for target in targets],
        )
    assert len(found) == sum(len(detections["scores"]) for detections in expected) == 10
    rows, keys = iter(found), ("boxes", "labels", "scores", "masks")
    for detections, target in zip(expected, targets, strict=True):
        for box, label, score, mask in zip(*map(detections.get, keys), strict=True):
            row = next(rows)
            assert (row["image_id"], row["category_id"]) == (target["image_id"], int(label) * 10)
            assert row["score"] == score.item()
            left, top, width, height = row["bbox"]
            assert [left, top, left + width, top + height] == pytest.approx(box.tolist(), abs=1e-9)
            assert mask_of(row["segmentation"]).equal(mask[0] > 0.5)
    assert any(mask_of(row["segmentation"]).any() for row in found)

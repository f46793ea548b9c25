"""Average precision against pycocotools run by hand, and against numbers that can be worked out on paper."""

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from process_group import in_processes

from freqlearn.pipelines.detection.average_precision import MEASURES, NOTHING_TO_FIND, AveragePrecision
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.results import Result
from freqlearn.pipelines.detection.run_lengths import run_lengths

pycoco = pytest.importorskip("pycocotools.coco")
cocoeval = pytest.importorskip("pycocotools.cocoeval")

SIZE = 240  # px, so that objects of all three sizes fit


def rectangle(left: float, top: float, width: float, height: float) -> list[list[float]]:
    right, bottom = left + width, top + height
    return [[left, top, right, top, right, bottom, left, bottom]]


def annotation(number: int, image: int, category: int, bbox: Sequence[float], **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": list(bbox),
        "area": bbox[2] * bbox[3],
        "iscrowd": 0,
        "segmentation": rectangle(*bbox),
        **more,
    }


def result(image: int, category: int, bbox: Sequence[float], score: float) -> Result:
    """A detection of a box that is full."""
    left, top, width, height = (round(value) for value in bbox)
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask[top : top + height, left : left + width] = True
    return {
        "image_id": image,
        "category_id": category,
        "bbox": [float(value) for value in bbox],
        "score": score,
        "segmentation": run_lengths(mask),
    }


def write(folder: Path, annotations: list[dict[str, Any]], *, images: Sequence[int] = (10, 20, 30)) -> CocoFolder:
    document = {
        "images": [{"id": image, "file_name": f"{image}.jpg", "width": SIZE, "height": SIZE} for image in images],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in ((7, "cat"), (3, "dog"), (90, "emu"))],
    }
    (folder / "instances.json").write_text(json.dumps(document))
    return CocoFolder(folder, folder / "instances.json", check_files=False)


def scene(seed: int = 0) -> tuple[list[dict[str, Any]], list[Result]]:
    """Objects of all sizes with a crowd region, and detections that are right, off, twice there, too many and wrong."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    results: list[Result] = []
    for image in (10, 20, 30):
        for side in (12, 24, 50, 80, 110, 130):
            left, top = rng.integers(0, SIZE - 140, 2)
            box = np.array([left, top, side, side + 6], dtype=float)
            category = int(rng.choice([3, 7]))
            annotations.append(annotation(len(annotations) + 1, image, category, box.tolist()))
            for _ in range(rng.integers(0, 3)):
                moved = (box + rng.integers(-side // 8, side // 8 + 1, 4)).clip(0)
                seen = category if rng.random() < 0.8 else 10 - category
                results.append(result(image, seen, moved.tolist(), round(float(rng.random()), 3)))
        crowd = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        crowd[150:230, 5:235] = True
        box = [5.0, 150.0, 230.0, 80.0]
        annotations.append(annotation(len(annotations) + 1, image, 3, box, iscrowd=1, segmentation=run_lengths(crowd)))
        results += [result(image, 3, (20 * n, 160, 30, 40), 0.99) for n in range(1, 6)]  # within the crowd
        results += [result(image, 7, (n, n, 30, 30), 0.2 + n / 1000) for n in range(110)]  # more than 100
    return annotations, results


def by_hand(folder: CocoFolder, results: list[Result], iou_type: str, images: Sequence[int] | None = None) -> Any:
    """What a person runs after pycocotools' pycocoEvalDemo; masks without boxes, as COCO's results format has them."""
    keep = "bbox" if iou_type == "bbox" else "segmentation"
    own = [{key: r[key] for key in ("image_id", "category_id", "score", keep)} for r in results]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = pycoco.COCO(str(folder.annotations_json))
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(own), iou_type)
        if images is not None:
            evaluation.params.imgIds = list(images)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def test_summary_is_pycocotools_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotations, results = scene()
    folder = write(tmp_path, annotations)
    scores = AveragePrecision(folder, masks=True)
    for image in (30, 10, 20):  # in any order
        scores.update([r for r in results if r["image_id"] == image], [image])
    found = scores.compute()
    assert capsys.readouterr().out == "", "pycocotools prints, we do not"
    for kind, iou_type in (("box", "bbox"), ("mask", "segm")):
        evaluation = by_hand(folder, results, iou_type)
        assert [found[f"{kind}_{name}"] for name in MEASURES] == evaluation.stats[:6].tolist()
        assert all(0 < value < 1 for value in evaluation.stats[:6]), "every number says something"
        alone = evaluation.eval["precision"][:, :, :, 0, 2].mean(axis=(0, 1))  # categories 3, 7, 90
        assert scores.per_category["dog"][f"{kind}_AP"] == pytest.approx(alone[0])
        assert scores.per_category["cat"][f"{kind}_AP"] == pytest.approx(alone[1])
        assert alone[2] == -1
    assert "emu" not in scores.per_category
    assert scores.images == 3


def test_only_the_images_that_were_evaluated(tmp_path: Path) -> None:
    annotations, results = scene(1)
    folder = write(tmp_path, annotations)
    scores = AveragePrecision(folder, masks=True)
    scores.update([r for r in results if r["image_id"] != 10], [20, 30])
    found = scores.compute()
    for kind, iou_type in (("box", "bbox"), ("mask", "segm")):
        expected = by_hand(folder, results, iou_type, images=[20, 30]).stats[:6].tolist()
        assert [found[f"{kind}_{name}"] for name in MEASURES] == expected
        assert expected != by_hand(folder, results, iou_type).stats[:6].tolist()
    assert (scores.images, scores.all_results()) == (2, [r for r in results if r["image_id"] != 10])


def test_numbers_worked_out_on_paper(tmp_path: Path) -> None:
    """Two objects, one of them found: precision 1 up to recall 0.5, that is 51 of 101 points; nothing after it."""
    folder = write(tmp_path, [annotation(1, 10, 7, (10, 10, 100, 100)), annotation(2, 20, 7, (10, 10, 100, 100))])
    scores = AveragePrecision(folder, masks=True)
    # 10 px too narrow: IoU 0.9, which counts at 0.50, ..., 0.90: nine of ten thresholds.
    scores.update([result(10, 7, (10, 10, 90, 100), 0.8)], [10])
    scores.update([], [20])
    found = scores.compute()
    for kind in ("box", "mask"):
        assert found[f"{kind}_AP50"] == found[f"{kind}_AP75"] == pytest.approx(51 / 101)
        assert found[f"{kind}_AP"] == found[f"{kind}_APl"] == pytest.approx(51 / 101 * 9 / 10)
        assert found[f"{kind}_APs"] == found[f"{kind}_APm"] == NOTHING_TO_FIND
    assert scores.per_category == {"cat": pytest.approx({"box_AP": 51 / 101 * 0.9, "mask_AP": 51 / 101 * 0.9})}


def test_a_mask_s_own_area_decides_its_size(tmp_path: Path) -> None:
    """A false mask of 30x30 px beside a box of 200x200 px is a small one: it does not count among the large."""
    folder = write(tmp_path, [annotation(1, 10, 7, (20, 20, 150, 150))])
    wrong = result(10, 7, (200, 200, 30, 30), 0.9) | {"bbox": [0.0, 0.0, 220.0, 220.0]}
    scores = AveragePrecision(folder, masks=True)
    scores.update([wrong, result(10, 7, (20, 20, 150, 150), 0.5)], [10])
    found = scores.compute()
    assert found["mask_APl"] == pytest.approx(1)
    assert found["mask_AP"] == pytest.approx(0.5)


def test_nothing_detected_is_zero(tmp_path: Path) -> None:
    scores = AveragePrecision(write(tmp_path, scene()[0]), masks=True)
    scores.update([], [10, 20, 30])
    assert set(scores.compute().values()) == {0.0}
    assert scores.per_category == {name: {"box_AP": 0.0, "mask_AP": 0.0} for name in ("dog", "cat")}


def test_nothing_to_find_is_said(tmp_path: Path) -> None:
    scores = AveragePrecision(write(tmp_path, []), masks=False)
    scores.update([result(10, 7, (0, 0, 50, 50), 0.9)], [10])
    expected = {f"box_{name}": NOTHING_TO_FIND for name in MEASURES}
    assert scores.compute() == expected
    scores.reset()
    assert (scores.compute(), scores.images, scores.per_category) == (expected, 0, {})


def test_an_object_with_the_id_zero_counts(tmp_path: Path) -> None:
    """Pycocotools itself takes it for missed."""
    folder = write(tmp_path, [annotation(0, 10, 7, (10, 10, 100, 100))])
    exact = [result(10, 7, (10, 10, 100, 100), 0.8)]
    scores = AveragePrecision(folder, masks=False)
    scores.update(exact, [10])
    assert scores.compute()["box_AP"] == pytest.approx(1)
    assert by_hand(folder, exact, "bbox").stats[0] == 0


def test_crowds_need_no_mask_and_others_do(tmp_path: Path) -> None:
    objects = [annotation(1, 10, 7, (10, 10, 100, 100)), annotation(2, 10, 7, (120, 0, 100, 100), iscrowd=1)]
    del objects[1]["segmentation"]
    scores = AveragePrecision(write(tmp_path, objects), masks=True)
    in_crowd = result(10, 7, (130, 5, 40, 40), 0.9)
    scores.update([in_crowd, result(10, 7, (10, 10, 100, 100), 0.8)], [10])
    assert scores.compute()["mask_AP"] == pytest.approx(1)
    del objects[0]["segmentation"]
    with pytest.raises(ValueError, match=r"instances\.json: expected a segmentation of every annotation.*1 has none"):
        AveragePrecision(write(tmp_path, objects), masks=True)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([[0, 0, 1e9, 0, 0, 9]], "expected a polygon around a picture"),
        ({"size": [SIZE, SIZE], "counts": [3, 5]}, "expected run lengths of .* got 8"),
    ],
    ids=["far polygon", "few pixels"],
)
def test_masks_that_pycocotools_must_not_see(mask: Any, message: str, tmp_path: Path) -> None:
    folder = write(tmp_path, [annotation(4, 10, 7, (10, 10, 100, 100), segmentation=mask)])
    with pytest.raises(ValueError, match=rf"instances\.json: annotation id 4: {message}"):
        AveragePrecision(folder, masks=True)
    assert AveragePrecision(folder, masks=False).compute()["box_AP"] == NOTHING_TO_FIND


def test_results_of_other_images(tmp_path: Path) -> None:
    scores = AveragePrecision(write(tmp_path, []), masks=False)
    with pytest.raises(ValueError, match="got the id 11"):
        scores.update([], [10, 11])
    with pytest.raises(ValueError, match=r"expected results of the images \[10\], got one of image 20"):
        scores.update([result(20, 7, (0, 0, 5, 5), 0.5)], [10])


def test_two_processes_count_every_image_once(tmp_path: Path) -> None:
    annotations, results = scene(2)
    folder = write(tmp_path, annotations)

    def evaluated() -> Any:
        scores = AveragePrecision(folder, masks=True)
        mine = [10, 20] if torch.distributed.get_rank() == 0 else [20, 30]  # 20 twice, as torch's sampler fills up
        scores.update([r for r in results if r["image_id"] in mine], mine)
        return [scores.compute(), scores.images, scores.per_category, len(scores.all_results())]

    alone = AveragePrecision(folder, masks=True)
    alone.update(results, [10, 20, 30])
    expected = [alone.compute(), 3, alone.per_category, len(results)]
    assert in_processes(tmp_path / "processes", evaluated) == [expected, expected]

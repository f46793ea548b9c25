"""COCO's average precision of boxes and masks, by pycocotools, over the pictures that all processes have evaluated."""

import contextlib
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.cocotools import load_masks, make_coco
from freqlearn.pipelines.detection.results import Result
from freqlearn.pipelines.detection.segmentation import check_segmentation
from freqlearn.pipelines.sampling import from_all_processes, rank_and_world

Kind = Literal["box", "mask"]
MEASURES: tuple[str, ...] = ("AP", "AP50", "AP75", "APs", "APm", "APl")
"""The first six numbers of pycocotools' summary, in its order: mean over IoU 0.50 to 0.95; at 0.50; at 0.75; the mean
for small (up to 32x32 px), medium and large (from 96x96 px on) objects. At most 100 detections a picture."""

NOTHING_TO_FIND = -1.0
"""What pycocotools gives where no object is to be found; such a category counts in no mean."""

_IOU_TYPES: Mapping[Kind, str] = {"box": "bbox", "mask": "segm"}


class AveragePrecision:
    """Collects results, picture by picture, and compares them with a data set's annotations.

    Every process brings the results of its pictures; a picture that two have brought is counted once. Pictures that
    nobody has brought are not part of the evaluation. Crowd regions are ignored, as pycocotools does: neither missed
    nor wrong.
    """

    def __init__(self, folder: CocoFolder, *, masks: bool) -> None:
        """Begin with no picture.

        Args:
            folder: The data set with its annotations.
            masks: Whether to measure masks as well as boxes.

        Raises:
            ImportError: If pycocotools is not installed; the message says how to.
            ValueError: If masks are to be measured and an annotation has none, or one that cannot be of its picture.
        """
        load_masks()  # what is missing is said now, and not after everything was computed
        if masks and (annotation := folder.without_mask()) is not None:
            raise ValueError(
                f"{folder.annotations_json}: expected a segmentation of every annotation, to measure masks; "
                f"annotation {annotation} has none; for boxes alone choose a network without masks, as Faster R-CNN"
            )
        if masks:
            _check_masks(folder)
        self.folder = folder
        self.kinds: tuple[Kind, ...] = ("box", "mask") if masks else ("box",)
        self.per_category: dict[str, dict[str, float]] = {}
        """After `compute`: AP of each category that occurs, by its name: box_AP, and with masks mask_AP."""
        self.images = 0
        """After `compute`: number of pictures."""
        self._known = frozenset(folder.image_ids)
        self._results: dict[int, list[Result]] = {}

    def reset(self) -> None:
        """Forget all pictures."""
        self._results, self.per_category, self.images = {}, {}, 0

    def update(self, results: Iterable[Result], image_ids: Sequence[int]) -> None:
        """Count pictures.

        Args:
            results: What was detected in them, see `coco_results`.
            image_ids: All of the pictures, those without any detection too.

        Raises:
            ValueError: If a picture is not one of the folder, or a result is of another picture.
        """
        if unknown := set(image_ids) - self._known:
            raise ValueError(f"expected images of {self.folder}, got the id {min(unknown)}, which it lacks")
        of_image: dict[int, list[Result]] = {int(image_id): [] for image_id in image_ids}
        for result in results:
            if result["image_id"] not in of_image:
                raise ValueError(
                    f"expected results of the images {sorted(of_image)}, got one of image {result['image_id']}"
                )
            of_image[result["image_id"]].append(result)
        for image_id, found in of_image.items():
            self._results.setdefault(image_id, found)

    def compute(self) -> dict[str, float]:
        """Average precision over the pictures of all processes: a collective call.

        Returns:
            box_AP, box_AP50, box_AP75, box_APs, box_APm, box_APl, and with masks mask_AP, ..., from 0 to 1, the same in
            every process. NOTHING_TO_FIND where the annotations have nothing of the kind.
        """
        everything = self._of_all_processes()
        # The first process alone: pycocotools holds gigabytes for some thousand pictures.
        found: tuple[dict[str, float], dict[str, dict[str, float]]] = {}, {}
        failure: Exception | None = None
        if rank_and_world()[0] == 0:
            try:
                found = self._measured(everything)
            except Exception as error:  # the other processes wait for an answer
                failure = error
        found, failure = from_all_processes((found, failure))[0]
        if failure is not None:
            raise failure
        summary, self.per_category = found
        self.images = len(everything)
        return summary

    def all_results(self) -> list[Result]:
        """The results of the pictures of all processes, in order of their ids: a collective call."""
        everything = self._of_all_processes()
        return [result for image_id in sorted(everything) for result in everything[image_id]]

    def _of_all_processes(self) -> dict[int, list[Result]]:
        everything: dict[int, list[Result]] = {}
        for of_process in from_all_processes(self._results):
            everything = of_process | everything  # of a picture that two processes have, the first one's results
        return everything

    def _measured(self, everything: Mapping[int, list[Result]]) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
        if not everything:
            return {f"{kind}_{name}": NOTHING_TO_FIND for kind in self.kinds for name in MEASURES}, {}
        summary: dict[str, float] = {}
        per_category: dict[str, dict[str, float]] = {}
        truth = ground_truth(self.folder, everything)
        results = [result for found in everything.values() for result in found]
        for kind in self.kinds:
            stats, of_category = measure(truth, results, kind)
            summary |= {f"{kind}_{name}": value for name, value in zip(MEASURES, stats, strict=True)}
            for name, category_id in zip(self.folder.classes, self.folder.category_ids, strict=True):
                if of_category[category_id] != NOTHING_TO_FIND:
                    per_category.setdefault(name, {})[f"{kind}_AP"] = of_category[category_id]
        return summary, per_category


def _check_masks(folder: CocoFolder) -> None:
    for index in range(len(folder)):
        for annotation in folder.annotations(index):
            try:
                check_segmentation(annotation.get("segmentation", []), folder.size_px(index))
            except ValueError as error:
                raise ValueError(f"{folder.annotations_json}: annotation id {annotation['id']}: {error}") from error


def ground_truth(folder: CocoFolder, image_ids: Collection[int]) -> Any:
    """The annotations of some pictures of a folder, as a `pycocotools.coco.COCO`.

    They are numbered anew from 1: pycocotools takes the id 0 for "matched nothing". A crowd without a mask gets its box
    as one.

    Raises:
        ImportError: If pycocotools is not installed; the message says how to.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(len(folder)):
        image_id, (height, width) = folder.image_id(index), folder.size_px(index)
        if image_id in image_ids:
            images.append({"id": image_id, "height": height, "width": width})
            annotations += folder.annotations(index)
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
        left, top, width, height = annotation["bbox"]
        if annotation["iscrowd"]:
            right, bottom = left + width, top + height
            annotation.setdefault("segmentation", [[left, top, right, top, right, bottom, left, bottom]])
    names = zip(folder.category_ids, folder.classes, strict=True)
    return make_coco(images, annotations, [{"id": category_id, "name": name} for category_id, name in names])


def measure(truth: Any, results: Sequence[Result], kind: Kind) -> tuple[list[float], dict[int, float]]:
    """Compare results with annotations.

    Args:
        truth: The pictures to evaluate, and what is to be found there; see `ground_truth`. Pycocotools changes it.
        results: What was detected in them; none is fine.
        kind: What to compare.

    Returns:
        The MEASURES, and AP by category id; NOTHING_TO_FIND where there is no such object.

    Raises:
        ImportError: If pycocotools is not installed; the message says how to.
    """
    load_masks()
    from pycocotools.cocoeval import COCOeval

    # A mask's area decides how large an object is, not that of a box beside it; so pycocotools must see only one.
    other = "segmentation" if kind == "box" else "bbox"
    own = [{key: value for key, value in result.items() if key != other} for result in results]
    with contextlib.redirect_stdout(io.StringIO()):
        # loadRes cannot take an empty list.
        found = truth.loadRes(own) if own else make_coco(truth.dataset["images"], [], truth.dataset["categories"])
        evaluation = COCOeval(truth, found, _IOU_TYPES[kind])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"]  # (IoU, recall, category, area, most detections); [..., 0, -1]: all, 100
    of_category = {}
    for place, category_id in enumerate(evaluation.params.catIds):
        values = precision[:, :, place, 0, -1]
        known = values[values > NOTHING_TO_FIND]
        of_category[int(category_id)] = float(np.mean(known)) if known.size else NOTHING_TO_FIND
    return [float(value) for value in evaluation.stats[: len(MEASURES)]], of_category

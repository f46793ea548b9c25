"""`freqlearn detect evaluate`: the average precision of a detector on a COCO dataset."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from freqlearn import atomic
from freqlearn.pipelines.checkpoint import Checkpoint, Header
from freqlearn.pipelines.detection.average_precision import MEASURES, NOTHING_TO_FIND
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.dataset import CocoDataset
from freqlearn.pipelines.detection.evaluator import DetectionEvaluator
from freqlearn.pipelines.detection.loading import load_detector, picture_transform
from freqlearn.pipelines.options import Accelerator, OnBadImage
from freqlearn.pipelines.sampling import from_all_processes, rank_and_world
from freqlearn.pipelines.tables import table
from freqlearn.pipelines.unfinished import Unfinished, digest_of_run
from freqlearn.pipelines.validating import validating

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DetectionEvaluation:
    """How well a detector does.

    Attributes:
        checkpoint: The checkpoint.
        annotations: The JSON file.
        images: Number of images that the model was given.
        skipped: Path and reason of each file that could not be read.
        held_out: Whether they are the part of the dataset that training held out.
        boxes: COCO's average precision of the boxes by MEASURES, 0 to 1; None where there is nothing of the kind to be
            found.
        masks: That of the masks; None without masks.
        per_category: AP of each category that occurs: box_AP, and with masks mask_AP.
        channels: Name of the channel set, or "rgb".
        in_channels: Number of channels of the model's input.
        bytes_per_image: Bytes of the model's input, mean over the images, float32.
        mean_channels: Of a model with a gate: how many channels are on, mean over the images.
        mean_bytes: Bytes of those channels' maps, mean over the images, float32.
        seconds: Time that it took, from the first file to the last number; since it was gone on with, if it was.
    """

    checkpoint: str
    annotations: str
    images: int
    skipped: tuple[tuple[str, str], ...]
    held_out: bool
    boxes: Mapping[str, float | None]
    masks: Mapping[str, float | None] | None
    per_category: Mapping[str, Mapping[str, float]]
    channels: str
    in_channels: int
    bytes_per_image: float
    mean_channels: float | None
    mean_bytes: float | None
    seconds: float

    def __str__(self) -> str:
        part = " that training held out" if self.held_out else ""
        images = "1 image" if self.images == 1 else f"{self.images} images"
        lines = [f"{images}{part} of {self.annotations} in {self.seconds:.1f} s"]
        if self.skipped:
            lines.append(f"skipped   {len(self.skipped)} that cannot be read; what follows is over the rest")
            lines += [f"  {name}: {why}" for name, why in self.skipped]
        size = f"{self.bytes_per_image:,.0f} bytes an image on average"
        lines.append(f"input     {self.channels}, {self.in_channels} channels, {size}")
        if self.mean_channels is not None:
            lines.append(
                f"gate      {self.mean_channels:.1f} channels on average, {self.mean_bytes:,.0f} bytes an image"
            )
        kinds = {"boxes": self.boxes} | ({"masks": self.masks} if self.masks is not None else {})
        rows = [{"%": kind} | {name: _percent(found[name]) for name in MEASURES} for kind, found in kinds.items()]
        return "\n".join([*lines, "", table(rows)])

    def category_table(self) -> str:
        """AP of every category that occurs, as text."""
        columns = {"boxes": "box_AP"} | ({"masks": "mask_AP"} if self.masks is not None else {})
        return table(
            [
                {"AP in %": name} | {title: _percent(found.get(key)) for title, key in columns.items()}
                for name, found in self.per_category.items()
            ]
        )

    def to_json(self, *, per_category: bool = True) -> str:
        """All of it as one JSON object; null where there is nothing to be found.

        Args:
            per_category: Whether with every category.
        """
        facts = asdict(self)
        if not per_category:
            del facts["per_category"]
        return json.dumps(facts)


def evaluate_detector(
    checkpoint: str | Path | Checkpoint,
    images: str | Path,
    annotations: str | Path,
    *,
    first: int | None = None,
    batch_size: int = 4,
    workers: int | None = None,
    accelerator: Accelerator = "auto",
    devices: int | None = None,
    nodes: int = 1,
    on_bad_image: OnBadImage = "error",
    predictions: str | Path | None = None,
    progress: bool = True,
) -> DetectionEvaluation:
    """Evaluate a detector on a COCO dataset.

    With `predictions`, what an interrupted evaluation has found is kept in PREDICTIONS.partial, and the same evaluation
    goes on from there. Where several processes evaluate together, each calls this and gets the same result: every image
    is counted once.
    Masks are measured where the detector gives them and every annotation has one.

    Args:
        checkpoint: A file that `freqlearn detect train` wrote, or one loaded already.
        images: Folder of the images.
        annotations: JSON file in COCO's format. Its classes are told by their names. Of the very dataset that training
            held a part out of, only that part is evaluated.
        first: Evaluate only the images with the lowest ids, so many of them.
        batch_size: Images that a process computes at once.
        workers: Loader processes; by default half of the cores, at most 4.
        accelerator: Device to compute on.
        devices: Processes on each machine; by default those that torchrun started, or one.
        nodes: Machines.
        on_bad_image: "error" stops at a file that cannot be read, "skip" leaves it out.
        predictions: JSON file for all detections, in COCO's results format with the dataset's ids.
        progress: Show a progress bar.

    Raises:
        CheckpointError: If the checkpoint cannot be used, or is of a classifier.
        ValueError: If the dataset cannot be used, or has objects of a class that the model does not know; or if a file
            cannot be read, or none can.
        ImportError: If pycocotools is not installed.
    """
    loaded, model = load_detector(checkpoint)
    heads: Any = model.roi_heads
    everything = CocoFolder(images, annotations, check_files=on_bad_image == "error")
    folder, held_out = evaluation_folder(loaded.header, everything, first=first)
    evaluator = DetectionEvaluator(
        model,
        folder,
        masks=_masks_to_measure(heads.has_mask(), folder),
        # Classes that the dataset lacks have an id there that it does not know.
        category_ids=[number if number in everything.category_ids else None for number in folder.category_ids],
    )
    transform = picture_transform(loaded.header)
    with validating(
        workers=workers, accelerator=accelerator, devices=devices, nodes=nodes, progress=progress
    ) as validation:
        begin = time.perf_counter()
        rest = folder
        if predictions is not None:
            # What tells this evaluation from others, so that only the same one is gone on with.
            run = digest_of_run([loaded.path], f"evaluation {folder.fingerprint()}")
            rest = _resumed(evaluator, folder, Unfinished(Path(predictions), run, rank=rank_and_world()[0]))
        skipped: dict[str, str] = {}
        if len(rest):
            dataset = CocoDataset(rest, transform)
            skipped = validation.run(evaluator, dataset, batch_size=batch_size, on_bad_image=on_bad_image)
        else:
            evaluator.on_validation_epoch_start()
            evaluator.on_validation_epoch_end()
        if predictions is not None:
            _write_results(evaluator, Path(predictions))
        seconds = time.perf_counter() - begin
    found = evaluator.found
    if not found.images:
        name, why = next(iter(skipped.items()))
        raise ValueError(f"{folder.annotations_json}: none of {len(folder)} images could be read; {name}: {why}")
    spec = loaded.header.spec
    scores = {name: None if value == NOTHING_TO_FIND else value for name, value in found.scores.items()}
    boxes, masks = ({name: scores.get(f"{kind}_{name}") for name in MEASURES} for kind in ("box", "mask"))
    return DetectionEvaluation(
        checkpoint=str(loaded.path),
        annotations=str(folder.annotations_json),
        images=found.images,
        skipped=tuple(sorted(skipped.items())),
        held_out=held_out,
        boxes=boxes,
        masks=masks if "mask" in evaluator.scores.kinds else None,
        per_category=found.per_category,
        channels="rgb" if spec.channels is None else spec.channels.name,
        in_channels=spec.in_channels,
        bytes_per_image=found.bytes_per_image,
        mean_channels=found.mean_channels,
        mean_bytes=found.mean_bytes,
        seconds=seconds,
    )


def evaluation_folder(header: Header, folder: CocoFolder, *, first: int | None = None) -> tuple[CocoFolder, bool]:
    """The images to evaluate a detector on, with its labels, and whether they are a part that training held out.

    Args:
        header: What the checkpoint says.
        folder: All images.
        first: Only those with the lowest ids, so many of them.

    Raises:
        ValueError: If there are not so many, or an object's class is not among the detector's.
    """
    chosen = folder if first is None else folder.first(first)
    held_out = header.held_out
    is_part = held_out is not None and held_out["fingerprint"] == chosen.fingerprint()
    if held_out is not None and is_part:
        chosen = chosen.split(float(held_out["fraction"]), seed=int(held_out["seed"]))[1]
    return chosen.relabelled(header.classes), is_part


def _resumed(evaluator: DetectionEvaluator, folder: CocoFolder, unfinished: Unfinished) -> CocoFolder:
    """The images that are not done yet, once an evaluator knows of the others: a collective call."""
    done = from_all_processes(unfinished.load())[0]
    unfinished.start()  # after all have looked
    evaluator.unfinished = unfinished
    if done:
        _log.info("Going on after %d of %d images, which are in %s", len(done), len(folder), unfinished.path)
    if rank_and_world()[0] == 0:
        evaluator.done = done
    return folder.without([int(image_id) for image_id in done])


def _write_results(evaluator: DetectionEvaluator, path: Path) -> None:
    """Write what was found in all images: a collective call."""
    results = evaluator.scores.all_results()
    if rank_and_world()[0] == 0:
        atomic.write_text(path, json.dumps(results) + "\n")
        if evaluator.unfinished is not None:
            evaluator.unfinished.remove()


def _masks_to_measure(gives_masks: bool, folder: CocoFolder) -> bool:
    without = folder.without_mask() if gives_masks else None
    if without is not None:
        _log.warning(
            "%s: annotation id %d has no segmentation: only boxes are measured", folder.annotations_json, without
        )
    return gives_masks and without is None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"

"""`freqlearn detect predict`: what a detector finds in photos, as JSON and drawn on them."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image

from freqlearn import atomic
from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.checkpoint import Checkpoint
from freqlearn.pipelines.detection.drawing import Drawn, draw_detections
from freqlearn.pipelines.detection.loading import load_detector
from freqlearn.pipelines.detection.photos import Photo, PhotoReader
from freqlearn.pipelines.detection.results import coco_results
from freqlearn.pipelines.options import Accelerator
from freqlearn.pipelines.prediction import list_files
from freqlearn.pipelines.trainer import device_of
from freqlearn.pipelines.unfinished import Unfinished, digest_of_run

JSON_NAME = "predictions.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FoundObject:
    """An object that was found in a photo.

    Attributes:
        label: Class name.
        category_id: Its id in the dataset that the detector was trained on.
        score: From 0 to 1.
        box: Left, top, right, bottom in px of the photo.
        mask: Compressed run lengths of the photo's size, as COCO has them; None if the detector gives none.
    """

    label: str
    category_id: int
    score: float
    box: tuple[float, float, float, float]
    mask: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class PhotoPrediction:
    """What a detector finds in a photo.

    Attributes:
        file: The file.
        size_px: (height, width) of the photo as it was looked at; None if it could not be read.
        objects: The most certain first.
        picture: The file of the photo with its objects drawn on it; None if it could not be read.
        error: Why it could not be read, with its name, or None.
    """

    file: Path
    size_px: tuple[int, int] | None = None
    objects: tuple[FoundObject, ...] = ()
    picture: Path | None = None
    error: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return self.error
        found = ", ".join(f"{entry.label} {entry.score:.2f}" for entry in self.objects)
        return f"{self.file}: {found or 'nothing found with as high a score as asked for'}"

    def to_dict(self) -> dict[str, Any]:
        """The file's entry in predictions.json."""
        if self.size_px is None or self.picture is None:
            return {"file": str(self.file), "error": self.error}
        detections: list[dict[str, Any]] = []
        for entry in self.objects:
            detection = {
                "label": entry.label,
                "category_id": entry.category_id,
                "score": entry.score,
                "box": list(entry.box),
            }
            detections.append(detection if entry.mask is None else detection | {"mask": entry.mask})
        height, width = self.size_px
        return {
            "file": str(self.file),
            "width": width,
            "height": height,
            "picture": self.picture.name,
            "detections": detections,
        }

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any], folder: Path) -> Self:
        """Inverse of `to_dict`, of a photo that could be read, with its picture in a folder."""
        objects = (
            FoundObject(
                label=found["label"],
                category_id=found["category_id"],
                score=found["score"],
                box=tuple(found["box"]),
                mask=found.get("mask"),
            )
            for found in entry["detections"]
        )
        size_px = entry["height"], entry["width"]
        return cls(file=Path(entry["file"]), size_px=size_px, objects=tuple(objects), picture=folder / entry["picture"])


def predict(
    checkpoint: str | Path | Checkpoint,
    files: Iterable[str | Path],
    *,
    output: str | Path,
    min_score: float = 0.5,
    top: int | None = None,
    batch_size: int = 1,
    exif_orientation: bool = True,
    accelerator: Accelerator = "auto",
) -> Iterator[PhotoPrediction]:
    """Find objects in photos and draw them. A file that cannot be read gives a PhotoPrediction with an error.

    Each photo's picture is written when it is yielded, predictions.json after the last one. What an interrupted call
    has found is kept in predictions.json.partial, and the same call goes on from there.

    Args:
        checkpoint: A file that `freqlearn detect train` wrote, or one loaded already.
        files: JPEG files, and whatever else Pillow reads; a folder stands for all images below it, but for those below
            the output folder.
        output: Folder for predictions.json and for each photo's picture, NAME.png; made if need be.
        min_score: Leave out objects that are less certain.
        top: Most objects of a photo; by default as many as the detector gives, usually 100.
        batch_size: Photos to compute at once.
        exif_orientation: Whether photos are turned upright first, as viewers show them; boxes, masks and pictures are
            those of the upright photo then. Otherwise they are of the photo as it is stored, as in COCO's annotations.
        accelerator: Device to compute on.

    Raises:
        CheckpointError: If the checkpoint cannot be used, or is of a classifier.
        ValueError: If a number is out of range, or all photos lie in the output folder.
        ImportError: If pycocotools is not installed.
    """
    if batch_size < 1 or (top is not None and top < 1):
        raise ValueError(f"top and batch_size must be at least 1, got {top} and {batch_size}")
    if not 0 <= min_score <= 1:
        raise ValueError(f"min_score must be 0 to 1, got {min_score}")
    loaded, model = load_detector(checkpoint)
    output, given = Path(output), [Path(path) for path in files]
    listed = [path for path in list_files(given) if path in given or output.resolve() not in path.resolve().parents]
    if given and not listed:
        raise ValueError(f"{output}: all photos lie in the output folder itself; give another output")
    run = digest_of_run([loaded.path], f"predictions {min_score} {top} {exif_orientation}")
    return _predict(
        _Finder(loaded, model.to(device_of(accelerator)).eval(), min_score=min_score, top=top),
        PhotoReader(loaded.header, upright=exif_orientation),
        listed,
        batch_size=batch_size,
        unfinished=Unfinished(output / JSON_NAME, run),
    )


class _Finder:
    """A detector that finds the objects of some photos."""

    def __init__(self, checkpoint: Checkpoint, model: FrequencyRCNN, *, min_score: float, top: int | None) -> None:
        self.model, self.min_score, self.top = model, min_score, top
        self.classes = checkpoint.header.classes
        labels = list(range(1, len(self.classes) + 1))
        self.category_ids = [int(number) for number in checkpoint.header.training.get("category_ids", labels)]

    @torch.inference_mode()
    def __call__(self, photos: Sequence[Photo]) -> list[tuple[FoundObject, ...]]:
        """What is found in each photo."""
        if not photos:
            return []
        device = next(self.model.parameters()).device
        with _only(self.model, above=self.min_score, most=self.top):
            found = self.model(
                [photo.maps.to(device) for photo in photos],
                image_sizes=[photo.picture_size for photo in photos],
                output_sizes=[photo.size_px for photo in photos],
                paste_masks=False,
            )
        return [
            tuple(self._objects(detections, photo.size_px)) for detections, photo in zip(found, photos, strict=True)
        ]

    def _objects(self, detections: dict[str, torch.Tensor], size: tuple[int, int]) -> Iterator[FoundObject]:
        labels = range(1, len(self.classes) + 1)
        for result in coco_results(detections, image_id=0, category_ids=labels, paste_to=size):
            left, top, width, height = result["bbox"]
            yield FoundObject(
                label=self.classes[result["category_id"] - 1],
                category_id=self.category_ids[result["category_id"] - 1],
                score=result["score"],
                box=(left, top, left + width, top + height),
                mask=result.get("segmentation"),
            )


@contextmanager
def _only(model: FrequencyRCNN, *, above: float, most: int | None) -> Iterator[None]:
    """Let a detector give only that for a while, which saves it the masks of what nobody looks at."""
    heads: Any = model.roi_heads
    before = heads.score_thresh, heads.detections_per_img
    heads.score_thresh, heads.detections_per_img = above, before[1] if most is None else most
    try:
        yield
    finally:
        heads.score_thresh, heads.detections_per_img = before


def _predict(
    find: _Finder, read: PhotoReader, files: Sequence[Path], *, batch_size: int, unfinished: Unfinished
) -> Iterator[PhotoPrediction]:
    folder = unfinished.output.parent
    folder.mkdir(parents=True, exist_ok=True)
    done = unfinished.load()
    unfinished.start()
    pictures = [folder / name for name in _picture_names(files, folder)]
    keys = [digest_of_run([path], picture.name) for path, picture in zip(files, pictures, strict=True)]
    waits = [key not in done or not picture.is_file() for key, picture in zip(keys, pictures, strict=True)]
    if not all(waits):
        _log.info("Going on after %d of %d photos, as %s has them", waits.count(False), len(files), unfinished.path)
    fresh = _found(find, read, list(compress(files, waits)), batch_size)
    entries: list[str] = []
    for path, picture, key, wait in zip(files, pictures, keys, waits, strict=True):
        if not wait:
            prediction = PhotoPrediction.from_dict(done[key], folder)
        else:
            photo, objects = next(fresh)
            if isinstance(photo, str):
                prediction = PhotoPrediction(file=path, error=photo)
            else:
                _draw(photo.photo, objects, find.classes, picture)
                prediction = PhotoPrediction(file=path, size_px=photo.size_px, objects=objects, picture=picture)
                unfinished.append(key, prediction.to_dict())
        entries.append(json.dumps(prediction.to_dict()))
        yield prediction
    atomic.write_text(unfinished.output, "[\n" + ",\n".join(entries) + "\n]\n")
    unfinished.remove()


def _found(
    find: _Finder, read: PhotoReader, files: Sequence[Path], batch_size: int
) -> Iterator[tuple[Photo | str, tuple[FoundObject, ...]]]:
    """What each file gives, and what is found there."""
    for group in read.ahead(files, batch_size):
        found = iter(find([photo for photo in group if isinstance(photo, Photo)]))
        for photo in group:
            yield photo, next(found) if isinstance(photo, Photo) else ()


def _draw(photo: Image.Image, objects: Sequence[FoundObject], classes: Sequence[str], path: Path) -> None:
    drawn = [
        Drawn(label=classes.index(entry.label), text=f"{entry.label} {entry.score:.2f}", box=entry.box, mask=entry.mask)
        for entry in objects
    ]
    picture = draw_detections(photo, drawn)
    atomic.write_file(path, lambda file: picture.save(file, "PNG"))


def _picture_names(files: Sequence[Path], folder: Path) -> list[str]:
    """NAME.png of each file; of several with the same name the second is NAME-2.png, and so on.

    None is that of one of the files which lies in the folder: photos are never written over.
    """
    taken = {path.name.casefold() for path in files if path.parent.resolve() == folder.resolve()}
    names = []
    for path in files:
        number, name = 1, f"{path.stem}.png"
        while name.casefold() in taken:
            number += 1
            name = f"{path.stem}-{number}.png"
        taken.add(name.casefold())
        names.append(name)
    return names

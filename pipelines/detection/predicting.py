"""`freqlearn detect predict`: what a detector finds in photos, as JSON and drawn on them."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import ExifTags, Image, ImageOps
from torchvision import tv_tensors

from freqlearn import atomic
from freqlearn.cores import available_cores
from freqlearn.detection_presets import DetectionTransform
from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.checkpoint import Checkpoint
from freqlearn.pipelines.data import naming_file
from freqlearn.pipelines.detection.drawing import Drawn, draw_detections
from freqlearn.pipelines.detection.loading import load_detector, picture_transform
from freqlearn.pipelines.detection.results import coco_results
from freqlearn.pipelines.options import Accelerator
from freqlearn.pipelines.prediction import list_files
from freqlearn.pipelines.trainer import device_of
from freqlearn.reading import read_bytes, read_dct
from freqlearn.reading_rgb import ReadRGB

JSON_NAME = "predictions.json"


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
        return f"{self.file}: {found or 'nothing found'}"

    def to_dict(self) -> dict[str, Any]:
        """The file's entry in predictions.json."""
        if self.size_px is None or self.picture is None:
            return {"file": str(self.file), "error": self.error}
        detections = []
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

    Each photo's picture is written when it is yielded, predictions.json after the last one.

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
        ValueError: If a number is out of range.
        ImportError: If pycocotools is not installed.
    """
    if batch_size < 1 or (top is not None and top < 1):
        raise ValueError(f"top and batch_size must be at least 1, got {top} and {batch_size}")
    if not 0 <= min_score <= 1:
        raise ValueError(f"min_score must be 0 to 1, got {min_score}")
    loaded, model = load_detector(checkpoint)
    photos = _Photos(loaded, upright=exif_orientation)
    output, given = Path(output), [Path(path) for path in files]
    listed = [path for path in list_files(given) if path in given or output.resolve() not in path.resolve().parents]
    return _predict(
        _Finder(loaded, model.to(device_of(accelerator)).eval(), min_score=min_score, top=top),
        photos,
        listed,
        output=output,
        batch_size=batch_size,
    )


@dataclass(frozen=True)
class _Photo:
    """A photo as it is drawn on, and what the detector is given.

    Attributes:
        photo: Mode RGB.
        maps: (C, h, w) float32.
        picture_size: (height, width) of the resized picture that the maps are of, in px.
    """

    photo: Image.Image
    maps: torch.Tensor
    picture_size: tuple[int, int]

    @property
    def size_px(self) -> tuple[int, int]:
        return self.photo.height, self.photo.width


class _Photos:
    """Reads photos, so that what is drawn on and what the detector is given agree."""

    def __init__(self, checkpoint: Checkpoint, *, upright: bool) -> None:
        self.rgb = checkpoint.header.spec.kind == "rgb"
        self.upright = upright
        self.read = ReadRGB(exif_orientation=upright and self.rgb)
        # Pixels are turned where they are read.
        self.transform: DetectionTransform = picture_transform(
            checkpoint.header, exif_orientation=upright and not self.rgb
        )

    def __call__(self, path: Path) -> _Photo | str:
        """A photo, or why it cannot be read."""
        try:
            content = read_bytes(path)
            photo: Image.Image = self.read(content)
            source: Any = photo
            stored = photo.height, photo.width
            if not self.rgb:
                source = read_dct(content)
                stored = source.size_px
                if self.upright:
                    # What our reader says: Pillow takes an orientation from other places too.
                    photo.getexif()[ExifTags.Base.Orientation] = source.orientation
                    photo = ImageOps.exif_transpose(photo)
            boxes = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=stored)
            maps, target = self.transform(source, {"boxes": boxes})
        except (ValueError, OSError) as error:
            return naming_file(path, error)
        height, width = target["boxes"].canvas_size
        return _Photo(photo, maps, (int(height), int(width)))


class _Finder:
    """A detector that finds the objects of some photos."""

    def __init__(self, checkpoint: Checkpoint, model: FrequencyRCNN, *, min_score: float, top: int | None) -> None:
        self.model, self.min_score, self.top = model, min_score, top
        self.classes = checkpoint.header.classes
        labels = list(range(1, len(self.classes) + 1))
        self.category_ids = [int(number) for number in checkpoint.header.training.get("category_ids", labels)]

    @torch.inference_mode()
    def __call__(self, photos: Sequence[_Photo]) -> list[tuple[FoundObject, ...]]:
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
    find: _Finder, read: _Photos, files: Sequence[Path], *, output: Path, batch_size: int
) -> Iterator[PhotoPrediction]:
    output.mkdir(parents=True, exist_ok=True)
    entries: list[str] = []
    names = iter(_picture_names(files))
    for group in _read_ahead(read, files, batch_size):
        found = iter(find([photo for _, photo in group if isinstance(photo, _Photo)]))
        for path, photo in group:
            name = next(names)
            if isinstance(photo, str):
                prediction = PhotoPrediction(file=path, error=photo)
            else:
                objects, picture = next(found), output / name
                _draw(photo.photo, objects, find.classes, picture)
                prediction = PhotoPrediction(file=path, size_px=photo.size_px, objects=objects, picture=picture)
            entries.append(json.dumps(prediction.to_dict()))
            yield prediction
    atomic.write_text(output / JSON_NAME, "[\n" + ",\n".join(entries) + "\n]\n")


def _read_ahead(
    read: Callable[[Path], _Photo | str], files: Sequence[Path], size: int
) -> Iterator[list[tuple[Path, _Photo | str]]]:
    """Files in groups, each with what `read` makes of it, while those that follow are being read."""
    with ThreadPoolExecutor(available_cores()) as pool:
        futures: deque[Future[_Photo | str]] = deque()
        waiting = iter(files)
        try:
            for first in range(0, len(files), size):
                futures += [
                    pool.submit(read, path) for path in islice(waiting, size + available_cores() - len(futures))
                ]
                group = files[first : first + size]
                yield [(path, futures.popleft().result()) for path in group]
        finally:
            for future in futures:
                future.cancel()


def _draw(photo: Image.Image, objects: Sequence[FoundObject], classes: Sequence[str], path: Path) -> None:
    drawn = [
        Drawn(label=classes.index(entry.label), text=f"{entry.label} {entry.score:.2f}", box=entry.box, mask=entry.mask)
        for entry in objects
    ]
    picture = draw_detections(photo, drawn)
    atomic.write_file(path, lambda file: picture.save(file, "PNG"))


def _picture_names(files: Sequence[Path]) -> list[str]:
    """NAME.png of each file; of several with the same name the second is NAME-2.png, and so on."""
    taken: set[str] = set()
    names = []
    for path in files:
        number, name = 1, f"{path.stem}.png"
        while name.casefold() in taken:
            number += 1
            name = f"{path.stem}-{number}.png"
        taken.add(name.casefold())
        names.append(name)
    return names

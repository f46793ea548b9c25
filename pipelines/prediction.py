"""`freqlearn predict`: the likeliest classes of image files."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from freqlearn.cores import available_cores
from freqlearn.pipelines.checkpoint import Checkpoint, load_classifier
from freqlearn.pipelines.data import Transform, naming_file
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.listing import find_images
from freqlearn.reading import read_bytes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """What a model says of one file.

    Attributes:
        file: The file.
        top: Class names and probabilities, likeliest first; empty if the file could not be read.
        error: Why the file could not be read, with its name, or None.
    """

    file: Path
    top: tuple[tuple[str, float], ...]
    error: str | None = None


def predict(
    checkpoint: str | Path | Checkpoint,
    files: Iterable[str | Path],
    *,
    top: int = 5,
    batch_size: int = 32,
    device: str | torch.device = "auto",
) -> Iterator[Prediction]:
    """Classify image files, in order. A file that cannot be read gives a Prediction with an error.

    Args:
        checkpoint: A file that `freqlearn train` wrote, or one loaded already.
        files: JPEG files, and whatever else Pillow reads; a folder stands for all images below it.
        top: How many classes to name.
        batch_size: Images to compute at once.
        device: Where to compute; "auto" is the GPU if there is one.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        ValueError: If `top` or `batch_size` is not positive.
    """
    if top < 1 or batch_size < 1:
        raise ValueError(f"top and batch_size must be at least 1, got {top} and {batch_size}")
    loaded = load_classifier(checkpoint)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return _predict(loaded, list_files(files), top=top, batch_size=batch_size, device=torch.device(device))


def list_files(files: Iterable[str | Path]) -> list[Path]:
    """The files, with every folder replaced by the images below it.

    Raises:
        ValueError: If a folder holds no image.
    """
    found: list[Path] = []
    for path in map(Path, files):
        found += find_images(path) if path.is_dir() else [path]
    return found


def _predict(
    checkpoint: Checkpoint, files: Sequence[Path], *, top: int, batch_size: int, device: torch.device
) -> Iterator[Prediction]:
    transform = eval_transform(checkpoint.header.spec)
    classes = checkpoint.header.classes
    model = checkpoint.model.to(device).eval()
    with ThreadPoolExecutor(available_cores()) as pool:
        for first in range(0, len(files), batch_size):
            group = files[first : first + batch_size]
            inputs = list(pool.map(lambda path: _read(path, transform), group))
            images = [image for image in inputs if isinstance(image, torch.Tensor)]
            rows = iter(_probabilities(model, images, device))
            for path, image in zip(group, inputs, strict=True):
                if isinstance(image, str):
                    yield Prediction(path, (), image)
                    continue
                values, indices = next(rows).topk(min(top, len(classes)))
                names = [classes[index] for index in indices.tolist()]
                yield Prediction(path, tuple(zip(names, values.tolist(), strict=True)))


def _read(path: Path, transform: Transform) -> torch.Tensor | str:
    try:
        return transform(read_bytes(path))
    except (ValueError, OSError) as error:
        return naming_file(path, error)


@torch.inference_mode()
def _probabilities(model: torch.nn.Module, images: list[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """(classes,) float32 on the CPU for every image."""
    if not images:
        return []
    logits = model(torch.stack(images).to(device))
    return list(logits.float().softmax(dim=1).cpu())

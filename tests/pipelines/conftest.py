"""A tiny folder of JPEG files with two classes that a few steps of training tell apart, and a model trained on it."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.stats import stats
from freqlearn.pipelines.training import TrainResult, train

SIZE_PX = 32


def write_two_classes(root: Path, *, images: int, seed: int = 0) -> Path:
    """`images` JPEG files each of "flat" (nearly uniform) and "stripes" (vertical stripes), 32x32 px."""
    rng = np.random.default_rng(seed)
    stripes = 60 * np.sign(np.sin(np.arange(32) * np.pi / 4))[None, :, None]
    for name, pattern in (("flat", 0.0), ("stripes", stripes)):
        folder = root / name
        folder.mkdir(parents=True)
        for number in range(images):
            pixels = rng.uniform(90, 160) + pattern + rng.normal(0, 12, (32, 32, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpg", quality=95)
    return root


@pytest.fixture(scope="session", name="write_two_classes")
def _write_two_classes() -> Callable[..., Path]:
    """`write_two_classes(root, images=..., seed=0)`."""
    return write_two_classes


@pytest.fixture(scope="session")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with train/ (2 x 12 files) and val/ (2 x 5 files)."""
    root = tmp_path_factory.mktemp("two_classes")
    write_two_classes(root / "train", images=12)
    write_two_classes(root / "val", images=5, seed=1)
    return root


@pytest.fixture(scope="session")
def options(two_classes: Path) -> Callable[..., TrainOptions]:
    """`options(output=..., ...)`: a training of seconds on two_classes."""

    def make(**changes: object) -> TrainOptions:
        usual: dict[str, object] = {
            "data": two_classes,
            "model": "small",
            "size_px": SIZE_PX,
            "epochs": 3,
            "batch_size": 8,
            "lr": 1e-2,
            "augment": "flip",
            "workers": 0,
            "accelerator": "cpu",
            "progress": False,
        }
        return TrainOptions(**(usual | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def training_spec(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mean and standard deviation of all channels of two_classes, as `freqlearn stats` writes them."""
    path = tmp_path_factory.mktemp("spec") / "spec.json"
    stats(two_classes / "train", path, size_px=SIZE_PX, resize_px="none", progress=False)
    return path


@pytest.fixture(scope="session")
def trained(options: Callable[..., TrainOptions], tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """What a training of 30 steps on two_classes gives."""
    return train(options(output=tmp_path_factory.mktemp("trained") / "run", epochs=10))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny tensors: threads would only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture
def fresh_logging() -> Iterator[None]:
    """For tests of the command: it logs to the stderr that it finds first, which is that test's."""
    handlers = logging.getLogger("freqlearn").handlers
    handlers.clear()
    yield
    handlers.clear()

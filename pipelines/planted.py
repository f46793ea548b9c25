"""Planted data: a small folder of real JPEG files whose classes differ in a few known channels only.

It answers the one question that photos cannot: does a ranking find the channels that matter? Every picture is noise
with the 1/f spectrum of natural images (Field, "Relations between the statistics of natural images and the response
properties of cortical cells", 1987), new in every file. The class "plain" is nothing but that. Each other class
owns one planted channel, whose coefficients are `contrast` times stronger in its pictures than in all others, and
scaled so that over the whole data set a planted channel has exactly the variance that its frequency would have
without the plant. Hence

- strength gives no plant away: ranking by energy finds the low frequencies, planted or not;
- every plant is needed: without one of them its class looks like "plain";
- flips change nothing, although they negate odd frequencies: strength has no sign.

In files with subsampled chroma, the interpolation back to full size spreads a planted Cb or Cr channel to its
neighbours a little, as it does with whatever a camera put there.
"""

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile

from freqlearn import atomic, dct
from freqlearn.channels import ChannelSet
from freqlearn.documents import Format
from freqlearn.indexing import channel_index, label, split_index

DESCRIPTION = "planted.json"
PLAIN = "plain"
SQUARE = ChannelSet.square(24)
"""DCTNet's published 24 channels, half of the plants lie outside of."""
_NUMBERS = ("seed", "size_px", "train_per_class", "val_per_class", "contrast")
_FORMAT = Format("freqlearn.planted", 1, "planted data", (*_NUMBERS, "classes", "plants"), "write the data anew")

# What every file draws its encoding from. 4:4:4 twice: it is the most frequent in ImageNet too.
_SAMPLINGS = (0, 0, 1, 2)  # Pillow's numbers for 4:4:4, 4:2:2, 4:2:0
_QUALITIES = (88, 92, 95)

# Standard deviation of the samples of Y, Cb, Cr in 8-bit levels. Photos have 50 to 60 in Y; 40 keeps nearly all samples
# in 0..255 (a clipped sample leaks into every channel of its block).
_SAMPLE_STD = (40.0, 16.0, 16.0)
# Standard deviation of the logarithm of a picture's contrast: some photos are flat, some are not.
_CONTRAST_JITTER = 0.15
# Pictures made at a time, which bounds the memory.
_CHUNK = 64


@dataclass(frozen=True)
class Planted:
    """A planted data set and what its description says of it.

    Attributes:
        root: Folder with train/CLASS/*.jpg, val/CLASS/*.jpg and planted.json.
        channels: The planted channels, by index.
        seed: What everything was drawn from.
        size_px: Height and width of every file.
        train_per_class: Training files a class.
        val_per_class: Validation files a class.
        contrast: How many times stronger a planted channel is in its own class than in the others.
    """

    root: Path
    channels: ChannelSet
    seed: int
    size_px: int
    train_per_class: int
    val_per_class: int
    contrast: float

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names: "plain", then one for each planted channel, for instance "Y-v5-u3"."""
        return PLAIN, *(_class_name(channel) for channel in self.channels)

    def found(self, ranked: ChannelSet) -> int:
        """Return how many planted channels are among the given ones."""
        return len(set(self.channels) & set(ranked))


def write(
    root: str | PathLike[str],
    *,
    seed: int = 0,
    plants: int = 8,
    train_per_class: int = 80,
    val_per_class: int = 20,
    size_px: int = 112,
    contrast: float = 2.5,
) -> Planted:
    """Write a planted data set, or find it already written by the same call.

    Args:
        root: Folder to write to; made if need be.
        seed: Draws the planted channels and all pictures. Same seed and sizes, same files.
        plants: How many channels to plant; there is one class more.
        train_per_class: Training files a class.
        val_per_class: Validation files a class.
        size_px: Height and width of every file, a multiple of 16.
        contrast: How many times stronger (in amplitude) a planted channel is in its own class than in the others.

    Returns:
        The data set, with the planted channels.

    Raises:
        ValueError: A number is out of range, or the folder holds something else.
    """
    if size_px < 16 or size_px % 16:
        raise ValueError(f"expected size_px as a positive multiple of 16, the largest MCU, got {size_px}")
    if train_per_class < 1 or val_per_class < 1:
        raise ValueError(
            f"expected at least one file a class, got {train_per_class} to train and {val_per_class} to validate"
        )
    if not (contrast > 1 and math.isfinite(contrast)):
        raise ValueError(f"expected a finite contrast above 1 (1 plants nothing), got {contrast}")
    root = Path(root)
    channels = draw(seed=seed, plants=plants)
    planted = Planted(root, channels, seed, size_px, train_per_class, val_per_class, contrast)
    if (root / DESCRIPTION).is_file():
        if load(root) == planted:
            return planted
        raise ValueError(f"{root}: holds planted data of other parameters; delete it or choose another folder")
    if root.is_dir() and any(root.iterdir()) and not (root / _UNFINISHED).is_file():
        raise ValueError(f"{root}: expected an empty folder or none, got one with other files; choose another folder")
    root.mkdir(parents=True, exist_ok=True)
    (root / _UNFINISHED).touch()
    _write_files(planted)
    # Last, so that a data set with a description is complete.
    atomic.write_text(root / DESCRIPTION, json.dumps(_description(planted), indent=1) + "\n")
    (root / _UNFINISHED).unlink()
    return planted


def load(root: str | PathLike[str]) -> Planted:
    """Read the description of a planted data set.

    Args:
        root: Folder that `write` wrote.

    Raises:
        ValueError: The folder has no description, or one that is not understood.
    """
    path = Path(root) / DESCRIPTION
    try:
        data = _FORMAT.checked(_FORMAT.parsed(path.read_text(encoding="utf-8")))
        channels = ChannelSet.of((entry["channel"] for entry in data["plants"]), name="planted")
    except FileNotFoundError as error:
        raise ValueError(f"{root}: expected planted data, got a folder without {DESCRIPTION}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: {error}") from error
    return Planted(Path(root), channels, **{name: data[name] for name in _NUMBERS})


def draw(*, seed: int, plants: int = 8) -> ChannelSet:
    """Draw the channels to plant, half of them (the larger half) outside the DCT-24 square.

    Args:
        seed: Same seed, same channels.
        plants: How many.

    Returns:
        Channels in index order.

    Raises:
        ValueError: More plants than candidates, or none.
    """
    inside, outside = candidates()
    number_inside = plants // 2
    limit = 2 * min(len(inside), len(outside))
    if not 1 <= plants <= limit:
        raise ValueError(f"expected 1 to {limit} plants, got {plants}")
    generator = torch.Generator().manual_seed(seed)
    chosen = [
        pool[position]
        for pool, number in ((inside, number_inside), (outside, plants - number_inside))
        for position in torch.randperm(len(pool), generator=generator)[:number].tolist()
    ]
    return ChannelSet.of(sorted(chosen), name="planted")


def candidates() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the channels that may be planted, inside and outside the DCT-24 square, each in index order.

    Left out are the frequencies that lead any ranking by energy (u + v below 3 in Y, DC in Cb and Cr): found by
    strength alone, they would prove nothing. And those that a file does not carry: Y above frequency 5, where
    quantisation leaves little, and Cb, Cr above u + v = 3, which chroma subsampling takes away.
    """
    y = [channel_index(0, v, u) for v in range(6) for u in range(6) if 3 <= u + v <= 8]
    chroma = [channel_index(c, v, u) for c in (1, 2) for v in range(4) for u in range(4) if 1 <= u + v <= 3]
    inside = tuple(channel for channel in (*y, *chroma) if channel in SQUARE)
    return inside, tuple(channel for channel in (*y, *chroma) if channel not in SQUARE)


_UNFINISHED = ".unfinished"


def _write_files(planted: Planted) -> None:
    generator = torch.Generator().manual_seed(planted.seed)
    per_class = planted.train_per_class + planted.val_per_class
    # libjpeg releases the GIL; the pool overlaps it with making the next pictures.
    with _large_files(planted.size_px), ThreadPoolExecutor() as pool:
        for number, name in enumerate(planted.classes):
            own = planted.channels[number - 1] if number else None
            for split in ("train", "val"):
                (planted.root / split / name).mkdir(parents=True, exist_ok=True)
            jobs = []
            for file, samples in enumerate(_pictures(planted, own, per_class, generator)):
                split = "train" if file < planted.train_per_class else "val"
                path = planted.root / split / name / f"{file:05d}.jpg"
                jobs.append(pool.submit(_save, path, samples, _draw_encoding(generator)))
            for job in jobs:
                job.result()


def _pictures(planted: Planted, own: int | None, count: int, generator: torch.Generator) -> Iterator[NDArray[np.uint8]]:
    """Yield `count` pictures of one class, (size_px, size_px, 3) uint8 Y, Cb, Cr."""
    weak = 1 / math.sqrt(1 + (planted.contrast**2 - 1) / len(planted.classes))  # mean square over all classes is 1
    for start in range(0, count, _CHUNK):
        number = min(_CHUNK, count - start)
        planes = []
        for component, std in enumerate(_SAMPLE_STD):
            contrast = torch.exp(_CONTRAST_JITTER * torch.randn((number, 1, 1), generator=generator))
            samples = _natural_noise(number, planted.size_px, generator) * (std * contrast)
            blocks = dct.forward(samples.numpy().reshape(-1, planted.size_px))  # (number*rows, cols, 8, 8)
            for channel in planted.channels:
                of_component, v, u = split_index(channel)
                if of_component == component:
                    blocks[..., v, u] *= weak * planted.contrast if channel == own else weak
            planes.append(dct.inverse(blocks).reshape(samples.shape))
        # + 128.5 and truncation: undo JPEG's level shift and round.
        yield from np.clip(np.stack(planes, axis=-1) + 128.5, 0, 255).astype(np.uint8)


def _natural_noise(number: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Noise with amplitude 1/f: (number, size, size) float32 with mean 0 and expected variance 1."""
    fy, fx = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None, :]
    amplitude = 1 / torch.hypot(fy, fx).clamp(min=1 / size)
    amplitude[0, 0] = 0
    # rfft2 stores one of each pair of conjugate frequencies, except for the first and the last column.
    twice = torch.ones_like(fx)
    twice[:, 1 : (size + 1) // 2] = 2
    amplitude = amplitude * size / (amplitude.square() * twice).sum().sqrt()
    white = torch.randn((number, size, size), generator=generator)
    noise: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(white) * amplitude, s=(size, size))
    return noise


def _draw_encoding(generator: torch.Generator) -> dict[str, Any]:
    def one_of(choices: tuple[int, ...]) -> int:
        return choices[int(torch.randint(len(choices), (), generator=generator))]

    return {
        "subsampling": one_of(_SAMPLINGS),
        "quality": one_of(_QUALITIES),
        "progressive": bool(one_of((0, 0, 1))),
        "optimize": bool(one_of((0, 1))),
        "restart_marker_rows": one_of((0, 0, 1)),
    }


@contextmanager
def _large_files(size_px: int) -> Iterator[None]:
    """Give Pillow room for noise: of an optimised file it expects one or two bytes a pixel, and fails above."""
    before = ImageFile.MAXBLOCK
    ImageFile.MAXBLOCK = max(before, 4 * size_px**2)
    try:
        yield
    finally:
        ImageFile.MAXBLOCK = before


def _save(path: Path, samples: NDArray[np.uint8], encoding: dict[str, Any]) -> None:
    # Saved as YCbCr: through RGB, clipping and rounding would mix the components.
    size = (samples.shape[1], samples.shape[0])
    Image.frombytes("YCbCr", size, samples.tobytes()).save(path, format="JPEG", **encoding)


def _class_name(channel: int) -> str:
    component, v, u = split_index(channel)
    return f"{('Y', 'Cb', 'Cr')[component]}-v{v}-u{u}"


def _description(planted: Planted) -> dict[str, Any]:
    plants = [
        {"channel": channel, "label": label(channel), "class": _class_name(channel)} for channel in planted.channels
    ]
    numbers = {name: getattr(planted, name) for name in _NUMBERS}
    return _FORMAT.document(**numbers, classes=list(planted.classes), plants=plants)

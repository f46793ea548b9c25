"""What is measured: each workload's rows, and which of them is ours that the others are compared with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

import freqlearn as fl
from freqlearn.pipelines.bench import coefficients, rgb
from freqlearn.pipelines.bench.dali import dali
from freqlearn.pipelines.bench.dctnet import dctnet
from freqlearn.pipelines.bench.geometry import Geometry
from freqlearn.pipelines.bench.peers import BATCH, Pass, Peer, each
from freqlearn.pipelines.bench.photos import Photo

CHANNELS = {"DCT-24": fl.ChannelSet.square(24), "DCT-48": fl.ChannelSet.square(48), "DCT-192": fl.ChannelSet.all()}
DCT_24 = "freqlearn, DCT-24"
DCTNET = "DCTNet's recipe, DCT-24"


@dataclass(frozen=True)
class Workload:
    """A table of times.

    Attributes:
        key: Its name for options and files.
        title: Above the table.
        peers: Its rows.
        ours: The row that ratios are taken to.
        large: Whether it runs on 12-megapixel mosaics instead of the photos.
        batches: Whether it wants as many photos as fill whole batches.
    """

    key: str
    title: str
    peers: Sequence[Peer]
    ours: str
    large: bool = False
    batches: bool = False


def workloads(*, threads: Sequence[int] = (1, 2)) -> list[Workload]:
    """All workloads in the order in which they run.

    Args:
        threads: Numbers of threads to decode whole batches with; the last one is what the others are compared with.
    """
    return [
        Workload("coefficients", "Read all coefficients", coefficients.peers(), coefficients.READ_DCT),
        Workload(
            "training",
            "Training transform: RandomResizedCrop, flip, standardise; frequency channels are of 448 px",
            _transforms(Geometry(448), Geometry(224)),
            DCT_24,
        ),
        Workload(
            "evaluation",
            "Evaluation transform: Resize, CenterCrop, standardise; frequency channels are of 448 px",
            _transforms(Geometry(448, 512), Geometry(224, 256)),
            DCT_24,
        ),
        Workload(
            "batches",
            f"Training transform in batches of {BATCH}, by threads",
            _batches(threads),
            batch_row(threads[-1]),
            batches=True,
        ),
        Workload(
            "large",
            "12-megapixel photos: Resize(448), CenterCrop(448), standardise",
            _large(Geometry(448, 448)),
            DCT_24,
            large=True,
        ),
    ]


def spec(name: str, geometry: Geometry) -> fl.InputSpec:
    """The InputSpec of DCT-24, DCT-48 or DCT-192 with ImageNet's means and deviations, for a geometry."""
    measured = fl.InputSpec.preset("imagenet-448").select(CHANNELS[name])
    return replace(measured, size_px=geometry.size_px, resize_px=geometry.resize_px or 512)


def transform(channels: fl.InputSpec, geometry: Geometry) -> Callable[[Any], torch.Tensor]:
    """Our transform from bytes to a tensor."""
    make = fl.presets.classification_train if geometry.resize_px is None else fl.presets.classification_eval
    return make(channels)


def _ours(name: str, geometry: Geometry) -> Peer:
    def make() -> Pass:
        work = transform(spec(name, geometry), geometry)
        return each(lambda photo: work(photo.data))

    return Peer(f"freqlearn, {name}", make)


def _transforms(ours: Geometry, small: Geometry) -> list[Peer]:
    """Rows for a geometry in our size and in the usual, smaller one of RGB."""
    return [
        *(_ours(name, ours) for name in CHANNELS),
        rgb.peer(rgb.SIMPLEJPEG, small),
        rgb.peer(rgb.TORCHCODEC, small),
        rgb.peer(rgb.TORCHVISION, small),
        rgb.peer(rgb.PILLOW, small),
        rgb.peer(rgb.PILLOW_DRAFT, small),
        rgb.peer(rgb.DALI, small),
        rgb.peer(rgb.SIMPLEJPEG, ours),
        rgb.peer(rgb.TORCHCODEC, ours),
        rgb.peer(rgb.TORCHVISION, ours),
        rgb.peer(rgb.DALI, ours),
        Peer(DCTNET, partial(dctnet, ours, spec("DCT-24", ours))),
    ]


def _large(geometry: Geometry) -> list[Peer]:
    names = (
        rgb.SIMPLEJPEG,
        rgb.SIMPLEJPEG_SCALED,
        rgb.TORCHCODEC,
        rgb.TORCHVISION,
        rgb.PILLOW,
        rgb.PILLOW_DRAFT,
        rgb.DALI,
    )
    return [
        _ours("DCT-24", geometry),
        _ours("DCT-192", geometry),
        *(rgb.peer(name, geometry) for name in names),
        Peer(DCTNET, partial(dctnet, geometry, spec("DCT-24", geometry))),
    ]


def batch_row(count: int) -> str:
    """What tables call batches that so many threads decode."""
    return f"freqlearn.BatchDecoder, DCT-24, {_threads(count)}"


def dali_row(count: int) -> str:
    """What tables call DALI with so many threads, whose batches are whole ones always."""
    return f"{rgb.row(rgb.DALI, 224)}, {_threads(count)}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _batches(threads: Sequence[int]) -> list[Peer]:
    geometry = Geometry(448)

    def ours(count: int) -> Pass:
        decoder = fl.BatchDecoder(transform(spec("DCT-24", geometry), geometry), num_threads=count)

        def run(photos: Sequence[Photo]) -> None:
            for start in range(0, len(photos), BATCH):
                decoder([photo.data for photo in photos[start : start + BATCH]])

        return run

    return [
        *(Peer(batch_row(count), partial(ours, count)) for count in threads),
        *(Peer(dali_row(count), partial(dali, Geometry(224), num_threads=count)) for count in threads),
    ]

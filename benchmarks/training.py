"""How many images a second a training takes, frequency channels beside RGB, with the loader and without.

    python -m benchmarks.training [FOLDER] [--rounds 5] [--steps 4] [--batch-size 32] [--workers 1] [--device auto]

FOLDER holds CLASS/IMAGE.jpg, by default $FREQLEARN_DATA/flowers/train. On a GPU: ResNet-50 at full size, RGB 224 px and
448 px for frequency channels, both strides of the second stage, bf16. On a CPU: ResNet-18 at the sizes of
docs/results.md, float32. Both channels_last, with SGD. All take their turn in every round; workers run already, files
are in the cache of the system. "Without the loader" trains on one batch again and again.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from benchmarks.report import table, write
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.cores import divided_cores
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.pipelines.networks import build_network, usual_resize_px
from freqlearn.spec import InputSpec

_CHANNELS = {"DCT-24": ChannelSet.square(24), "DCT-192": ChannelSet.all()}


@dataclass(frozen=True)
class Case:
    """A row: a network and its input. `channels` None is RGB."""

    network: str
    channels: str | None
    size_px: int
    stage2_stride: int = 2

    @property
    def name(self) -> str:
        """For the table."""
        stride = ", stage2_stride 1" if self.stage2_stride == 1 else ""
        return f"{self.network}, {self.channels or 'RGB'} {self.size_px} px{stride}"

    @property
    def spec(self) -> InputSpec:
        """What the network is given; not standardised, which changes no time."""
        if self.channels is None:
            return InputSpec("rgb", None, (0.5,) * 3, (0.25,) * 3, self.size_px, usual_resize_px(self.size_px))
        return InputSpec.unstandardised(_CHANNELS[self.channels], self.size_px, usual_resize_px(self.size_px))


ON_CPU = tuple(
    Case("resnet18", channels, size_px)
    for large in (224, 128)
    for channels, size_px in ((None, large // 2), ("DCT-24", large), ("DCT-192", large))
)
ON_GPU = (
    Case("resnet50", None, 224),
    *(Case("resnet50", channels, 448, stride) for stride in (2, 1) for channels in _CHANNELS),
)


class Training:
    """A network in training, on batches of a loader or on one batch again and again."""

    def __init__(self, case: Case, folder: Path, *, device: torch.device, batch_size: int, workers: int) -> None:
        """Begin; the loader's processes start with the first batch that is asked for."""
        network = build_network(case.network, case.spec, num_classes=1000, stage2_stride=case.stage2_stride)
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = device
        self.batch_size = batch_size
        self.optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, nesterov=True)
        self.loader = make_loader(folder, case.spec, batch_size=batch_size, shuffle=True, num_workers=workers)
        self.batches = _forever(self.loader)
        self.batch = self._moved(next(self.batches))

    def images_per_s(self, steps: int, *, loading: bool) -> float:
        """Train for some steps."""
        begin = time.perf_counter()
        for _ in range(steps):
            self._step(*(self._moved(next(self.batches)) if loading else self.batch))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return steps * self.batch_size / (time.perf_counter() - begin)

    def _moved(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        maps, labels = (tensor.to(self.device, non_blocking=True) for tensor in batch)
        return maps.contiguous(memory_format=torch.channels_last), labels

    def _step(self, maps: torch.Tensor, labels: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = nn.functional.cross_entropy(self.network(maps), labels)
        torch.autograd.backward(loss)
        self.optimizer.step()


def _forever(loader: ImageLoader) -> Iterator[Any]:
    while True:
        yield from loader


def measure(trainings: dict[str, Training], *, rounds: int, steps: int) -> dict[str, dict[str, list[float]]]:
    """Images a second of each, round by round, after a round that does not count."""
    found: dict[str, dict[str, list[float]]] = {name: {"without": [], "with": []} for name in trainings}
    for number in range(rounds + 1):
        for name, training in trainings.items():
            print(f"\rround {number} of {rounds}: {name:<40}", end="", file=sys.stderr, flush=True)
            for key, loading in (("without", False), ("with", True)):
                speed = training.images_per_s(steps, loading=loading)
                if number:
                    found[name][key].append(speed)
    print(file=sys.stderr)
    return found


def rows(found: dict[str, dict[str, list[float]]]) -> list[dict[str, str]]:
    """The table: medians, and the ratio to the first row's within the rounds."""
    first = next(iter(found.values()))
    return [
        {
            "training": name,
            "images/s": f"{median(speeds['without']):,.1f}",
            "with the loader": f"{median(speeds['with']):,.1f}",
            "as a multiple of the first": _ratio(speeds["with"], first["with"]),
        }
        for name, speeds in found.items()
    ]


def _ratio(speeds: list[float], first: list[float]) -> str:
    ratios = [a / b for a, b in zip(speeds, first, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def main() -> None:
    """Measure, print, write runs/benchmarks/training.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    data = os.environ.get("FREQLEARN_DATA")
    folder = options.folder or (Path(data) / "flowers" / "train" if data else None)
    if folder is None:
        sys.exit("name a folder with CLASS/IMAGE.jpg, or set FREQLEARN_DATA to one with flowers/train")
    available = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(available if options.device == "auto" else options.device)
    torch.manual_seed(0)
    with divided_cores(options.workers) as workers:
        cases = ON_GPU if device.type == "cuda" else ON_CPU
        make = {"device": device, "batch_size": options.batch_size, "workers": workers}
        found = measure(
            {case.name: Training(case, folder, **make) for case in cases}, rounds=options.rounds, steps=options.steps
        )
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        print(f"{where}, batches of {options.batch_size}, {workers} loader processes; images/s of training steps")
        print(table(rows(found)))
        print(write("training", {**make, "device": where, "rows": found}))


if __name__ == "__main__":
    main()

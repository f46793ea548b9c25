"""Forward pass and training step of ResNet-50 on frequency channels and on RGB."""

from collections.abc import Callable
from typing import Any

import torch
import torchvision
from torch import nn

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.bench.timing import clocked
from freqlearn.pipelines.costs import macs
from freqlearn.spec import InputSpec

_CLASSES = 1000


def measure_networks(
    *, rounds: int, batch_size: int | None = None, progress: Callable[[str], None] = lambda _: None
) -> list[dict[str, Any]]:
    """Time both networks in turn, on the CPU with torch's threads, and on a GPU where torch sees one.

    Args:
        rounds: How often.
        batch_size: Images a step; 4 on the CPU and 64 on a GPU by default.
        progress: Is told what runs.

    Returns:
        A row for each device and network: device, threads, network, gmacs, batch_size, and milliseconds an image of
        each round: forward_ms, step_ms.
    """
    rows = []
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        rows += _on(torch.device(device), rounds, batch_size or (4 if device == "cpu" else 64), progress)
    return rows


def _candidates() -> dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]]:
    dct = InputSpec.unstandardised(ChannelSet.square(24), 448)
    return {
        "ResNet-50, RGB 224": (lambda: torchvision.models.resnet50(num_classes=_CLASSES), (3, 224, 224)),
        "ResNet-50, DCT-24": (lambda: models.resnet50(spec=dct, num_classes=_CLASSES), (24, 56, 56)),
    }


def _on(device: torch.device, rounds: int, batch_size: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    rows: list[dict[str, Any]] = []
    works: list[tuple[Callable[[], None], Callable[[], None]]] = []
    for name, (make, shape) in _candidates().items():
        network = make()
        with torch.device("meta"):
            count = macs(make().eval(), torch.empty(1, *shape))
        network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        maps = torch.randn(batch_size, *shape, generator=generator).to(device, memory_format=torch.channels_last)
        labels = torch.randint(_CLASSES, (batch_size,), generator=generator).to(device)
        works.append(_works(network, maps, labels))
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        rows.append(
            {"device": where, "threads": torch.get_num_threads(), "network": name, "gmacs": count / 1e9}
            | {"batch_size": batch_size, "forward_ms": [], "step_ms": []}
        )
    for number in range(-1, rounds):  # the first one warms up
        for row, (forward, step) in zip(rows, works, strict=True):
            progress(f"{row['network']} on the {row['device']}, round {number + 1} of {rounds}")
            for key, work in (("forward_ms", forward), ("step_ms", step)):
                wall, _ = clocked(work)
                if number >= 0:
                    row[key].append(1e3 * wall / batch_size)
    return rows


def _works(
    network: nn.Module, maps: torch.Tensor, labels: torch.Tensor
) -> tuple[Callable[[], None], Callable[[], None]]:
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    mixed = torch.autocast(maps.device.type, torch.bfloat16, enabled=maps.device.type == "cuda")

    def finish() -> None:
        if maps.device.type == "cuda":
            torch.cuda.synchronize(maps.device)

    def forward() -> None:
        network.eval()
        with torch.no_grad(), mixed:
            network(maps)
        finish()

    def step() -> None:
        network.train()
        optimizer.zero_grad()
        with mixed:
            loss = nn.functional.cross_entropy(network(maps), labels)
        torch.autograd.backward(loss)
        optimizer.step()
        finish()

    return forward, step

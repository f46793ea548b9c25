"""Multiply-accumulates, parameters and input size of the networks, frequency channels beside RGB.

    python -m benchmarks.models [--classes 1000]

Counts, not times: the same on every machine, in a few seconds, on torch's meta device. A multiply-accumulate (MAC) is
one multiplication and one addition of a convolution or linear layer, as torch.utils.flop_counter counts them.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torchvision
from torch import nn

from benchmarks.report import table, write
from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.costs import macs
from freqlearn.spec import InputSpec

RGB = InputSpec.preset("imagenet-rgb")
CHANNELS = {
    "DCT-24": ChannelSet.square(24),
    "DCT-32": ChannelSet.square(32),
    "DCT-48": ChannelSet.square(48),
    "DCT-64": ChannelSet.square(64),
    "DCT-192": ChannelSet.all(),
}


@dataclass(frozen=True)
class Candidate:
    """A row: a network, how to make it, and what it takes."""

    network: str
    input: str
    spec: InputSpec
    make: Callable[[], nn.Module]
    stage2_stride: int | None = None


def candidates(classes: int) -> Iterator[Candidate]:
    """The rows in the table's order."""
    yield Candidate("ResNet-50", "RGB", RGB, lambda: torchvision.models.resnet50(num_classes=classes), 2)
    for stride in (2, 1):
        for name, channels in CHANNELS.items():
            spec = InputSpec.unstandardised(channels, 448)
            yield Candidate(
                "ResNet-50",
                name,
                spec,
                lambda spec=spec, stride=stride: models.resnet50(spec=spec, num_classes=classes, stage2_stride=stride),
                stride,
            )
    yield Candidate("ResNet-18", "RGB", RGB, lambda: torchvision.models.resnet18(num_classes=classes), 2)
    spec_24 = InputSpec.unstandardised(CHANNELS["DCT-24"], 448)
    yield Candidate("ResNet-18", "DCT-24", spec_24, lambda: models.resnet18(spec=spec_24, num_classes=classes), 2)
    yield Candidate("MobileNetV2", "RGB", RGB, lambda: torchvision.models.mobilenet_v2(num_classes=classes))
    for name in ("DCT-24", "DCT-32", "DCT-192"):
        spec = InputSpec.unstandardised(CHANNELS[name], 896)
        yield Candidate(
            "MobileNetV2", name, spec, lambda spec=spec: models.mobilenet_v2(spec=spec, num_classes=classes)
        )
    for name in ("DCT-24", "DCT-192"):
        spec = InputSpec.unstandardised(CHANNELS[name], 112)
        yield Candidate("small", name, spec, lambda spec=spec: models.small(spec=spec, num_classes=classes))
    everything = InputSpec.unstandardised(CHANNELS["DCT-192"], 448)
    yield Candidate("FrequencyGate", "DCT-192", everything, models.FrequencyGate)


def measure(candidate: Candidate) -> dict[str, object]:
    """Count one row: exact integers."""
    size = candidate.spec.map_size
    with torch.device("meta"):
        network = candidate.make().eval()
        maps = torch.empty(1, candidate.spec.in_channels, size, size)
    return {
        "network": candidate.network,
        "input": candidate.input,
        "shape": [candidate.spec.in_channels, size, size],
        "size_px": candidate.spec.size_px,
        "stage2_stride": candidate.stage2_stride,
        "macs": macs(network, maps),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "input_bytes": candidate.spec.bytes_per_image,
    }


def row(result: dict[str, object]) -> dict[str, object]:
    """The same for people, bytes also as a share of what RGB takes."""
    channels, height, width = result["shape"]
    stride = result["stage2_stride"]
    return {
        "network": f"{result['network']}, {result['input']}" + (f", stage2_stride={stride}" if stride == 1 else ""),
        "picture": f"{result['size_px']} px",
        "input": f"{channels}x{height}x{width}",
        "GMACs": f"{result['macs'] / 1e9:#.3g}",
        "parameters": f"{result['parameters'] / 1e6:.2f} M",
        "input bytes": f"{result['input_bytes']:,}",
        "of RGB's": f"{result['input_bytes'] / RGB.bytes_per_image:.2f}",
    }


def main() -> None:
    """Print the table and write runs/benchmarks/models.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1000, help="number of classes (default: ImageNet's 1000)")
    results = [measure(candidate) for candidate in candidates(parser.parse_args().classes)]
    print(table([row(result) for result in results]))
    print(f"written: {write('models', {'rows': results})}")


if __name__ == "__main__":
    main()

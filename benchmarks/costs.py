"""What octave convolution and frequency channels cost, beside the published numbers.

    python -m benchmarks.costs

Counts, not times: the same on every machine, in a minute, on torch's meta device, by `freqlearn profile`'s counter. A
MAC is one multiplication and one addition of a convolution or linear layer; what papers call FLOPs are these. A
difference above 2 % is marked and says why; one that has no reason makes the command fail.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod

import torch
import torchvision
from torch import nn

from benchmarks.report import table, write
from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.models import octave
from freqlearn.pipelines.profiling import Profile, profile
from freqlearn.spec import InputSpec

TOLERANCE = 0.02
RGB = (3, 224, 224)
OCTCONV = "arXiv 1904.05049"

# Table 1 of the OctConv paper: of a plain convolution's cost.
RATIOS = {0: (100, 100), 0.125: (82, 91), 0.25: (67, 81), 0.5: (44, 63), 0.75: (30, 44), 0.875: (26, 35), 1: (25, 25)}

# alpha -> GFLOPs in the paper's figures, GMACs worked out on paper layer by layer.
RESNET_50 = {0: (4.1, 4.089), 0.125: (3.6, 3.565), 0.25: (3.1, 3.104), 0.5: (2.4, 2.367), 0.75: (1.9, 1.880)}
OTHER_RESNETS: Mapping[str, tuple[float, str]] = {
    "oct_resnet26": (1.480, "analytic"),
    "oct_resnet101": (3.991, "public PyTorch version"),
    "oct_resnet152": (5.615, "public PyTorch version"),
}

# (version, width, alpha) -> million parameters, MFLOPs.
MOBILENETS = {
    ("v1", 1.0, 0.5): (4.2, 321),
    ("v1", 0.75, 0.375): (2.6, 213),
    ("v2", 1.0, 0.375): (3.5, 256),
    ("v2", 1.125, 0.5): (4.2, 295),
}


@dataclass(frozen=True)
class Number:
    """A published number beside the counted one.

    Attributes:
        model: What it is of.
        quantity: What it is, with its unit.
        published: The number.
        source: Who published it.
        counted: Ours.
        reason: Why they differ, if they do by more than TOLERANCE.
    """

    model: str
    quantity: str
    published: float
    source: str
    counted: float
    reason: str = ""

    @property
    def difference(self) -> float:
        """Relative to the published number."""
        return self.counted / self.published - 1

    @property
    def far(self) -> bool:
        """Whether it needs a reason."""
        return abs(self.difference) > TOLERANCE


def numbers() -> Iterator[Number]:
    """All rows, in the table's order."""
    yield from octave_layers()
    yield from octave_resnets()
    yield from octave_mobilenets()
    yield from frequency_resnets()
    yield from separable_convolutions()


def octave_layers() -> Iterator[Number]:
    """One 3x3 convolution, 64 channels of 56x56 in and out: MACs, and numbers in the feature maps that it gives."""
    plain = _octave_layer(0)
    for alpha, (flops, memory) in RATIOS.items():
        layer, model = _octave_layer(alpha), f"OctConv, alpha {alpha:g}"
        yield Number(model, "MACs, % of alpha 0", flops, OCTCONV, 100 * layer.macs / plain.macs)
        features = 100 * _outputs(layer) / _outputs(plain)
        yield Number(model, "feature maps, % of alpha 0", memory, OCTCONV, features)


def octave_resnets() -> Iterator[Number]:
    """Whole networks at 224 px, 1000 classes."""
    for alpha, (published, analytic) in RESNET_50.items():
        counted, model = _cost(lambda alpha=alpha: octave.oct_resnet50(alpha), RGB), f"Oct-ResNet-50, alpha {alpha:g}"
        yield Number(model, "GMACs", published, OCTCONV, counted.macs / 1e9)
        yield Number(model, "GMACs", analytic, "analytic", counted.macs / 1e9)
        yield Number(model, "million parameters", 25.557, "torchvision", counted.parameters / 1e6)
    for name, (published, source) in OTHER_RESNETS.items():
        build = getattr(octave, name)
        counted = _cost(lambda build=build: build(0.5), RGB)
        yield Number(
            f"Oct-ResNet-{name.removeprefix('oct_resnet')}, alpha 0.5", "GMACs", published, source, counted.macs / 1e9
        )


def octave_mobilenets() -> Iterator[Number]:
    """Whole networks at 224 px, 1000 classes."""
    for (version, width, alpha), (parameters, mflops) in MOBILENETS.items():
        build = getattr(octave, f"oct_mobilenet_{version}")
        counted = _cost(lambda build=build, width=width, alpha=alpha: build(width, alpha), RGB)
        model = f"Oct-MobileNetV{version[1]} {width:g}, alpha {alpha:g}"
        yield Number(model, "MMACs", mflops, OCTCONV, counted.macs / 1e6)
        yield Number(model, "million parameters", parameters, OCTCONV, counted.parameters / 1e6)


def frequency_resnets() -> Iterator[Number]:
    """ResNet-50 on pixels and on DCT-24, 1000 classes."""
    rgb = _cost(torchvision.models.resnet50, RGB)
    yield Number("ResNet-50, RGB at 224 px", "GMACs", 4.09, "torchvision", rgb.macs / 1e9)
    spec = InputSpec.unstandardised(ChannelSet.square(24), 448)
    for stride, published in ((2, 3.93), (1, 13.5)):
        counted = _cost(lambda stride=stride: models.resnet50(spec=spec, stage2_stride=stride), spec)
        model = f"ResNet-50, DCT-24 at 448 px, stage2_stride {stride}"
        yield Number(model, "GMACs", published, "analytic", counted.macs / 1e9)
        yield Number(model, "input, % of RGB's", 50, "arXiv 2002.12416", 100 * counted.input_bytes / rgb.input_bytes)


def separable_convolutions() -> Iterator[Number]:
    """Depthwise and pointwise against one full convolution, by the formula of arXiv 1704.04861."""
    for channels, kernel in ((64, 3), (128, 5), (512, 3)):
        full = nn.Conv2d(32, channels, kernel, padding="same", bias=False)
        depthwise = nn.Conv2d(32, 32, kernel, padding="same", groups=32, bias=False)
        separable = nn.Sequential(depthwise, nn.Conv2d(32, channels, 1, bias=False))
        ratio = profile(separable, (32, 28, 28)).macs / profile(full, (32, 28, 28)).macs
        formula = float(Fraction(1, channels) + Fraction(1, kernel**2))
        model = f"separable {kernel}x{kernel} to {channels} channels"
        yield Number(model, "MACs, of a full convolution's", formula, "1/C_out + 1/k²", ratio)


@cache
def _octave_layer(alpha: float) -> Profile:
    # A pair goes in: the model around it makes one out of an image, at no cost that is counted.
    layer = octave.OctConv2d(64, 64, 3, padding=1, bias=False, alpha_in=alpha, alpha_out=alpha)
    return profile(nn.Sequential(octave.OctSplit(64, alpha), layer), (64, 56, 56))


def _outputs(layer: Profile) -> int:
    return sum(prod(shape) for shape in layer["1"].outputs)


def _cost(build: Callable[[], nn.Module], image: InputSpec | tuple[int, ...]) -> Profile:
    with torch.device("meta"):
        model = build()
    return profile(model, image)


def row(number: Number) -> dict[str, object]:
    """The same for people."""
    digits = 3 if number.published < 100 else 4
    return {
        "model": number.model,
        "quantity": number.quantity,
        "published": f"{number.published:.4g}",
        "by": number.source,
        "counted": f"{number.counted:#.{digits + 1}g}".rstrip("."),
        "difference": f"{number.difference:+.1%}" + (" !" if number.far else ""),
    }


def main() -> int:
    """Print the table, write runs/benchmarks/costs.json; 1 if a difference above TOLERANCE has no reason."""
    found = list(numbers())
    print(table([row(number) for number in found]))
    far = [number for number in found if number.far]
    print(f"{len(found)} numbers; {len(far)} differ by more than {TOLERANCE:.0%}")
    for number in far:
        print(f"! {number.model}, {number.quantity}: {number.reason or 'nobody has said why'}")
    rows = [
        {
            "model": number.model,
            "quantity": number.quantity,
            "published": number.published,
            "source": number.source,
            "counted": number.counted,
            "difference": number.difference,
            "reason": number.reason,
        }
        for number in found
    ]
    print(f"written: {write('costs', {'tolerance': TOLERANCE, 'rows': rows})}")
    return 1 if any(not number.reason for number in far) else 0


if __name__ == "__main__":
    sys.exit(main())

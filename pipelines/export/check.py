"""Comparing an exported model with its checkpoint, from files to logits."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from freqlearn.exported import Exported
from freqlearn.pipelines.checkpoint import Checkpoint
from freqlearn.pipelines.data import naming_file
from freqlearn.pipelines.export.network import GatedNetwork
from freqlearn.pipelines.export.pictures import Pictures
from freqlearn.pipelines.inputs import eval_transform

_AT_ONCE = 8

# How much larger than the checkpoint's own the exported model's rounding errors may be. They are of the same kind, but
# not the same: normalisations are folded into convolutions, whose sums are formed in another order. Measured on 24
# photos for 13 models (ResNet-18 and -50, MobileNetV2, small; RGB; gates): 0.8 to 2.4 times as large by onnxruntime, at
# most as large by torch.
_ROUNDING = 16
# In units of the largest logit: what the result itself is rounded to (2**-24), with as much room.
_SMALLEST = _ROUNDING * 2.0**-24


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How an exported model compares with its checkpoint.

    Attributes:
        pictures: What was compared on.
        compared: Number of pictures.
        largest: Largest difference of two logits.
        allowed: Largest difference that rounding explains.
        same_top1: Number of pictures with the same likeliest class.
        undecided: Pictures left out because a switch of the gate is on its threshold there, so that rounding decides.
        unreadable: Pictures left out because they could not be read, with the reason.
    """

    pictures: str
    compared: int
    largest: float
    allowed: float
    same_top1: int
    undecided: int
    unreadable: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether rounding explains every difference."""
        return self.compared > 0 and self.largest <= self.allowed

    def __str__(self) -> str:
        left_out = [f"{len(self.unreadable)} unreadable"] if self.unreadable else []
        left_out += [f"{self.undecided} with a switch on its threshold"] if self.undecided else []
        without = f" (without {' and '.join(left_out)})" if left_out else ""
        return (
            f"{self.compared} {self.pictures}{without}: largest difference of a logit {self.largest:.2g}, rounding "
            f"allows {self.allowed:.2g}; same top-1 for {self.same_top1} of {self.compared}"
        )


def compare(exported: Exported, checkpoint: Checkpoint, network: nn.Module, pictures: Pictures) -> Comparison:
    """Compare an exported model with its checkpoint on the same files, each read as its own spec says.

    The tolerance is not chosen but measured: the checkpoint's model is also run in float64, and the exported one may be
    off by 16 times as much as the checkpoint's float32 is.

    Args:
        exported: The exported model, loaded.
        checkpoint: The checkpoint, with its gate frozen if it was exported so.
        network: What was exported (`freqlearn.pipelines.export.network.exportable`), for the margins of a gate.
        pictures: What to compare on.

    Raises:
        ValueError: If not one picture can be read.
    """
    given, wanted, unreadable = _inputs(exported, checkpoint, pictures.sources)
    exact_model = copy.deepcopy(checkpoint.model).double()
    exact_gated = copy.deepcopy(network).double() if isinstance(network, GatedNetwork) else None
    got, float32, float64, decided = [], [], [], []
    with torch.inference_mode():
        for own, its in zip(_batches(wanted), _batches(given), strict=True):
            got.append(exported.logits(its))
            float32.append(checkpoint.model(own))
            # FrequencyGate computes its switches in float32 whatever it is asked for.
            float64.append((exact_gated or exact_model)(own.double()))
            decided.append(_decided(network, exact_gated, own))
    keep = torch.cat(decided)
    logits, rounded, exact = (torch.cat(parts)[keep].double() for parts in (got, float32, float64))
    return Comparison(
        pictures=pictures.name,
        compared=len(logits),
        largest=_largest(logits - rounded),
        allowed=_ROUNDING * _largest(rounded - exact) + _SMALLEST * _largest(exact),
        same_top1=int((logits.argmax(dim=1) == rounded.argmax(dim=1)).sum()),
        undecided=int((~keep).sum()),
        unreadable=unreadable,
    )


def _inputs(
    exported: Exported, checkpoint: Checkpoint, sources: Sequence[Path | bytes]
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """(N, K, h, w) as the exported model reads the files, (N, C, h, w) as the checkpoint does, and what neither can."""
    transform = eval_transform(checkpoint.header.spec)
    given, wanted, unreadable = [], [], []
    for number, source in enumerate(sources):
        try:
            pair = exported.transform(source), transform(source)  # type: ignore[arg-type]
        except (OSError, ValueError) as error:
            unreadable.append(naming_file(source if isinstance(source, Path) else f"picture {number}", error))
            continue
        given.append(pair[0])
        wanted.append(pair[1])
    if not given:
        raise ValueError(f"no picture to compare on could be read; the first: {unreadable[0]}")
    return torch.stack(given), torch.stack(wanted), tuple(unreadable)


def _batches(images: Tensor) -> list[Tensor]:
    """The first image alone, then several at once: two sizes of a batch, of which the number of images is variable."""
    return [images[:1], *(images[i : i + _AT_ONCE] for i in range(1, len(images), _AT_ONCE))]


def _decided(network: nn.Module, exact: nn.Module | None, maps: Tensor) -> Tensor:
    """(N,) bool: whether no switch of the image is so near its threshold that rounding could turn it."""
    if not isinstance(network, GatedNetwork) or not isinstance(exact, GatedNetwork):
        return torch.ones(len(maps), dtype=torch.bool)
    margins = exact.margins(maps.double())
    error = _largest(network.margins(maps).double() - margins)
    return margins.abs().flatten(1).amin(dim=1) > _ROUNDING * error


def _largest(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0

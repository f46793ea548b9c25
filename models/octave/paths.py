"""The four paths of an octave convolution, and how one weight of nn.Conv2d's shape holds their kernels."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from freqlearn.models.octave.pair import cut


class PathWeights(NamedTuple):
    """The kernels from each input branch to each output branch; None where a path does not exist."""

    hh: Tensor | None
    """High to high, (high_out, high_in / groups, k_h, k_w)."""
    lh: Tensor | None
    """Low to high, (high_out, low_in / groups, k_h, k_w)."""
    hl: Tensor | None
    """High to low, (low_out, high_in / groups, k_h, k_w)."""
    ll: Tensor | None
    """Low to low, (low_out, low_in / groups, k_h, k_w)."""


@dataclass(frozen=True)
class PathLayout:
    """Where each path's kernels lie: high outputs in the first rows, each group's high inputs in the first columns.

    Depthwise, a row is a channel's kernel, and there are no paths across.
    """

    in_channels: int
    out_channels: int
    low_in: int
    low_out: int
    groups: int

    @property
    def depthwise(self) -> bool:
        """Whether every input channel is a group of its own."""
        return self.groups == self.in_channels > 1

    def cut(self, weight: Tensor) -> PathWeights:
        """Return views of (out_channels, in_channels / groups, k_h, k_w), one for each path."""
        rows = cut(weight, self.out_channels, self.low_out, dim=0)
        if self.depthwise:
            return PathWeights(hh=rows[0], lh=None, hl=None, ll=rows[1])
        columns, low_columns = self.in_channels // self.groups, self.low_in // self.groups
        to_high, to_low = ((None, None) if row is None else cut(row, columns, low_columns, dim=1) for row in rows)
        return PathWeights(*to_high, *to_low)

    def join(self, paths: PathWeights) -> Tensor:
        """Undo `cut`."""
        rows = [[path for path in row if path is not None] for row in ((paths.hh, paths.lh), (paths.hl, paths.ll))]
        return torch.cat([torch.cat(row, dim=1) for row in rows if row])

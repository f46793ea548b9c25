"""Both at once: the lowest frequency channels of the picture as the low branch of the features.

What the low branch can hold of them is their average over 2x2 blocks. Of the DC's variance that keeps 91 %, of every
other channel's 14 to 35 %, where white noise keeps 25 % (`python -m benchmarks.halving`, 60 ImageNet photos): a block's
mean resembles its neighbours', its details have no more in common with theirs than chance. So it costs the network
what AC channels say at full resolution, and the DC channels alone (alpha 0.125 of DCT-24) next to nothing.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from freqlearn.channels import ChannelSet
from freqlearn.indexing import CHANNELS_PER_COMPONENT
from freqlearn.models.octave.pair import Features, halve, low_channels


def split_by_frequency(channels: ChannelSet, alpha: float) -> tuple[ChannelSet, ChannelSet]:
    """Divide channels into high and low frequencies.

    Low are the int(alpha * C) channels with the smallest max(u, v). Among those of the same max(u, v) the smaller u + v
    goes first, and among those the one that comes first in the set. Both results keep the set's order.

    Args:
        channels: C frequency channels.
        alpha: Fraction of them that is low; between 0 and 1.

    Returns:
        (high, low), each with at least one channel.

    Raises:
        ValueError: If one of the two would be empty.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"expected alpha between 0 and 1 to split {channels}, got {alpha:g}")
    count = low_channels(len(channels), alpha)
    lowest = set(sorted(channels, key=_frequency)[:count])  # sorted keeps the order of what is equal
    return (
        ChannelSet.of((c for c in channels if c not in lowest), name=f"{channels.name}-high"),
        ChannelSet.of((c for c in channels if c in lowest), name=f"{channels.name}-low"),
    )


class FrequencySplit(nn.Module):
    """Divides a stack of frequency maps into a pair: the high channels as they are, the low ones averaged to half.

    The positions are part of the state: a network behind it expects its channels in this order, so that the state of a
    network without a split must not load silently.

    Args:
        channels: What the maps are, in their order.
        low: Which of them are low; all or none are allowed and give a Tensor.

    Raises:
        ValueError: If ``channels`` lacks one of the low ones.
    """

    high: Tensor
    low: Tensor

    def __init__(self, channels: ChannelSet, low: Iterable[int]) -> None:
        super().__init__()
        positions = set(channels.positions(low))
        high = [position for position in range(len(channels)) if position not in positions]
        self.register_buffer("high", torch.tensor(high, dtype=torch.int64))
        self.register_buffer("low", torch.tensor(sorted(positions), dtype=torch.int64))

    @property
    def order(self) -> Tensor:
        """(C,) int64: positions of the high channels, then of the low ones: the order behind the split."""
        return torch.cat((self.high, self.low))

    @property
    def alpha(self) -> float:
        """Fraction of the channels that is low."""
        return len(self.low) / (len(self.high) + len(self.low))

    def forward(self, maps: Tensor) -> Features:
        """(N, C, h, w) -> (N, C_high, h, w) and (N, C_low, ceil(h/2), ceil(w/2))."""
        if len(self.low) == 0:
            return maps
        low = halve(maps.index_select(1, self.low))
        return low if len(self.high) == 0 else (maps.index_select(1, self.high), low)

    def extra_repr(self) -> str:
        """What print(model) shows."""
        return f"high={len(self.high)}, low={len(self.low)}"


def _frequency(channel: int) -> tuple[int, int]:
    v, u = divmod(channel % CHANNELS_PER_COMPONENT, 8)
    return max(u, v), u + v

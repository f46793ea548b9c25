"""Which frequency channels are low, and how they are split off."""

import pytest
import torch

import freqlearn as fl
from freqlearn.models.octave import FrequencySplit, split_by_frequency

DCT_24 = fl.ChannelSet.square(24)


@pytest.mark.parametrize(
    ("channels", "alpha", "low"),
    [
        pytest.param(DCT_24, 0.125, {0, 64, 128}, id="the three DC"),
        pytest.param(DCT_24, 0.5, {c + i for c in (0, 64, 128) for i in (0, 1, 8, 9)}, id="2x2 of each component"),
        pytest.param(
            fl.ChannelSet.all(),
            0.25,
            {c + 8 * v + u for c in (0, 64, 128) for v in range(4) for u in range(4)},
            id="4x4 of each component",
        ),
        pytest.param(fl.ChannelSet.of((27, 2, 9, 16)), 0.5, {9, 2}, id="by u + v, then as they come"),
    ],
)
def test_low_are_the_lowest(channels: fl.ChannelSet, alpha: float, low: set[int]) -> None:
    high_part, low_part = split_by_frequency(channels, alpha)
    assert set(low_part) == low
    assert tuple(low_part) == tuple(c for c in channels if c in low)
    assert tuple(high_part) == tuple(c for c in channels if c not in low)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 0.01], ids=["none", "all", "less than one channel"])
def test_both_parts_need_a_channel(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        split_by_frequency(DCT_24, alpha)


def test_split_maps() -> None:
    split = FrequencySplit(fl.ChannelSet.of((5, 0, 64)), (64, 5))
    maps = torch.arange(27.0).reshape(1, 3, 3, 3)
    high, low = split(maps)
    assert torch.equal(high, maps[:, 1:2])
    # A last odd row and column average the pixels that they have.
    assert low.tolist() == [[[[2, 3.5], [6.5, 8]], [[20, 21.5], [24.5, 26]]]]
    assert split.order.tolist() == [1, 0, 2]
    assert split.alpha == pytest.approx(2 / 3)


def test_a_split_of_one_part_gives_a_tensor() -> None:
    maps = torch.randn(1, 2, 4, 4)
    channels = fl.ChannelSet.of((0, 1))
    assert torch.equal(FrequencySplit(channels, ())(maps), maps)
    torch.testing.assert_close(FrequencySplit(channels, channels)(maps), torch.nn.functional.avg_pool2d(maps, 2))

"""The ResNets of the OctConv paper cost what was published."""

from typing import Any

import pytest
import torch

from freqlearn.models import octave
from freqlearn.pipelines.costs import macs

# GMACs: the authors' table (4.1 / 3.6 / 3.1 / 2.4 / 1.9) to its digits, and github.com/d-li14/octconv.pytorch and its
# kin for alpha 0 and .5; millions of parameters: the same, and "Squeeze-and-Excitation Networks", table 2, and the
# authors' README for 152 layers.
COSTS = [
    ("oct_resnet50", 0, 25.557, 4.089),
    ("oct_resnet50", 0.125, 25.557, 3.565),
    ("oct_resnet50", 0.25, 25.557, 3.104),
    ("oct_resnet50", 0.5, 25.557, 2.367),
    ("oct_resnet50", 0.75, 25.557, 1.880),
    ("oct_resnet26", 0.5, None, 1.480),
    ("oct_resnet101", 0.5, None, 3.991),
    ("oct_resnet152", 0.5, 60.2, 5.615),
    ("oct_resnet200", 0.5, None, None),
    ("oct_se_resnet50", 0.5, 28.1, None),
    ("oct_se_resnet152", 0.125, 66.8, None),
    ("oct_resnext50_32x4d", 0.25, 25.03, None),
]


@pytest.mark.parametrize(("name", "alpha", "parameters", "gmacs"), COSTS, ids=[f"{c[0]} {c[1]}" for c in COSTS])
def test_published_costs(name: str, alpha: float, parameters: float | None, gmacs: float | None) -> None:
    with torch.device("meta"):
        network: Any = getattr(octave, name)(alpha)
    if parameters is not None:
        millions = sum(p.numel() for p in network.parameters()) / 1e6
        assert millions == pytest.approx(parameters, abs=0.0005 if parameters == 25.557 else 0.05)
    if gmacs is not None:
        assert round(macs(network.eval(), torch.empty(1, 3, 224, 224, device="meta")) / 1e9, 3) == gmacs
    assert len(network.layer3) == {"26": 2, "50": 6, "101": 23, "152": 36, "200": 36}[_depth(name)]


def _depth(name: str) -> str:
    return "50" if "resnext" in name else name.rpartition("resnet")[2]


def test_options() -> None:
    network: Any = octave.oct_se_resnet26(
        0.25, num_classes=3, norm_layer=lambda channels: torch.nn.GroupNorm(1, channels), zero_init_residual=True
    )
    assert isinstance(network.layer1[0].bn3.high, torch.nn.GroupNorm)
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    assert not octave.oct_resnet26(0.5, zero_init_residual=True).get_parameter("layer2.1.bn3.low.weight").any()


def test_groups_need_channels_in_each_branch() -> None:
    with torch.device("meta"), pytest.raises(ValueError, match="groups"):
        octave.oct_resnext50_32x4d(0.125)

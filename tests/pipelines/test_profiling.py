"""What the profiler counts: by hand, against torchvision's published costs, against torch's own totals."""

import json

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.models import octave
from freqlearn.pipelines.profiling import Profile, profile
from freqlearn.pipelines.profiling.subjects import _built
from freqlearn.spec import InputSpec


def chain(**modules: nn.Module) -> nn.Sequential:
    network = nn.Sequential()
    for name, module in modules.items():
        network.add_module(name, module)
    return network


def test_a_chain_by_hand() -> None:
    network = chain(
        conv=nn.Conv2d(3, 8, 3, stride=2, padding=1),
        bn=nn.BatchNorm2d(8),
        relu=nn.ReLU(inplace=True),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        fc=nn.Linear(8, 5),
    )
    counted = profile(network, (3, 10, 12))
    assert counted["conv"].macs == 8 * 5 * 6 * 3 * 3 * 3
    assert counted["fc"].macs == 8 * 5
    assert counted.macs == counted["conv"].macs + counted["fc"].macs
    assert [counted[name].parameters for name in ("conv", "bn", "relu", "fc")] == [8 * 28, 16, 0, 45]
    # In place and views: no memory of their own.
    expected = {"conv": 8 * 5 * 6, "bn": 8 * 5 * 6, "relu": 0, "pool": 8, "flat": 0, "fc": 5}
    assert {name: counted[name].activation_elements for name in expected} == expected
    assert counted.activation_bytes == 4 * sum(expected.values())
    assert counted["conv"].outputs == ((1, 8, 5, 6),)
    assert counted.input_bytes == 4 * 3 * 10 * 12
    assert counted.not_counted == {"_native_batch_norm_legit_no_training": 240, "relu_": 240, "mean": 8}


@pytest.mark.parametrize(("groups", "kernel"), [(1, 3), (4, 3), (8, 5)])
def test_grouped_convolutions_by_hand(groups: int, kernel: int) -> None:
    counted = profile(nn.Conv2d(8, 16, kernel, groups=groups, padding="same"), (8, 7, 7))
    assert counted.macs == 16 * 7 * 7 * (8 // groups) * kernel * kernel


def test_depthwise_separable_costs_what_the_formula_says() -> None:
    full = profile(nn.Conv2d(16, 64, 3, padding=1), (16, 14, 14)).macs
    separable = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(16, 64, 1))
    assert profile(separable, (16, 14, 14)).macs / full == pytest.approx(1 / 64 + 1 / 9, rel=1e-12)


# torchvision publishes GMACs (`_ops`, three digits after the point) and parameters with its weights.
@pytest.mark.parametrize(
    ("name", "size"),
    [("resnet18", 224), ("vgg11", 224), ("squeezenet1_1", 224), ("vit_b_32", 224), ("shufflenet_v2_x0_5", 224)],
)
def test_torchvision_published_the_same(name: str, size: int) -> None:
    with torch.device("meta"):
        counted = profile(torchvision.models.get_model(name), (3, size, size))
    published = next(iter(torchvision.models.get_model_weights(name))).meta
    assert round(counted.macs / 1e9, 3) == published["_ops"]
    assert counted.parameters == published["num_params"]
    assert counted.total.unread_parameters == 0


@pytest.mark.parametrize("alpha", [0, 0.25, 0.5, 0.875, 1])
def test_octave_convolution_costs_what_the_paper_says(alpha: float) -> None:
    layer = octave.OctConv2d(16, 16, 3, padding=1, alpha_in=alpha, alpha_out=alpha)
    conv = profile(nn.Sequential(octave.OctSplit(16, alpha), layer), (16, 8, 8))["1"]
    assert conv.macs == 16 * 16 * 9 * 64 * (1 - 0.75 * alpha * (2 - alpha))  # section 3 of arXiv 1904.05049
    assert conv.parameters == 16 * 16 * 9 + 16
    assert conv.activation_elements == 16 * 64 * (1 - 0.75 * alpha)
    assert len(conv.outputs) == (1 if alpha in (0, 1) else 2)
    if alpha == 0.5:
        assert conv.outputs == ((1, 8, 8, 8), (1, 8, 4, 4))


def test_totals_are_those_of_a_real_forward_pass() -> None:
    spec = InputSpec.unstandardised(ChannelSet.square(24), 64)
    network = octave.octavize(models.resnet18(spec=spec, num_classes=5), 0.5).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 24, 8, 8))
    counted = profile(network, spec)
    assert counted.macs * 2 == counter.get_total_flops()
    assert counted.parameters == sum(p.numel() for p in network.parameters())
    assert counted.input_bytes == spec.bytes_per_image
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in network.modules())


def test_the_mode_of_the_model_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout()).train()
    assert profile(network, (3, 4, 4))["1"].activation_bytes == 0  # evaluation: dropout hands its input on
    assert all(module.training for module in network.modules())


class Strange(nn.Module):
    """Everything that a walk over leaf modules gets wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.again = self.shared
        self.kernel = nn.Parameter(torch.zeros(6, 4, 1, 1))
        self.pair = Pair()
        self.unused = nn.Linear(7, 7)
        self.tied = nn.Linear(6, 6, bias=False)
        self.head = nn.Linear(6, 6)
        self.head.weight = self.tied.weight
        self.plain = torch.ones(6)  # neither parameter nor buffer

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.again(self.shared(x))
        x = functional.conv2d(x, self.kernel) * self.plain[:, None, None]
        high, (low,) = self.pair(x)
        return {"out": self.head(self.tied(high.mean((2, 3)) + low.mean((2, 3))))}


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return x + 1, [functional.avg_pool2d(x, 2)]


def test_shared_functional_pairs_ties_and_unused() -> None:
    counted = profile(Strange(), (4, 8, 8))
    conv = 4 * 4 * 9 * 64
    shared = counted["shared"]
    assert (shared.calls, shared.macs, shared.parameters) == (2, 2 * conv, 144)
    assert shared.activation_elements == 2 * 4 * 64
    own = counted.layers[0]
    assert (own.name, own.macs, own.parameters) == ("", 6 * 4 * 64, 24)
    # The product goes into `pair` and the sum into `tied`; what convolution and means make is dropped inside.
    assert own.activation_elements == 6 * 64 + 6
    assert counted["pair"].outputs == ((1, 6, 8, 8), (1, 6, 4, 4))
    assert counted["pair"].activation_elements == 6 * 64 + 6 * 16
    assert (counted["unused"].calls, counted["unused"].unread_parameters) == (0, 56)
    assert (counted["tied"].parameters, counted["head"].parameters) == (36, 6)
    assert counted.total.unread_parameters == 56
    assert counted.parameters == sum(p.numel() for p in Strange().parameters())
    assert counted.macs == 2 * conv + 6 * 4 * 64 + 2 * 36
    with pytest.raises(KeyError, match="no layer 'again'"):
        counted["again"]


def test_attention_by_hand() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.attention(x, x, x, need_weights=False)[0]
            return result

    counted = profile(Attention(), (10, 8))
    # Queries, keys, values and the output's projection; then each token with each other, twice.
    assert counted.macs == 4 * 10 * 8 * 8 + 2 * 10 * 10 * 8
    # Its output's weights are read without calling the layer that holds them.
    assert (counted["attention.out_proj"].calls, counted["attention.out_proj"].unread_parameters) == (0, 0)


def test_layers_sum_to_the_totals_at_every_depth() -> None:
    with torch.device("meta"):
        counted = profile(torchvision.models.shufflenet_v2_x0_5(), (3, 64, 64))
    for depth in range(5):
        parts = [line.layer for line in counted.lines(depth) if line.part]
        assert sum(part.macs for part in parts) == counted.macs
        assert sum(part.parameters for part in parts) == counted.parameters
        assert sum(part.activation_bytes for part in parts) == counted.activation_bytes


def test_usual_depth_opens_what_does_most_of_the_work() -> None:
    with torch.device("meta"):
        assert profile(torchvision.models.resnet18(), (3, 64, 64)).usual_depth == 1
        assert profile(torchvision.models.mobilenet_v2(), (3, 64, 64)).usual_depth == 2
    assert profile(nn.Conv2d(3, 3, 1), (3, 4, 4)).usual_depth == 1


def test_half_precision_takes_half_the_memory() -> None:
    network = nn.Conv2d(3, 4, 3)
    single = profile(network, (3, 8, 8))
    half = profile(network.half(), (3, 8, 8))
    assert (half.activation_bytes * 2, half.input_bytes * 2) == (single.activation_bytes, single.input_bytes)
    assert half.macs == single.macs


def test_a_frozen_gate_computes_nothing() -> None:
    gate = models.FrequencyGate(ChannelSet.all())
    counted = profile(gate, (192, 4, 4))
    assert counted.macs == 192 * 192 + 2 * 192
    gate.eval()(torch.zeros(1, 192, 4, 4))
    gate.freeze(8)
    frozen = profile(gate, (192, 4, 4))
    assert frozen.macs == 0
    assert frozen.total.unread_parameters == frozen.parameters == counted.parameters


def test_json_round_trip() -> None:
    counted = profile(octave.oct_mobilenet_v1(0.25, 0.5), (3, 32, 32), title="small")
    assert Profile.from_dict(json.loads(counted.to_json())) == counted
    totals = json.loads(counted.to_json())["totals"]
    assert totals["macs"] == counted.macs
    assert totals["unread_parameters"] == 0


class Deciding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if bool(x.sum() > 0) else -x


@pytest.mark.parametrize(
    ("network", "shape"), [(Deciding(), (3, 4, 4)), (nn.Conv2d(3, 3, 1), (4, 4, 4)), (nn.Conv2d(3, 3, 1), (3,))]
)
def test_what_cannot_be_counted_is_said(network: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected a model that takes such images and needs no values"):
        profile(network, shape)


def test_models_that_compute_while_they_are_built() -> None:
    counted = profile(_built(torchvision.models.regnet_y_400mf), (3, 224, 224))
    published = torchvision.models.RegNet_Y_400MF_Weights.IMAGENET1K_V1.meta
    assert round(counted.macs / 1e9, 3) == published["_ops"]

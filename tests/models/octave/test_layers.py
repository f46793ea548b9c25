"""Normalisation, activation, pooling and squeeze-excitation of pairs."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import SqueezeExcitation

from freqlearn.models.octave import (
    Branchwise,
    OctAvgPool2d,
    OctBatchNorm2d,
    OctConv2d,
    OctMaxPool2d,
    OctNorm2d,
    OctReLU,
    OctReLU6,
    OctSplit,
    OctSqueezeExcite,
)

HIGH = torch.randn(4, 6, 7, 8, generator=torch.Generator().manual_seed(0))
LOW = torch.randn(4, 2, 4, 4, generator=torch.Generator().manual_seed(1))
ALL = {0: torch.cat((HIGH, HIGH[:, :2]), dim=1), 0.25: (HIGH, LOW), 1: torch.cat((LOW, LOW, LOW, LOW), dim=1)}


def parts(features):
    """The branches that there are."""
    return (features,) if isinstance(features, Tensor) else features


@pytest.mark.parametrize("alpha", ALL)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_batch_norm_of_each_branch(alpha, training):
    norm = OctBatchNorm2d(8, alpha, eps=1e-3, momentum=0.2).train(training)
    for y, x in zip(parts(norm(ALL[alpha])), parts(ALL[alpha]), strict=True):
        mean, var = torch.zeros(x.shape[1]), torch.ones(x.shape[1])
        expected = functional.batch_norm(x, mean, var, training=training, momentum=0.2, eps=1e-3)
        torch.testing.assert_close(y, expected)
        branch = norm.high if x is parts(ALL[alpha])[0] and alpha != 1 else norm.low
        assert torch.equal(branch.running_mean, mean)
        assert torch.equal(branch.running_var, var)


@pytest.mark.parametrize("alpha", ALL)
@pytest.mark.parametrize(
    "norm_layer",
    [nn.BatchNorm2d, lambda n: nn.GroupNorm(2, n), lambda n: nn.InstanceNorm2d(n, affine=True), nn.SyncBatchNorm],
    ids=["batch", "group", "instance", "synchronised"],
)
def test_a_plain_layers_state_loads(norm_layer, alpha):
    torch.manual_seed(0)
    plain = norm_layer(8)
    for value in plain.state_dict().values():
        value.copy_(torch.rand_like(value) + 0.5 if value.is_floating_point() else torch.tensor(7))
    # Within another module, so that names have a prefix.
    octave = nn.ModuleDict({"bn1": OctNorm2d(norm_layer, 8, alpha)})
    state = nn.ModuleDict({"bn1": plain}).state_dict()
    names = list(state)
    octave.load_state_dict(state)
    assert list(state) == names, "the caller's dictionary is not changed"
    branches = [branch for branch in (octave["bn1"].high, octave["bn1"].low) if branch is not None]
    for name, value in plain.state_dict().items():
        loaded = [branch.state_dict()[name] for branch in branches]
        if value.dim() == 0:
            assert all(torch.equal(part, value) for part in loaded)
        else:
            assert torch.equal(torch.cat(loaded), value)
    again = nn.ModuleDict({"bn1": OctNorm2d(norm_layer, 8, alpha)})
    again.load_state_dict(octave.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(octave.parameters(), again.parameters(), strict=True))


def test_a_state_that_does_not_fit_is_reported():
    octave = OctBatchNorm2d(8, 0.25)
    with pytest.raises(RuntimeError, match=r"size mismatch for high\.weight"):
        octave.load_state_dict(nn.BatchNorm2d(16).state_dict())
    with pytest.raises(RuntimeError, match=r"Missing key.*high\.bias"):
        octave.load_state_dict({name: v for name, v in nn.BatchNorm2d(8).state_dict().items() if name != "bias"})


def test_conversion_to_synchronised_batch_norm():
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(OctBatchNorm2d(8, 0.25))
    assert [type(converted.high), type(converted.low)] == [nn.SyncBatchNorm, nn.SyncBatchNorm]


@pytest.mark.parametrize("alpha", ALL)
@pytest.mark.parametrize(
    ("layer", "function"), [(OctReLU, functional.relu), (OctReLU6, functional.relu6)], ids=["relu", "relu6"]
)
def test_activations(layer, function, alpha):
    x = 10 * ALL[alpha] if isinstance(ALL[alpha], Tensor) else tuple(10 * branch for branch in ALL[alpha])
    expected = [function(branch) for branch in parts(x)]
    assert all(torch.equal(y, other) for y, other in zip(parts(layer()(x)), expected, strict=True))
    layer(inplace=True)(x)
    assert all(torch.equal(y, other) for y, other in zip(parts(x), expected, strict=True))


def test_branchwise():
    high, low = Branchwise(nn.Hardswish())((HIGH, LOW))
    assert torch.equal(high, functional.hardswish(HIGH))
    assert torch.equal(low, functional.hardswish(LOW))


@pytest.mark.parametrize("pool", [OctMaxPool2d(), OctMaxPool2d(2), OctAvgPool2d()], ids=["max 3", "max 2", "average"])
@pytest.mark.parametrize("size", range(1, 20))
def test_pools_of_any_size_leave_a_pair(pool, size):
    conv = OctConv2d(4, 4, 1, alpha_in=0.5, alpha_out=0.5)
    half = (size + 1) // 2
    pooled = pool((torch.rand(1, 2, size, size), torch.rand(1, 2, half, half)))
    high, _ = conv(pooled)
    assert high.shape[2:] == (half, half)


def test_pools_by_hand():
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert OctMaxPool2d()(x).tolist() == [[[[4, 5], [7, 8]]]]
    assert OctMaxPool2d(2)(x).tolist() == [[[[4, 5], [7, 8]]]]
    assert OctAvgPool2d()(x).tolist() == [[[[2, 3.5], [6.5, 8]]]]
    with pytest.raises(ValueError, match="expected a kernel of 2 or 3 pixels, got 4"):
        OctMaxPool2d(4)


def test_splitting_a_tensor():
    assert torch.equal(OctSplit(6, 0)(HIGH), HIGH)
    high, low = OctSplit(6, 0.4)(HIGH)
    assert torch.equal(high, HIGH[:, :4])
    means = functional.pad(HIGH[:, 4:], (0, 0, 0, 1), value=float("nan")).unflatten(2, (4, 2)).unflatten(4, (4, 2))
    torch.testing.assert_close(low, means.nanmean(dim=(3, 5)))
    torch.testing.assert_close(OctSplit(6, 1)(HIGH)[:, 4:], low)


@pytest.mark.parametrize("alpha", [0, 1])
def test_squeeze_excite_of_a_tensor_is_torchvisions(alpha):
    torch.manual_seed(0)
    octave, plain = OctSqueezeExcite(8, 2, alpha), SqueezeExcitation(8, 2)
    plain.load_state_dict(octave.state_dict())
    assert torch.equal(octave(ALL[alpha]), plain(ALL[alpha]))


def test_squeeze_excite_of_a_pair_mixes_the_means_of_both():
    torch.manual_seed(0)
    octave = OctSqueezeExcite(8, 2, 0.25)
    means = torch.cat((HIGH.mean(dim=(2, 3)), LOW.mean(dim=(2, 3))), dim=1)
    hidden = (means @ octave.fc1.weight[:, :, 0, 0].T + octave.fc1.bias).relu()
    scale = (hidden @ octave.fc2.weight[:, :, 0, 0].T + octave.fc2.bias).sigmoid()[:, :, None, None]
    high, low = octave((HIGH, LOW))
    torch.testing.assert_close(high, HIGH * scale[:, :6])
    torch.testing.assert_close(low, LOW * scale[:, 6:])


@pytest.mark.parametrize("layer", [OctBatchNorm2d(8, 0.25), OctSqueezeExcite(8, 2, 0.25)], ids=["norm", "squeeze"])
def test_layers_refuse_what_does_not_fit(layer):
    with pytest.raises(TypeError, match=r"expected a pair \(high, low\) of 6 and 2 channels, got a Tensor"):
        layer(HIGH)
    with pytest.raises(ValueError, match=r"expected high maps \(N, 6, h, w\), got shape \(4, 2, 4, 4\)"):
        layer((LOW, HIGH))
    with pytest.raises(ValueError, match="low maps of half the size, 4x4 for high maps of 7x8, got 4x3"):
        layer((HIGH, LOW[..., :3]))

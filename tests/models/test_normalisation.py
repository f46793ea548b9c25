"""Normalisation layers: SwitchableNorm2d against the paper's formulas and against torch's layers, and the factory."""

import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.models.resnet import BasicBlock

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.models.normalisation import group_norm
from freqlearn.models.octave import OctBasicBlock, octavize
from freqlearn.spec import InputSpec

NORMS = {
    "batch": nn.BatchNorm2d,
    "sync_batch": nn.SyncBatchNorm,
    "group": nn.GroupNorm,
    "layer": models.LayerNorm2d,
    "instance": nn.InstanceNorm2d,
    "switchable": models.SwitchableNorm2d,
}
INSTANCE, LAYER, BATCH = range(3)


def maps(*shape, seed=0, mean=2.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype) * 3 + mean


def layer_of(channels, *, shares=None, seed=1, **options):
    """In float64, with no parameter as it starts."""
    torch.manual_seed(seed)
    layer = models.SwitchableNorm2d(channels, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            nn.init.normal_(parameter, mean=1)
        if shares is not None:  # exp(-1000) is 0
            for parameter in (layer.mean_weight, layer.var_weight):
                parameter.fill_(-1000)[shares] = 0
    return layer


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum()


def by_the_paper(x, layer, batch_mean, batch_var):
    """Equations 3 and 4 of arXiv 1806.10779, each sum written out over the pixels."""
    size = x.shape[2] * x.shape[3]
    mean_in = x.sum((2, 3), keepdims=True) / size
    var_in = ((x - mean_in) ** 2).sum((2, 3), keepdims=True) / size
    mean_ln = x.sum((1, 2, 3), keepdims=True) / (size * x.shape[1])
    var_ln = ((x - mean_ln) ** 2).sum((1, 2, 3), keepdims=True) / (size * x.shape[1])
    w, v = softmax(layer.mean_weight.detach().numpy()), softmax(layer.var_weight.detach().numpy())
    mean = w[0] * mean_in + w[1] * mean_ln + w[2] * batch_mean
    var = v[0] * var_in + v[1] * var_ln + v[2] * batch_var
    gamma, beta = (p.detach().numpy().reshape(1, -1, 1, 1) for p in (layer.weight, layer.bias))
    return gamma * (x - mean) / np.sqrt(var + layer.eps) + beta


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (1, 6, 5, 3), (4, 6, 1, 1), (2, 1, 3, 3)], ids=str)
def test_switchable_is_the_papers(shape):
    x, layer = maps(*shape), layer_of(shape[1])
    numbers = x.numpy()
    places = shape[0] * shape[2] * shape[3]
    mean = numbers.sum((0, 2, 3), keepdims=True) / places
    var = ((numbers - mean) ** 2).sum((0, 2, 3), keepdims=True) / places
    np.testing.assert_allclose(layer(x).detach(), by_the_paper(numbers, layer, mean, var), rtol=1e-11, atol=1e-11)
    layer.eval()
    running = (layer.running_mean.numpy().reshape(1, -1, 1, 1), layer.running_var.numpy().reshape(1, -1, 1, 1))
    np.testing.assert_allclose(layer(x).detach(), by_the_paper(numbers, layer, *running), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("momentum", [0.1, 0.3, None], ids=str)
def test_with_all_weight_on_the_batch_it_is_batch_norm(momentum):
    layer = layer_of(6, shares=BATCH, momentum=momentum)
    reference = nn.BatchNorm2d(6, momentum=momentum).double()
    left = reference.load_state_dict(layer.state_dict(), strict=False)
    assert left.missing_keys == []
    assert left.unexpected_keys == ["mean_weight", "var_weight"]
    for seed in range(3):
        x = maps(4, 6, 5, 3, seed=seed)
        torch.testing.assert_close(layer(x), reference(x), rtol=1e-11, atol=1e-11)
    for name, buffer in reference.named_buffers():
        torch.testing.assert_close(layer.get_buffer(name), buffer, rtol=1e-12, atol=1e-12)
    layer.eval(), reference.eval()
    torch.testing.assert_close(layer(x), reference(x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_with_all_weight_on_one_of_the_others_it_is_that(training):
    x = maps(4, 6, 5, 3)
    instance, layer = layer_of(6, shares=INSTANCE).train(training), layer_of(6, shares=LAYER).train(training)
    expected = functional.instance_norm(x, weight=instance.weight, bias=instance.bias)
    torch.testing.assert_close(instance(x), expected, rtol=1e-11, atol=1e-11)
    whole = functional.layer_norm(x, x.shape[1:])
    expected = whole * layer.weight.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)
    torch.testing.assert_close(layer(x), expected, rtol=1e-11, atol=1e-11)


def test_switchable_has_the_right_gradients():
    layer, x = layer_of(3), maps(2, 3, 2, 2).requires_grad_()
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def compute(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    layer.eval()
    assert torch.autograd.gradcheck(compute, (x, *parameters))
    layer.train()
    assert torch.autograd.gradcheck(compute, (x, *parameters))


def test_shares():
    assert models.SwitchableNorm2d(4).shares().tolist() == pytest.approx(np.full((2, 3), 1 / 3))
    layer = layer_of(4)
    expected = [softmax(p.detach().numpy()) for p in (layer.mean_weight, layer.var_weight)]
    np.testing.assert_allclose(layer.shares().detach(), expected)


def test_a_batch_with_one_value_per_channel_uses_the_running_averages():
    x = maps(1, 6, 1, 1)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm2d(6)(x.float())
    layer = layer_of(6)
    layer(maps(4, 6, 5, 3))
    before = copy.deepcopy(layer.state_dict())
    got = layer(x)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    torch.testing.assert_close(got, layer.eval()(x), rtol=0, atol=0)
    got.sum().backward()
    assert layer.mean_weight.grad.isfinite().all()


def test_large_means_cost_no_precision():
    """The pooled variance is no difference of large squares: 1000 squared has an error of 0.06 in float32."""
    x, layer = maps(4, 6, 8, 8, mean=1000.0), layer_of(6)
    exact = layer(x)
    # x itself is rounded by 3e-5, a hundred-thousandth of the standard deviation of 3.
    torch.testing.assert_close(copy.deepcopy(layer).float()(x.float()).double(), exact, rtol=1e-4, atol=1e-4)


def test_half_precision_is_computed_in_float32():
    x, layer = maps(4, 6, 8, 8, mean=20.0).bfloat16(), layer_of(6).float()
    got = layer(x)
    assert got.dtype == torch.bfloat16
    assert torch.equal(got, layer(x.float()).bfloat16())
    assert layer.running_mean.dtype == torch.float32


def test_memory_format_stays():
    x = maps(2, 6, 4, 5).contiguous(memory_format=torch.channels_last)
    layer = layer_of(6).eval()
    assert layer(x).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(x), layer(x.contiguous()))


@pytest.mark.parametrize("shape", [(4, 5, 2, 2), (6, 4, 4), (2, 6, 4, 4, 4)], ids=str)
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected maps \(N, 6, H, W\), got shape"):
        models.SwitchableNorm2d(6)(torch.zeros(shape))


def test_sync_batch_norm_does_not_take_its_place():
    network = nn.Sequential(models.SwitchableNorm2d(4), nn.BatchNorm2d(4))
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    assert [type(layer) for layer in converted] == [models.SwitchableNorm2d, nn.SyncBatchNorm]


def test_one_graph_compiles():
    layer, x = layer_of(6), maps(4, 6, 5, 3)
    compiled = torch.compile(copy.deepcopy(layer), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(compiled.running_var, layer.running_var)
    assert compiled.num_batches_tracked == 1


def test_layer_norm_is_of_channels_at_each_place():
    x, layer, reference = maps(2, 6, 4, 5), models.LayerNorm2d(6).double(), nn.LayerNorm(6).double()
    nn.init.normal_(reference.weight), nn.init.normal_(reference.bias)
    layer.load_state_dict(reference.state_dict())
    torch.testing.assert_close(layer(x), reference(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(1, 1), (2, 1), (7, 1), (16, 8), (24, 12), (32, 16), (64, 32), (96, 32), (100, 25), (144, 24), (512, 32)],
)
def test_group_norm_divides_the_channels(channels, groups):
    layer, x = group_norm(channels), maps(2, channels, 3, 3, dtype=torch.float32)
    assert layer.num_groups == groups
    torch.testing.assert_close(layer(x), functional.group_norm(x, groups))
    assert group_norm(channels, groups=4).num_groups <= 4


@pytest.mark.parametrize("name", NORMS)
def test_norm_layer(name):
    make = pickle.loads(pickle.dumps(models.norm_layer(name)))
    layer = make(24)
    assert type(layer) is NORMS[name]
    assert layer.weight.shape == layer.bias.shape == (24,)
    assert layer(maps(2, 24, 3, 3, dtype=torch.float32)).shape == (2, 24, 3, 3)


def test_norm_layer_refuses():
    assert models.norm_layer("group", groups=4)(24).num_groups == 4
    with pytest.raises(ValueError, match="unknown norm 'spectral'; known are batch, sync_batch, group"):
        models.norm_layer("spectral")
    with pytest.raises(ValueError, match="groups of at least 1, got 0"):
        models.norm_layer("group", groups=0)


@pytest.mark.parametrize(
    ("make", "norm"),
    [(models.resnet18, "layer"), (models.mobilenet_v2, "switchable"), *((models.small, norm) for norm in NORMS)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_networks_normalise_by_nothing_else(make, norm):
    with torch.device("meta"):
        network = make(in_channels=24, norm_layer=models.norm_layer(norm))
    kinds = {type(part) for part in network.modules() if hasattr(part, "weight") and "Norm" in type(part).__name__}
    assert kinds == {NORMS[norm]}


@pytest.mark.parametrize("norm", ["group", "layer", "instance", "switchable"])
def test_every_parameter_learns(norm):
    torch.manual_seed(0)
    network = models.small(in_channels=8, num_classes=5, norm_layer=models.norm_layer(norm))
    network(torch.randn(2, 8, 14, 14)).logsumexp(1).sum().backward()
    assert all(parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("norm", ["instance", "layer", "switchable"])
def test_zero_init_residual(norm):
    make = models.norm_layer(norm)
    network = models.FrequencyResNet(BasicBlock, [1, 1, 1, 1], in_channels=8, zero_init_residual=True, norm_layer=make)
    assert not network.layer1[0].bn2.weight.any()
    assert network.layer1[0].bn1.weight.all()


def test_weights_of_a_network_with_batch_norm_fit():
    network = models.small(in_channels=8, norm_layer=models.norm_layer("switchable"))
    left = models.load_rgb_weights(network, models.small(in_channels=8).state_dict())
    assert {key.rpartition(".")[2] for key in left.missing_keys} == {"mean_weight", "var_weight"}
    assert not left.unexpected_keys
    assert not left.mismatched_keys
    network = models.small(in_channels=8, norm_layer=models.norm_layer("group"))
    left = models.load_rgb_weights(network, models.small(in_channels=8).state_dict())
    kinds = {key.rpartition(".")[2] for key in left.unexpected_keys}
    assert kinds == {"running_mean", "running_var", "num_batches_tracked"}


def test_features_of_a_switchable_network_can_be_traced():
    network = models.small(in_channels=8, norm_layer=models.norm_layer("switchable"))
    x = torch.randn(2, 8, 9, 9)
    traced = create_feature_extractor(network, {"fc": "logits"})
    network.eval(), traced.eval()
    torch.testing.assert_close(traced(x)["logits"], network(x))


PAGE = Path(__file__).resolve().parents[2] / "docs" / "normalisation.md"


def test_code_of_the_page_runs():
    namespace = {}
    with torch.device("meta"):
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(block, namespace)
    assert isinstance(namespace["network"].layer1[0].bn1, models.SwitchableNorm2d)
    assert isinstance(namespace["octave"].layer1[0].bn1.low, nn.GroupNorm)


SPEC = InputSpec.unstandardised(ChannelSet.of(range(6)), 64)


@pytest.mark.parametrize(
    ("make", "norm"),
    [
        pytest.param(models.small, "switchable", id="small switchable"),
        pytest.param(models.mobilenet_v2, "sync_batch", id="mobilenet_v2 sync_batch"),
    ],
)
def test_narrowing_computes_the_same(make, norm):
    torch.manual_seed(0)
    network = make(spec=SPEC, num_classes=3, norm_layer=models.norm_layer(norm)).double()
    x = maps(2, 6, 8, 8)
    network(x)
    network.eval()
    narrow = copy.deepcopy(network)
    models.narrow(narrow, ChannelSet.of((4, 1)))
    zeroed = torch.zeros_like(x)
    zeroed[:, [4, 1]] = x[:, [4, 1]]
    torch.testing.assert_close(narrow(x[:, [4, 1]]), network(zeroed), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("norm", ["group", "layer", "instance", "switchable"])
def test_mobilenet_cannot_be_narrowed_where_zeros_are_no_constant(norm):
    network = models.mobilenet_v2(spec=SPEC, norm_layer=models.norm_layer(norm)).eval()
    expected = rf"expected BatchNorm2d in the first block, got {NORMS[norm].__name__}.*train a network on the channels"
    with pytest.raises(TypeError, match=expected):
        models.narrow(network, ChannelSet.of((4, 1)))


@pytest.mark.parametrize("norm", NORMS)
def test_octave_networks_take_them(norm):
    with torch.device("meta"):
        network = octavize(models.resnet18(spec=SPEC, norm_layer=models.norm_layer(norm)), 0.25)
        assert network.train()(torch.empty(2, 6, 16, 16)).shape == (2, 1000)
    layers = [part for part in network.modules() if type(part) is NORMS[norm]]
    assert len(layers) == 20 + 15, "a second one for each low branch of three stages"


def test_each_branch_of_an_octave_block_learns_its_own_mixture():
    torch.manual_seed(0)
    block = OctBasicBlock(6, 8, alpha_in=0, alpha_out=0.5, norm_layer=models.norm_layer("switchable"))
    high, low = block(torch.randn(2, 6, 8, 8))
    (high.square().sum() + low.square().sum()).backward()
    for parameter in ("mean_weight", "var_weight", "weight"):
        assert all(getattr(branch, parameter).grad.any() for branch in (block.bn1.high, block.bn1.low))

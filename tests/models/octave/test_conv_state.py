"""What of an OctConv2d is saved and loaded: one weight or four, a plain convolution's state, copies."""

import copy
import pickle

import octave_reference as reference
import pytest
import torch
from torch import Tensor, nn

from freqlearn.models.octave import OctConv2d

LAYOUTS = [
    pytest.param({"alpha_in": 0.25, "alpha_out": 0.5}, id="pairs"),
    pytest.param({"alpha_in": 0.25, "alpha_out": 0.5, "groups": 4}, id="grouped"),
    pytest.param({"alpha_in": 0.25, "alpha_out": 0.25, "groups": 16}, id="depthwise"),
    pytest.param({"alpha_in": 0, "alpha_out": 0.5}, id="first"),
    pytest.param({"alpha_in": 0.5, "alpha_out": 0}, id="last"),
    pytest.param({"alpha_in": 1, "alpha_out": 0.25}, id="from low"),
    pytest.param({"alpha_in": 0, "alpha_out": 0}, id="plain"),
]


def convolution(seed=0, **options):
    torch.manual_seed(seed)
    return OctConv2d(16, 32, 3, padding=1, **options)


def assert_same(a, b):
    """Both give the same numbers, bit for bit."""
    x = reference.pair(a, 7, 6)
    pairs = [(y,) if isinstance(y, Tensor) else y for y in (a(x), b(x))]
    assert all(torch.equal(p, q) for p, q in zip(*pairs, strict=True))


@pytest.mark.parametrize("options", LAYOUTS)
def test_the_same_seed_gives_the_same_weights_in_both_layouts(options):
    assert_same(convolution(**options), convolution(**options, separate=True))


@pytest.mark.parametrize("target", [False, True], ids=["into one", "into four"])
@pytest.mark.parametrize("source", [False, True], ids=["from one", "from four"])
@pytest.mark.parametrize("options", LAYOUTS)
@pytest.mark.parametrize("assign", [False, True], ids=["copied", "assigned"])
def test_either_layout_loads_either(options, source, target, assign):
    # Within another module, so that names have a prefix.
    saved = nn.Sequential(nn.Identity(), convolution(1, **options, separate=source))
    loaded = nn.Sequential(nn.Identity(), convolution(2, **options, separate=target))
    state = saved.state_dict()
    before = list(state)
    assert str(loaded.load_state_dict(state, assign=assign)) == "<All keys matched successfully>"
    assert list(state) == before, "the caller's dictionary is not changed"
    assert_same(saved[1], loaded[1])


def test_the_names_of_four():
    names = list(convolution(**LAYOUTS[0].values[0], separate=True).state_dict())
    assert names == ["weight_hh", "weight_lh", "weight_hl", "weight_ll", "bias"]
    names = list(convolution(**LAYOUTS[2].values[0], separate=True, bias=False).state_dict())
    assert names == ["weight_hh", "weight_ll"]


def test_the_paths_of_one_weight():
    conv = convolution(alpha_in=0.25, alpha_out=0.5)
    assert [tuple(path.shape[:2]) for path in conv.path_weights()] == [(16, 12), (16, 4), (16, 12), (16, 4)]
    assert torch.equal(conv.path_weights().lh, conv.weight[:16, 12:])
    assert torch.equal(conv.path_weights().hl, conv.weight[16:, :12])
    assert [tuple(bias.shape) for bias in conv.branch_biases()] == [(16,), (16,)]


@pytest.mark.parametrize("separate", [False, True], ids=["one weight", "four weights"])
@pytest.mark.parametrize("options", LAYOUTS)
def test_a_plain_convolutions_state_loads_at_any_alpha(options, separate):
    plain = nn.Conv2d(16, 32, 3, padding=1, groups=options.get("groups", 1))
    conv = convolution(**options, separate=separate)
    conv.load_state_dict(plain.state_dict())
    back = nn.Conv2d(16, 32, 3, padding=1, groups=options.get("groups", 1))
    one = convolution(5, **options)
    one.load_state_dict(conv.state_dict())
    back.load_state_dict(one.state_dict())
    assert torch.equal(plain.weight, back.weight)
    assert torch.equal(plain.bias, back.bias)


@pytest.mark.parametrize("separate", [False, True], ids=["one weight", "four weights"])
def test_from_conv(separate):
    plain = nn.Conv2d(16, 32, 3, 2, 2, 2, 4, bias=False, dtype=torch.float64).eval()
    conv = OctConv2d.from_conv(plain, alpha_in=0.25, alpha_out=0.5, separate=separate)
    assert (conv.stride, conv.padding, conv.dilation, conv.groups) == ((2, 2), (2, 2), (2, 2), 4)
    assert conv.bias is None
    assert not conv.training
    assert torch.equal(conv.path_weights().hh, plain.weight[:16, :3])
    assert conv.path_weights().hh.data_ptr() != plain.weight.data_ptr(), "a copy"
    assert [y.shape[2:] for y in conv((torch.zeros(1, 12, 8, 8).double(), torch.zeros(1, 4, 4, 4).double()))]
    with pytest.raises(ValueError, match="expected a convolution padded with zeros, got padding_mode='reflect'"):
        OctConv2d.from_conv(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), alpha_in=0, alpha_out=0.5)


def test_a_state_that_does_not_fit_is_reported():
    four = convolution(alpha_in=0.25, alpha_out=0.5, separate=True)
    one = convolution(alpha_in=0.25, alpha_out=0.5)
    with pytest.raises(RuntimeError, match=r'Missing key.*"weight_hh".*\n.*Unexpected key.*"weight"'):
        four.load_state_dict({**one.state_dict(), "weight": torch.zeros(32, 8, 3, 3)})
    other = convolution(alpha_in=0.5, alpha_out=0.5, separate=True)
    with pytest.raises(RuntimeError, match=r'Missing key.*"weight"'):
        one.load_state_dict(other.state_dict())
    state = four.state_dict()
    del state["weight_lh"]
    with pytest.raises(RuntimeError, match=r'Missing key.*"weight"'):
        one.load_state_dict(state)


@pytest.mark.parametrize("separate", [False, True], ids=["one weight", "four weights"])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda conv: pickle.loads(pickle.dumps(conv))], ids=["copy", "pickle"]
)
def test_copies(copied, separate):
    conv = convolution(alpha_in=0.25, alpha_out=0.5, separate=separate)
    other = copied(conv)
    assert_same(conv, other)
    assert not {p.data_ptr() for p in conv.parameters()} & {p.data_ptr() for p in other.parameters()}


def test_its_text():
    conv = OctConv2d(16, 32, 3, 2, 2, 2, 4, bias=False, alpha_in=0.25, alpha_out=0.5, separate=True)
    assert repr(conv) == (
        "OctConv2d(16, 32, kernel_size=(3, 3), stride=(2, 2), padding=(2, 2), dilation=(2, 2), groups=4, bias=False, "
        "alpha_in=0.25, alpha_out=0.5, separate=True)"
    )
    plain = nn.Conv2d(3, 4, 3, 2, 1)
    octave = OctConv2d(3, 4, 3, 2, 1, alpha_in=0, alpha_out=0.5)
    assert octave.extra_repr() == plain.extra_repr() + ", alpha_in=0, alpha_out=0.5"

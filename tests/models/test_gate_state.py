"""The frequency gate frozen, saved, loaded, copied and moved."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from freqlearn.channels import ChannelSet
from freqlearn.models import FrequencyGate


def test_freeze_keeps_the_most_important(lively_gate):
    channels = ChannelSet.square(24)
    gate = lively_gate(channels).eval()
    maps = torch.randn(40, 24, 5, 5)
    gate(maps)
    best = gate.importance.topk(5).indices.sort().values
    kept = gate.freeze(5)
    assert kept == ChannelSet.of([channels[i] for i in best.tolist()]) == gate.static_channels
    for mode in (gate.train(), gate.eval()):
        gated, mask = mode(maps, return_mask=True)
        assert torch.equal(gated[:, best], maps[:, best])
        assert gated.count_nonzero() == maps[:, best].count_nonzero()
        assert mask.sum(dim=1).unique().tolist() == [5.0]
        assert mode.regulariser().item() == pytest.approx(5 / 24)
    assert not any(parameter.requires_grad for parameter in gate.parameters())


def test_frozen_gate_computes_no_logits(lively_gate):
    gate = lively_gate().eval()
    gate(torch.randn(2, 24, 4, 4))
    gate.freeze(5)
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.fill_(float("nan"))
    importance = gate.importance
    assert gate(torch.randn(2, 24, 4, 4)).isfinite().all()
    assert torch.equal(gate.importance, importance)


def test_unfreeze(lively_gate):
    gate = lively_gate().eval()
    maps = torch.randn(6, 24, 4, 4)
    before = gate(maps)
    gate.freeze(5)
    gate.unfreeze()
    assert gate.static_channels is None
    assert all(parameter.requires_grad for parameter in gate.parameters())
    assert torch.equal(gate(maps), before)


def test_freeze_takes_the_first_of_equals():
    gate = FrequencyGate(24).eval()
    nn.init.zeros_(gate.logits.weight)
    gate(torch.randn(2, 24, 4, 4))
    assert gate.freeze(3).indices == (0, 1, 2)


@pytest.mark.parametrize("k", [0, 25, -1])
def test_freeze_refuses(lively_gate, k):
    gate = lively_gate().eval()
    gate(torch.randn(2, 24, 4, 4))
    with pytest.raises(ValueError, match=rf"expected k in 1\.\.24, .* got {k}"):
        gate.freeze(k)


@pytest.mark.parametrize("frozen", [False, True], ids=["learned", "static"])
def test_state_dict_round_trip(lively_gate, frozen, tmp_path):
    gate = lively_gate().eval()
    maps = torch.randn(6, 24, 4, 4)
    gate(maps)
    gate.anneal(0.5)
    if frozen:
        gate.freeze(7)
    state = gate.state_dict()
    assert all(isinstance(value, Tensor) for value in state.values())
    torch.save(state, tmp_path / "gate.pt")
    other = lively_gate(seed=1).eval()
    other.load_state_dict(torch.load(tmp_path / "gate.pt", weights_only=True))
    assert other.static_channels == gate.static_channels
    assert other.temperature == gate.temperature == 0.75
    assert torch.equal(other.importance, gate.importance)
    assert other.images_counted == 6
    assert torch.equal(other(maps), gate(maps))
    # And back to a gate that learns.
    other.load_state_dict(lively_gate().eval().state_dict())
    assert other.static_channels is None
    assert all(parameter.requires_grad for parameter in other.parameters())


def test_state_dict_of_another_gate_is_refused(lively_gate):
    state = lively_gate().state_dict()
    with pytest.raises(RuntimeError, match=r"(?s)size mismatch for importance.*size mismatch for squeeze.weight"):
        FrequencyGate(32).load_state_dict(state)
    del state["importance"]
    with pytest.raises(RuntimeError, match=r"Missing.*importance"):
        FrequencyGate(24).load_state_dict(state)
    assert "importance" in FrequencyGate(24).load_state_dict(state, strict=False).missing_keys


def test_inside_a_network_the_state_dict_has_prefixes(lively_gate):
    network, other = (nn.Sequential(lively_gate(seed=seed), nn.Conv2d(24, 2, 1)).eval() for seed in (0, 1))
    maps = torch.randn(3, 24, 4, 4)
    network(maps)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other[0].importance, network[0].importance)


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda gate: pickle.loads(pickle.dumps(gate))], ids=["copy", "pickle"]
)
def test_copies_after_a_training_step(lively_gate, clone):
    gate = lively_gate()
    gate(torch.randn(4, 24, 4, 4))
    other = clone(gate)
    assert torch.equal(other.importance, gate.importance)
    gate(torch.randn(4, 24, 4, 4))
    assert other.images_counted == 4
    assert other.state_dict().keys() == gate.state_dict().keys()


def test_evaluation_under_inference_mode_then_training(lively_gate):
    gate = lively_gate().eval()
    maps = torch.randn(4, 24, 4, 4)
    with torch.inference_mode():
        gate(maps)
    gate.train()
    (gate(maps).sum() + gate.regulariser()).backward()
    assert gate.images_counted == 4


def test_repr_tells_channels_and_state(lively_gate):
    gate = lively_gate().eval()
    assert "custom-24 (24 channels), temperature 1" in repr(gate)
    gate(torch.randn(2, 24, 4, 4))
    gate.freeze(3)
    assert "gate-3 (3 channels)" in repr(gate)


def test_moves_between_devices_and_precisions(lively_gate):
    gate = lively_gate().eval()
    maps = torch.randn(4, 24, 4, 4)
    expected = gate(maps)
    importance = gate.importance
    assert gate.double()(maps.double()).dtype == torch.float64
    assert gate.importance.dtype == torch.float32
    gate.float()
    assert torch.equal(gate(maps), expected)
    torch.testing.assert_close(gate.importance, importance)
    gate.to("meta")
    assert gate(maps.to("meta")).shape == maps.shape
    gate.to_empty(device="cpu").load_state_dict(lively_gate().state_dict())
    assert torch.equal(gate(maps), expected)


def test_half_precision_parameters(lively_gate):
    gate = lively_gate().eval()
    maps = torch.randn(16, 24, 4, 4)
    gate(maps)
    expected = gate.importance
    gate.bfloat16()
    gate.reset_importance()
    assert gate(maps.bfloat16()).dtype == torch.bfloat16
    assert gate.importance.dtype == torch.float32
    # bfloat16 keeps 8 bits; the logits here are about 5.
    torch.testing.assert_close(gate.importance, expected, rtol=0, atol=0.05)

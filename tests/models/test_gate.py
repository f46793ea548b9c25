"""The frequency gate: what it computes, learns from and remembers."""

import pytest
import torch
from torch import nn

from freqlearn.channels import ChannelSet
from freqlearn.models import FrequencyGate


def test_initial_last_layer_is_dctnets():
    torch.manual_seed(0)
    gate = FrequencyGate()
    assert gate.channels == ChannelSet.all()
    assert gate.logits.weight.shape == (384, 1, 1, 1)
    assert gate.logits.weight.std().item() == pytest.approx(0.001, rel=0.2)
    assert gate.logits.bias[0::2].unique().tolist() == pytest.approx([0.1])
    assert gate.logits.bias[1::2].unique().tolist() == [2.0]


def test_evaluation_is_deterministic_and_each_image_has_its_own_switches(lively_gate, probabilities):
    gate = lively_gate().eval()
    maps = torch.randn(8, 24, 6, 6) + torch.randn(8, 24, 1, 1)
    gated, mask = gate(maps, return_mask=True)
    expected = (probabilities(gate, maps) > 0.5).float()
    assert 0 < expected.mean() < 1
    assert not torch.equal(expected[0], expected[1])
    assert torch.equal(mask, expected)
    assert torch.equal(gate.last_mask, expected)
    assert torch.equal(gated, maps * expected[:, :, None, None])
    assert torch.equal(gate(maps), gated)


def test_training_samples_the_switches(lively_gate):
    gate = lively_gate()
    maps = torch.randn(8, 24, 6, 6)
    gated, mask = gate(maps, return_mask=True)
    again = gate(maps)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(gated, maps * mask[:, :, None, None])
    assert not torch.equal(gated, again)
    torch.manual_seed(3)
    first = gate(maps)
    torch.manual_seed(3)
    assert torch.equal(gate(maps), first)


def test_gradients_reach_every_parameter_by_both_paths(lively_gate):
    gate = lively_gate()
    maps = torch.randn(8, 24, 6, 6)
    (gate(maps) * maps).mean().backward()
    by_task = [parameter.grad.clone() for parameter in gate.parameters()]
    gate.zero_grad()
    gate(maps)
    gate.regulariser().backward()
    for name, parameter, task in zip(dict(gate.named_parameters()), gate.parameters(), by_task, strict=True):
        # BatchNorm takes away what a bias before it adds: its gradient is zero but for rounding.
        if name != "squeeze.bias":
            assert task.abs().max() > 1e-6, name
            assert parameter.grad.abs().max() > 1e-6, name


def test_regulariser_is_the_share_that_is_on_and_descends(lively_gate, probabilities):
    gate = lively_gate()
    maps = torch.randn(32, 24, 4, 4)
    optimiser = torch.optim.SGD(gate.parameters(), lr=5.0)
    _, mask = gate(maps, return_mask=True)
    assert gate.regulariser().item() == pytest.approx(mask.mean().item())
    before = probabilities(gate.eval(), maps).mean()
    gate.train()
    for _ in range(30):
        gate(maps)
        optimiser.zero_grad()
        gate.regulariser().backward()
        optimiser.step()
    assert probabilities(gate.eval(), maps).mean() < 0.5 * before


def test_nothing_to_tell_before_the_first_batch():
    gate = FrequencyGate(24)
    with pytest.raises(RuntimeError, match=r"regulariser\(\) tells of the last batch, and there was none"):
        gate.regulariser()
    with pytest.raises(RuntimeError, match="last_mask tells of the last batch"):
        _ = gate.last_mask
    for ask in (lambda: gate.importance, gate.importance_across_ranks, gate.fraction_on, lambda: gate.freeze(3)):
        with pytest.raises(RuntimeError, match="no image has been counted"):
            ask()


def test_importance_of_an_evaluation_is_the_mean_over_its_images(lively_gate, probabilities):
    gate = lively_gate().eval()
    maps = torch.randn(50, 24, 5, 5) + torch.randn(50, 24, 1, 1)
    for batch in maps.split([7, 1, 20, 22]):
        gate(batch)
    expected = probabilities(gate, maps).mean(dim=0)
    torch.testing.assert_close(gate.importance.double(), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(gate.importance_across_ranks(), gate.importance)
    assert gate.images_counted == 50
    assert gate.fraction_on() == pytest.approx(expected.mean().item(), abs=1e-6)
    gate.reset_importance()
    assert gate.images_counted == 0
    gate(maps[:3])
    torch.testing.assert_close(gate.importance.double(), probabilities(gate, maps[:3]).mean(0), rtol=0, atol=1e-6)


def test_importance_does_not_mix_training_and_evaluation(lively_gate, probabilities):
    gate = lively_gate()
    maps = torch.randn(16, 24, 5, 5)
    gate(maps)
    gate.eval()
    gate(maps)
    gate(maps)
    assert gate.images_counted == 32
    torch.testing.assert_close(gate.importance.double(), probabilities(gate, maps).mean(0), rtol=0, atol=1e-6)
    gate.train()
    gate(maps)
    assert gate.images_counted == 16


def test_importance_in_training_forgets(lively_gate):
    gate = lively_gate()
    maps = torch.randn(16, 24, 5, 5)
    for _ in range(20):
        gate(maps)
    with torch.no_grad():
        gate.logits.bias[0::2] = 50.0
    for _ in range(500):
        gate(maps)
    # 500 batches ago counts 0.99^500 = 0.7 %.
    assert gate.fraction_on() < 0.01


def test_an_empty_batch_changes_nothing(lively_gate):
    gate = lively_gate().eval()
    gate(torch.randn(2, 24, 4, 4))
    importance = gate.importance
    assert gate(torch.zeros(0, 24, 4, 4)).shape == (0, 24, 4, 4)
    assert torch.equal(gate.importance, importance)
    assert gate.images_counted == 2


def test_importance_is_a_copy(lively_gate):
    gate = lively_gate().eval()
    gate(torch.randn(2, 24, 4, 4))
    before = gate.importance
    gate.importance.zero_()
    assert torch.equal(gate.importance, before)


@pytest.mark.parametrize("shape", [(1, 24, 5, 5), (1, 24, 1, 1)], ids=str)
def test_training_batch_of_one(lively_gate, probabilities, shape):
    gate = lively_gate()
    maps = torch.randn(shape)
    statistics = gate.norm.running_mean.clone()
    (gate(maps).sum() + gate.regulariser()).backward()
    # Normalised as in evaluation, where P(on) is known, and without a trace.
    torch.testing.assert_close(gate.importance.double(), probabilities(gate, maps)[0], rtol=0, atol=1e-6)
    assert torch.equal(gate.norm.running_mean, statistics)


def test_larger_training_batches_are_batch_norms(lively_gate):
    gate = lively_gate()
    reference = nn.BatchNorm2d(24)
    reference.load_state_dict(gate.norm.state_dict())
    x = torch.randn(2, 24, 1, 1)
    assert torch.equal(gate.norm(x), reference(x))
    assert torch.equal(gate.norm.running_var, reference.running_var)


def test_temperature_and_annealing():
    gate = FrequencyGate(24, temperature=2.0)
    assert gate.temperature == 2.0
    gate.temperature = 0.25
    assert gate.temperature == 0.25
    assert [gate.anneal(progress) for progress in (0, 0.5, 1)] == [1.0, 0.75, 0.5]
    assert gate.anneal(0.25, start=4.0, end=2.0) == gate.temperature == 3.5


def test_temperature_is_honoured(lively_gate):
    # At a high temperature the relaxed samples are all near 1/2, where the gradient of "on" is 1/(4 T).
    gate = lively_gate()
    maps = torch.randn(64, 24, 4, 4)
    sizes = []
    for temperature in (1.0, 100.0):
        gate.temperature = temperature
        gate.zero_grad()
        gate(maps)
        gate.regulariser().backward()
        sizes.append(gate.logits.bias.grad[1::2].abs().sum().item())
    assert sizes[1] == pytest.approx(0.25 / 100, rel=0.02)
    assert sizes[0] > 10 * sizes[1]


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_refuses_temperature(temperature):
    with pytest.raises(ValueError, match="positive, finite temperature"):
        FrequencyGate(24, temperature=temperature)
    with pytest.raises(ValueError, match="positive, finite temperatures"):
        FrequencyGate(24).anneal(0.0, end=temperature)


@pytest.mark.parametrize("progress", [-0.1, 1.1, float("nan")])
def test_refuses_progress(progress):
    with pytest.raises(ValueError, match=r"progress in 0\.\.1"):
        FrequencyGate(24).anneal(progress)


@pytest.mark.parametrize(
    ("channels", "error", "message"),
    [(0, ValueError, r"1\.\.192 channels, got 0"), (193, ValueError, "got 193"), ("all", TypeError, "ChannelSet or a")],
)
def test_refuses_channels(channels, error, message):
    with pytest.raises(error, match=message):
        FrequencyGate(channels)


def test_refuses_other_maps():
    with pytest.raises(ValueError, match=r"expected 24 frequency channels.*got 192"):
        FrequencyGate(24)(torch.zeros(1, 192, 4, 4))

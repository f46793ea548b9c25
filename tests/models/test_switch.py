"""The two-way hard Gumbel-softmax against torch's own and against the distribution it must have."""

import math

import pytest
import torch
from torch.nn import functional

from freqlearn.models._switch import likelier_switches, sampled_switches


def test_values_are_exactly_zero_or_one():
    torch.manual_seed(0)
    switches = sampled_switches(torch.randn(1000, 50, 2), torch.tensor(0.7))
    assert set(switches.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
def test_same_samples_and_gradients_as_torch(temperature):
    logits = torch.randn(200, 30, 2, requires_grad=True)
    weights = torch.randn(200, 30)
    torch.manual_seed(1)
    ours = sampled_switches(logits, torch.tensor(temperature))
    torch.manual_seed(1)
    theirs = functional.gumbel_softmax(logits, tau=temperature, hard=True)[..., 1]
    # Theirs is 1 - 6e-8 here and there.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    (our_gradient,) = torch.autograd.grad((ours * weights).sum(), logits)
    (their_gradient,) = torch.autograd.grad((theirs * weights).sum(), logits)
    assert their_gradient.abs().max() > 0.01
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("temperature", [0.5, 5.0])
@pytest.mark.parametrize("difference", [-3.0, 0.0, 1.9])
def test_on_as_often_as_the_softmax_says(difference, temperature):
    # The Gumbel-max theorem: whatever the temperature.
    torch.manual_seed(2)
    count = 100_000
    logits = torch.tensor([0.1, 0.1 + difference]).expand(count, 2)
    expected = 1 / (1 + math.exp(-difference))
    five_sigma = 5 * math.sqrt(expected * (1 - expected) / count)
    assert sampled_switches(logits, torch.tensor(temperature)).mean().item() == pytest.approx(expected, abs=five_sigma)


def test_likelier():
    logits = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [-2.0, -1.0], [0.5, 0.5]]])
    assert likelier_switches(logits).tolist() == [[1.0, 0.0, 1.0, 0.0]]

"""Lambda steered to a number of channels: on a gate that answers as real ones do, slowly and late."""

import math

import pytest
import torch

from freqlearn.pipelines.channel_price import SteeredToTarget


def simulated(price: SteeredToTarget, steps: int, *, worth: float) -> float:
    """Channels on at the end, of 192 whose worth is spread over three decades; a switch takes 60 steps to follow."""
    worths = worth * torch.logspace(-3, 0, 192)
    logits = torch.full((192,), 1.9)
    for step in range(steps):
        on = (logits > 0).float().sum()
        price.step(task_loss=torch.tensor(1.0), channels_on=on, progress=step / steps)
        logits += 0.03 * torch.sign(worths - price.value / 192 + 0.002 * torch.randn(192)) - 0.002 * logits
    return float((logits > 0).sum())


@pytest.mark.parametrize("steps", [1000, 4000])
@pytest.mark.parametrize("target", [12, 24, 96])
def test_target_is_reached(target: int, steps: int) -> None:
    torch.manual_seed(0)
    price = SteeredToTarget(target, num_classes=100, steps=steps)
    assert price.is_reached(simulated(price, steps, worth=0.02))


def test_lambda_stays_between_nothing_and_all_that_can_be_gained() -> None:
    too_many, too_few = SteeredToTarget(24, num_classes=10, steps=100), SteeredToTarget(24, num_classes=10, steps=100)
    for step in range(100):
        for price, on in ((too_many, 192.0), (too_few, 0.0 if step else 192.0)):
            price.step(task_loss=torch.tensor(1.0), channels_on=torch.tensor(on), progress=step / 100)
            assert 0 < float(price.value) <= math.log(10) + 1e-6
    assert float(too_many.value) > 1
    assert float(too_few.value) < 0.1


def test_wanted_falls_from_what_is_on_at_first_to_the_target() -> None:
    price = SteeredToTarget(24, num_classes=10, steps=10)
    price.step(task_loss=torch.tensor(1.0), channels_on=torch.tensor(192.0), progress=0.0)
    assert float(price.wanted(0.0)) == pytest.approx(192)
    assert float(price.wanted(0.35)) == pytest.approx(math.sqrt(192 * 24))
    assert float(price.wanted(0.7)) == float(price.wanted(1.0)) == pytest.approx(24)


def test_goes_on_from_its_state() -> None:
    whole, first, second = (SteeredToTarget(24, num_classes=10, steps=20) for _ in range(3))
    counts = 150 * torch.rand(20, generator=torch.Generator().manual_seed(0))
    for step, on in enumerate(counts):
        whole.step(task_loss=on, channels_on=on, progress=step / 20)
        if step == 10:
            second.load_state_dict(first.state_dict())
        (first if step < 10 else second).step(task_loss=on, channels_on=on, progress=step / 20)
    assert whole.state_dict() == second.state_dict()
    assert float(whole.end_epoch()) == pytest.approx(float(counts.mean()))


@pytest.mark.parametrize(("on", "reached"), [(24.0, True), (27.5, True), (28.0, False), (20.0, False)])
def test_near_the_target(on: float, reached: bool) -> None:
    assert SteeredToTarget(24, num_classes=10, steps=1).is_reached(on) is reached

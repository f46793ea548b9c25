"""Two optimizers as one: the same weights as the two apart, schedules and states included."""

import copy

import torch
from torch import nn

from freqlearn.pipelines.paired_optimizer import PairedOptimizer


def weights() -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    return nn.Linear(3, 2), nn.Linear(3, 2)


def loss(first: nn.Linear, second: nn.Linear) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(8, 3, generator=generator)
    return (first(inputs).sigmoid() * second(inputs)).square().sum()


def paired(first: nn.Linear, second: nn.Linear) -> tuple[PairedOptimizer, torch.optim.lr_scheduler.LambdaLR]:
    optimizer = PairedOptimizer(
        torch.optim.SGD(first.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        torch.optim.Adam(second.parameters(), lr=0.02),
    )
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda step: 0.9**step, lambda step: 1.0])


def train(first: nn.Linear, second: nn.Linear, steps: int) -> tuple[PairedOptimizer, object]:
    optimizer, schedule = paired(first, second)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(first, second).backward()
        optimizer.step()
        schedule.step()
    return optimizer, schedule


def test_equals_the_two_apart() -> None:
    first, second = weights()
    sgd = torch.optim.SGD(first.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    adam = torch.optim.Adam(second.parameters(), lr=0.02)
    for step in range(6):
        sgd.param_groups[0]["lr"] = 0.1 * 0.9**step
        sgd.zero_grad()
        adam.zero_grad()
        loss(first, second).backward()
        sgd.step()
        adam.step()
    one, two = weights()
    train(one, two, 6)
    assert torch.equal(one.weight, first.weight)
    assert torch.equal(two.weight, second.weight)


def test_resumed_equals_uninterrupted() -> None:
    whole = weights()
    train(*whole, 6)
    first, second = weights()
    optimizer, schedule = train(first, second, 3)
    saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))  # type: ignore[attr-defined]
    again, schedule_again = paired(first, second)
    again.load_state_dict(saved[0])
    schedule_again.load_state_dict(saved[1])
    for _ in range(3):
        again.zero_grad()
        loss(first, second).backward()
        again.step(lambda: None)
        schedule_again.step()
    assert torch.equal(first.weight, whole[0].weight)
    assert torch.equal(second.weight, whole[1].weight)


def test_closure() -> None:
    first, second = weights()
    optimizer, _ = paired(first, second)
    before = first.weight.clone()

    def closure() -> float:
        optimizer.zero_grad()
        value = loss(first, second)
        value.backward()
        return value.item()

    expected = loss(first, second).item()
    assert optimizer.step(closure) == expected
    assert not torch.equal(first.weight, before)

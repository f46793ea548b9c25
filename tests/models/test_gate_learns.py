"""The gate's acid test: it finds the few channels that a task needs among 192."""

import torch
from torch import Tensor, nn

from freqlearn.models import FrequencyGate

SIZE = 4  # of the maps
PLANTED = 6


def batch(planted: Tensor, patterns: Tensor, images: int) -> tuple[Tensor, Tensor]:
    """Noise; class i < 6 adds its pattern to planted channel i, class 6 nothing, so that all 6 are needed."""
    labels = torch.randint(PLANTED + 1, (images,))
    maps = torch.randn(images, 192, SIZE, SIZE)
    for i in range(PLANTED):
        maps[labels == i, planted[i]] += 1.5 * patterns[i]
    return maps, labels


def test_finds_the_planted_channels():
    # The steps, optimisers, temperatures and lambda of the published check: 6 of 6, all other probabilities small.
    torch.manual_seed(0)
    planted = torch.randperm(192)[:PLANTED]
    patterns = torch.randn(PLANTED, SIZE, SIZE).sign()
    gate = FrequencyGate()
    head = nn.Sequential(nn.Conv2d(192, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten())
    network = nn.Sequential(head, nn.Linear(16 * SIZE * SIZE, PLANTED + 1))
    optimiser = torch.optim.Adam(
        [{"params": gate.parameters(), "lr": 1e-2}, {"params": network.parameters(), "lr": 3e-3}]
    )
    for step in range(400):
        gate.anneal(step / 400)
        maps, labels = batch(planted, patterns, 48)
        loss = nn.functional.cross_entropy(network(gate(maps)), labels) + 0.5 * gate.regulariser()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    gate.eval()
    network.eval()
    maps, labels = batch(planted, patterns, 500)
    with torch.no_grad():
        accuracy = (network(gate(maps)).argmax(dim=1) == labels).float().mean().item()
    others = gate.importance.clone()
    others[planted] = 0
    assert accuracy > 0.95
    assert gate.importance[planted].min() > 0.9
    assert others.mean() < 0.03
    assert set(gate.freeze(PLANTED)) == set(planted.tolist())


def test_too_large_a_lambda_shows_in_the_fraction_that_is_on():
    torch.manual_seed(0)
    gate = FrequencyGate()
    optimiser = torch.optim.Adam(gate.parameters(), lr=1e-2)
    maps = torch.randn(16, 192, SIZE, SIZE)
    gate(maps)
    assert gate.fraction_on() > 0.8  # softmax(0.1, 2.0) = 0.87
    for _ in range(400):
        loss = 1e-3 * gate(maps).square().mean() + 50 * gate.regulariser()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    gate.eval()(maps)
    assert gate.fraction_on() < 0.05

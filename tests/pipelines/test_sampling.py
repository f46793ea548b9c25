from collections.abc import Callable

import pytest
import torch
from torch.utils.data.distributed import DistributedSampler

from freqlearn.pipelines import sampling
from freqlearn.pipelines.sampling import EpochSampler

Processes = Callable[[int, int], None]


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """`process(rank, world)`: pretend to be one of several."""
    return lambda rank, world: monkeypatch.setattr(sampling, "rank_and_world", lambda: (rank, world))


def test_sampler_permutes_anew_in_every_epoch() -> None:
    sampler = EpochSampler(50, shuffle=True, seed=5)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert {epoch for epoch, _ in first} == {0}
    assert {epoch for epoch, _ in second} == {1}
    assert sorted(index for _, index in first) == sorted(index for _, index in second) == list(range(50))
    assert [index for _, index in first] != [index for _, index in second]
    assert list(EpochSampler(50, shuffle=True, seed=5)) == first
    assert list(EpochSampler(4, shuffle=False)) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_sampler_resumes_in_the_middle_of_an_epoch() -> None:
    whole = EpochSampler(20, shuffle=True, seed=1)
    whole.set_epoch(3)
    expected = list(whole)
    resumed = EpochSampler(20, shuffle=True, seed=1)
    resumed.resume(3, 12)
    resumed.set_epoch(3)
    assert list(resumed) == expected[12:]
    assert list(resumed) == expected, "only one iteration is cut short"
    assert len(resumed) == 20


def test_sampler_shares_an_epoch_among_processes(process: Processes) -> None:
    whole = [index for _, index in EpochSampler(10, shuffle=True, seed=2)]
    shares = []
    for rank in range(4):
        process(rank, 4)
        sampler = EpochSampler(10, shuffle=True, seed=2)
        shares.append([index for _, index in sampler])
        assert len(shares[-1]) == len(sampler) == 3
    assert {index for share in shares for index in share} == set(range(10))
    assert shares[1][0] == whole[1]


def test_shares_are_torch_s(process: Processes) -> None:
    for size, world in ((10, 4), (12, 3), (2, 5)):
        for rank in range(world):
            process(rank, world)
            expected = DistributedSampler(range(size), num_replicas=world, rank=rank, shuffle=False)
            assert [index for _, index in EpochSampler(size, shuffle=False)] == list(expected)


def test_what_remains_is_shared_anew_by_another_number_of_processes(process: Processes) -> None:
    whole = list(EpochSampler(24, shuffle=True, seed=2))
    process(0, 2)
    assert EpochSampler(24, shuffle=True).after(4, 5) == 14
    assert EpochSampler(24, shuffle=True).after(20, 5) == 24, "an epoch has no more, wrapped around or not"
    remaining = []
    for rank in range(5):
        process(rank, 5)
        sampler = EpochSampler(24, shuffle=True, seed=2)
        sampler.resume(0, 14)
        remaining.append(list(sampler))
    assert [key for keys in zip(*remaining, strict=True) for key in keys] == whole[14:]


@pytest.mark.parametrize(("size", "world"), [(9, 2), (10, 4), (3, 5), (1, 2), (12, 3)])
@pytest.mark.parametrize("start", [0, 1])
def test_uneven_shares_hold_every_sample_once(process: Processes, size: int, world: int, start: int) -> None:
    whole = list(EpochSampler(size, shuffle=True, seed=2))
    shares = []
    for rank in range(world):
        process(rank, world)
        sampler = EpochSampler(size, shuffle=True, seed=2, shares="uneven")
        assert len(sampler) == -(-size // world), "the same in all: the share of the one that gets most"
        sampler.resume(0, start)
        shares.append(list(sampler))
    assert sorted(key for share in shares for key in share) == sorted(whole[start:])
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_dropping_shares_make_the_same_steps_of_the_same_samples(process: Processes, world: int) -> None:
    """A batch of 12 in all: however many processes share it, 4 steps of 50 samples, and none of them twice."""
    process(0, 1)
    whole = list(EpochSampler(50, shuffle=True, seed=2))
    batch = 12 // world
    shares = []
    for rank in range(world):
        process(rank, world)
        sampler = EpochSampler(50, shuffle=True, seed=2, shares="drop", multiple=batch)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler) == 4 * batch
    for step in range(4):
        together = {key for share in shares for key in share[step * batch : (step + 1) * batch]}
        assert together == set(whole[step * 12 : (step + 1) * 12])


def test_nothing_remains_of_an_epoch_that_is_over(process: Processes) -> None:
    process(1, 3)
    sampler = EpochSampler(10, shuffle=True)
    sampler.resume(2, 10)
    assert list(sampler) == []


def test_sampler_is_one_that_lightning_leaves_in_place() -> None:
    assert isinstance(EpochSampler(3, shuffle=True), DistributedSampler)


def test_order_whatever_the_default_device() -> None:
    expected = list(EpochSampler(10, shuffle=True, seed=1))
    with torch.device("meta"):
        assert list(EpochSampler(10, shuffle=True, seed=1)) == expected

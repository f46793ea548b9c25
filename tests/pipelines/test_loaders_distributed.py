"""Two processes that train together, over gloo, as torchrun would start them."""

from pathlib import Path
from typing import Any

from process_group import in_processes

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 32)

# Batches as (list of labels, list of first coefficients): enough to tell samples, and quickly sent.
Batches = list[tuple[list[int], list[float]]]


def make(root: Path, workers: int = 0) -> ImageLoader:
    return make_loader(root, SPEC, batch_size=3, shuffle=True, num_workers=workers, seed=1)


def plain(batch: Any) -> tuple[list[int], list[float]]:
    images, labels = batch
    return labels.tolist(), images.double().sum(dim=(1, 2, 3)).tolist()


def interrupted(root: Path) -> tuple[Batches, dict[str, Any]]:
    """Two batches of the second epoch, and the state after them."""
    loader = make(root)
    loader.set_epoch(1)
    iterator = iter(loader)
    return [plain(next(iterator)) for _ in range(2)], loader.state_dict()


def resumed(root: Path, state: dict[str, Any]) -> Batches:
    """What remains, by a loader with another number of workers."""
    loader = make(root, workers=1)
    loader.load_state_dict(state)
    return [plain(batch) for batch in loader]


def flat(batches: Batches) -> list[tuple[int, float]]:
    return [sample for labels, sums in batches for sample in zip(labels, sums, strict=True)]


def test_two_processes_share_an_epoch_and_go_on_with_it(two_classes: Path, tmp_path: Path) -> None:
    root = two_classes / "train"
    alone = make(root)
    alone.set_epoch(1)
    expected = flat([plain(batch) for batch in alone])  # 24 samples in the order of the second epoch

    first = in_processes(tmp_path / "first", lambda: interrupted(root))
    (batches_0, state), (batches_1, other_state) = first
    assert state == other_state
    assert (state["epoch"], state["samples"]) == (1, 12)
    assert flat(batches_0) == expected[0:12:2]
    assert flat(batches_1) == expected[1:12:2]

    rest = in_processes(tmp_path / "rest", lambda: resumed(root, state))
    assert flat(rest[0]) == expected[12::2]
    assert flat(rest[1]) == expected[13::2]
    assert flat(resumed(root, state)) == expected[12:], "one process goes on where two stopped"

"""Our decoder in DALI's worker processes: bit for bit what make_loader yields."""

import gc
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.dali.native import DaliNativeLoader, _Batches, make_dali_native_loader
from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.image_loader import ImageLoader
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.training import train
from freqlearn.spec import InputSpec

pytest.importorskip("nvidia.dali")

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 32)

Batches = list[list[torch.Tensor]]


@pytest.fixture
def both(two_classes: Path) -> Callable[..., tuple[DaliNativeLoader, ImageLoader]]:
    """`both(...)`: DALI's loader of the 24 training files, with one worker, and ours, without."""

    def make(*, workers: int = 1, **changes: Any) -> tuple[DaliNativeLoader, ImageLoader]:
        options: dict[str, Any] = {"batch_size": 5, "shuffle": True, "seed": 3} | changes
        folder = two_classes / "train"
        return make_dali_native_loader(folder, SPEC, num_workers=workers, **options), make_loader(
            folder, SPEC, num_workers=0, **options
        )

    return make


def same(one: Any, other: Any) -> bool:
    """Whether these are the same batches, bit for bit."""
    one, other = list(one), list(other)
    return len(one) == len(other) and all(
        torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("options", [{"workers": 2}, {"shuffle": False, "batch_size": 7}, {"drop_last": False}])
def test_epochs_are_ours_bit_for_bit(
    both: Callable[..., tuple[DaliNativeLoader, ImageLoader]], options: dict[str, Any]
) -> None:
    theirs, ours = both(**options)
    assert len(theirs) == len(ours)
    for _ in range(3):
        assert theirs.epoch == ours.epoch
        assert same(theirs, ours)


class Finalised:
    """Garbage that only the collector finds, and that notes which process it was collected in."""

    def __init__(self, note: Path) -> None:
        self.note = note
        self.cycle = self

    def __del__(self) -> None:
        with self.note.open("a") as file:
            file.write(f"{os.getpid()}\n")


def test_workers_collect_no_garbage_that_they_inherit(two_classes: Path, tmp_path: Path) -> None:
    """A pipeline of DALI in it would wait forever for threads that a forked process does not have."""

    def collecting(data: bytes) -> torch.Tensor:
        gc.collect()
        return torch.zeros(1, 4, 4)

    gc.disable()
    try:
        Finalised(tmp_path / "note")
        list(make_dali_native_loader(two_classes / "train", collecting, batch_size=8, shuffle=False, num_workers=1))
    finally:
        gc.enable()
    assert (tmp_path / "note").read_text() == f"{os.getpid()}\n"


def test_states_are_ours(both: Callable[..., tuple[DaliNativeLoader, ImageLoader]]) -> None:
    theirs, ours = both(workers=2)
    whole = [list(ours) for _ in range(3)]
    list(theirs)
    iterator = iter(theirs)
    next(iterator)
    next(iterator)
    state = json.loads(json.dumps(theirs.state_dict()))
    assert (state["epoch"], state["samples"]) == (1, 10)
    ours.load_state_dict(state)
    assert same(ours, whole[1][2:])
    resumed, _ = both(batch_size=5)
    resumed.load_state_dict(state)
    assert same(resumed, whole[1][2:])
    assert same(resumed, whole[2])
    assert same(theirs, whole[1]), "broken off and begun again"
    theirs.set_epoch(0)
    assert same(theirs, whole[0])


def test_what_spawned_workers_need_can_be_sent_to_them(
    both: Callable[..., tuple[DaliNativeLoader, ImageLoader]], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = both(shuffle=False)
    # The second of two processes, which a spawned helper cannot ask torch.distributed for.
    monkeypatch.setattr("freqlearn.pipelines.dali.native.rank_and_world", lambda: (1, 2))
    monkeypatch.setattr("freqlearn.pipelines.dali.native.leave_stopping_to_main", lambda worker: None)
    source = pickle.loads(pickle.dumps(_Batches(theirs, 0, 0)))
    images = torch.cat([images for images, _ in ours])[1::2]
    for iteration in (1, 0, 2):
        got, labels = source(SimpleNamespace(epoch_idx=1, iteration=iteration))
        assert torch.equal(torch.from_numpy(got), images[5 * iteration : 5 * iteration + 5])
        assert len(labels) == len(got)
    with pytest.raises(StopIteration):
        source(SimpleNamespace(epoch_idx=0, iteration=3))


def test_bad_files_are_named(two_classes: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bad.jpg").write_bytes((two_classes / "val" / "flat" / "0.jpg").read_bytes()[:-300])
    source = make_dali_native_loader(tmp_path, SPEC, batch_size=1, shuffle=False, num_workers=1)
    with pytest.raises(SampleError, match=r"^\S+/a/bad.jpg: ") as caught:
        list(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": 0}, "at least 1 of num_workers"),
        ({"prefetch_factor": 0}, "at least 1 of num_workers"),
        ({"on_error": "skip"}, "leave out on_error"),
        ({"device": "cuda"}, 'expected device as "cpu"'),
    ],
    ids=["workers", "prefetch", "skip", "device"],
)
def test_wrong_arguments(two_classes: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_dali_native_loader(two_classes / "train", SPEC, batch_size=1, shuffle=False, **options)


def test_training_by_dali_goes_on_after_an_epoch(options: Callable[..., TrainOptions], tmp_path: Path) -> None:
    usual = {"loader": "dali", "workers": 1, "output": tmp_path / "run"}
    assert train(options(epochs=2, **usual)).steps == 6
    resumed = train(options(epochs=4, resume=True, **usual))
    assert resumed.steps == 12
    assert resumed.accuracy is not None
    assert resumed.accuracy >= 0.8


def test_training_by_our_decoder_in_dali_gives_the_same_weights(
    options: Callable[..., TrainOptions], tmp_path: Path
) -> None:
    results = [
        train(options(epochs=1, val_fraction=0, loader=loader, workers=1, output=tmp_path / loader))
        for loader in ("native", "dali-native")
    ]
    one, other = (torch.load(result.checkpoint, weights_only=True)["state_dict"] for result in results)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_bad_file_that_statistics_meet_does_not_advise_to_skip(
    options: Callable[..., TrainOptions], two_classes: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(two_classes, data)
    bad = next((data / "train").glob("*/*.jpg"))
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(SampleError) as caught:
        train(options(data=data, spec=None, loader="dali", workers=1, output=tmp_path / "run"))
    assert str(bad) in str(caught.value)
    assert "skip" not in str(caught.value)

"""The files of a run's state: what a full disk, a kill or a flipped bit does to them."""

import errno
import logging
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch
from stopped_runs import assert_same, read_state
from torchmetrics import SumMetric

from freqlearn import atomic
from freqlearn.models import FrequencyGate
from freqlearn.pipelines import checkpoint_files
from freqlearn.pipelines.checkpoint import CheckpointError
from freqlearn.pipelines.checkpoint_files import BEST, LAST, PREVIOUS, CheckpointFiles, newest_state
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.process_state import (
    gate_states,
    metric_states,
    random_state,
    set_gate_states,
    set_metric_states,
    set_random_state,
)
from freqlearn.pipelines.training import train

Options = Callable[..., TrainOptions]


@pytest.fixture(scope="module")
def finished(options: Options, training_spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a training of 3 epochs of 3 steps."""
    output = tmp_path_factory.mktemp("finished") / "run"
    train(options(output=output, size_px=None, spec=str(training_spec)))
    return output


@pytest.fixture
def run_folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "run")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip_a_bit(path: Path) -> None:
    """One bit of a weight: torch.load takes such a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    torch.load(path, weights_only=True)


def replace_by_weights(path: Path) -> None:
    shutil.copy(path.with_name(BEST), path)


def remove(path: Path) -> None:
    path.unlink()


DAMAGES = [
    pytest.param(cut_off, "not a readable checkpoint file", id="cut off"),
    pytest.param(flip_a_bit, "damaged: the checksum of .* is wrong", id="a flipped bit"),
    pytest.param(replace_by_weights, "holds a model only", id="best.ckpt in its place"),
    pytest.param(remove, "no such checkpoint file", id="missing"),
]


def test_sound_state_is_found(run_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert newest_state(run_folder) == run_folder / LAST
    assert not caplog.records
    assert {path.name for path in run_folder.glob("*.ckpt")} == {LAST, PREVIOUS, BEST}


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_damaged_state_is_reported_and_the_one_before_used(
    run_folder: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], message: str
) -> None:
    damage(run_folder / LAST)
    with caplog.at_level(logging.WARNING):
        assert newest_state(run_folder) == run_folder / PREVIOUS
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith(f"{run_folder / LAST}: ")
    assert said.endswith(f"; going on from {run_folder / PREVIOUS}, the state before")
    assert "\n" not in said
    with pytest.raises(CheckpointError, match=message):
        checkpoint_files.check_sound(run_folder / LAST)


@pytest.mark.parametrize(("damage", "message"), DAMAGES[:-1])
def test_two_damaged_states_are_an_error(run_folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(run_folder / LAST)
    damage(run_folder / PREVIOUS)
    with pytest.raises(CheckpointError, match=rf"last\.ckpt: {message}.*; and .*previous\.ckpt: {message}"):
        newest_state(run_folder)
    (run_folder / PREVIOUS).unlink()
    with pytest.raises(CheckpointError, match=rf"{message}.*; there is no previous\.ckpt"):
        newest_state(run_folder)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_whatever_damage_leads_to_is_one_error(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / LAST
    state = {"state_dict": {"weight": torch.zeros(4, 4)}, "optimizer_states": [{}], "loops": {"fit_loop": {"n": 1}}}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    draw, refusals = random.Random(0), []
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            checkpoint_files.check_sound(path)
        except CheckpointError as error:
            refusals.append(str(error))
    assert len(refusals) >= 200, "most bits matter"
    assert all(message.startswith(f"{path}: ") for message in refusals)


def test_run_goes_on_from_the_state_before(
    options: Options, training_spec: Path, finished: Path, run_folder: Path
) -> None:
    cut_off(run_folder / LAST)
    resumed = train(options(output=run_folder, size_px=None, spec=str(training_spec), resume=True))
    assert resumed.steps == 9
    # The generators that nobody draws from are of this process, and not the same as before.
    assert_same(read_state(run_folder) | {"processes": None}, read_state(finished) | {"processes": None})


@pytest.mark.parametrize("best_moved_too", [True, False])
def test_moved_run_keeps_its_best(
    options: Options, training_spec: Path, run_folder: Path, best_moved_too: bool
) -> None:
    state = torch.load(run_folder / LAST, weights_only=True)
    (key,) = (name for name in state["callbacks"] if name.startswith("ModelCheckpoint{"))
    state["callbacks"][key]["best_model_score"] = torch.tensor(2.0)  # better than what is to come
    torch.save(state, run_folder / LAST)
    before = (run_folder / BEST).read_bytes()
    if not best_moved_too:
        (run_folder / BEST).unlink()
    result = train(options(output=run_folder, size_px=None, spec=str(training_spec), resume=True, epochs=4))
    assert result.steps == 12
    assert result.accuracy is not None
    assert (result.accuracy == 2.0) == best_moved_too
    assert ((run_folder / BEST).read_bytes() == before) == best_moved_too


def test_damaged_state_does_not_replace_the_good_one(run_folder: Path) -> None:
    cut_off(run_folder / LAST)
    good = (run_folder / PREVIOUS).read_bytes()
    files = CheckpointFiles()
    files.load_checkpoint(newest_state(run_folder), weights_only=True)
    files.save_checkpoint({"step": 1}, run_folder / LAST)
    assert (run_folder / PREVIOUS).read_bytes() == good
    files.save_checkpoint({"step": 2}, run_folder / LAST)
    assert torch.load(run_folder / PREVIOUS, weights_only=True) == {"step": 1}
    assert torch.load(run_folder / LAST, weights_only=True) == {"step": 2}


class FullDisk:
    """A file that takes `room` bytes, and then behaves as on a full disk."""

    def __init__(self, file: IO[bytes], room: int) -> None:
        self.file = file
        self.room = room

    def write(self, data: bytes) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


@pytest.mark.parametrize("room", [0, 200, 30_000])
def test_full_disk_leaves_both_states(
    run_folder: Path, training_spec: Path, two_classes: Path, monkeypatch: pytest.MonkeyPatch, room: int, capsys: Any
) -> None:
    write = checkpoint_files._write
    monkeypatch.setattr(checkpoint_files, "_write", lambda data, file: write(data, FullDisk(file, room)))
    before = {path: path.read_bytes() for path in run_folder.glob("*.ckpt")}
    argv = ["train", f"--data={two_classes}", f"--spec={training_spec}", f"--output={run_folder}", "--resume"]
    more = ["--model=small", "--batch-size=8", "--lr=1e-2", "--augment=flip", "--workers=0", "--accelerator=cpu"]
    assert main([*argv, *more, "--no-progress", "--epochs=4"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last in [f"freqlearn: {run_folder / name}: No space left on device" for name in (LAST, BEST)]
    assert {path: path.read_bytes() for path in run_folder.glob("*.ckpt")} == before
    assert not list(run_folder.glob(".*")), "nothing half written is left"


def test_leftovers_of_a_killed_run_are_removed(options: Options, training_spec: Path, run_folder: Path) -> None:
    leftover, other = run_folder / ".last.ckpt.4711.tmp", run_folder / ".notes.tmp"
    leftover.write_bytes(b"half")
    other.write_bytes(b"mine")
    train(options(output=run_folder, size_px=None, spec=str(training_spec), resume=True, epochs=4))
    assert not leftover.exists()
    assert other.exists()


@pytest.mark.parametrize("hard_links", [True, False])
def test_atomic_file_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool) -> None:
    if not hard_links:

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        atomic.write_file(path, fail, keep=tmp_path / "before")
    assert caught.value.filename == str(path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    atomic.write_file(path, lambda file: file.write(b"new"), keep=tmp_path / "before")
    assert (path.read_bytes(), (tmp_path / "before").read_bytes()) == (b"new", b"old")
    assert len(list(tmp_path.iterdir())) == 2


def test_random_state_is_restored_from_a_checkpoint(tmp_path: Path) -> None:
    def draw() -> tuple[Any, ...]:
        return torch.rand(3).tolist(), np.random.normal(), random.gauss(0, 1), random.random()

    random.gauss(0, 1)  # it draws two and keeps one
    np.random.normal()
    before = random_state()
    torch.save(before, tmp_path / "state")
    expected = draw()
    assert draw() != expected
    set_random_state(torch.load(tmp_path / "state", weights_only=True))
    assert draw() == expected


def test_metrics_go_on_counting() -> None:
    module = torch.nn.ModuleDict({"counted": SumMetric(), "fresh": SumMetric()})
    module["counted"].update(3.0)
    states = metric_states(module)
    assert list(states) == ["counted"]
    module["counted"].update(100.0)
    other = torch.nn.ModuleDict({"counted": SumMetric(), "fresh": SumMetric()})
    set_metric_states(other, states)
    other["counted"].update(4.0)
    assert float(other["counted"].compute()) == 7.0
    assert not other["fresh"].update_called


def test_gates_go_on_counting() -> None:
    module = torch.nn.ModuleDict({"gate": FrequencyGate(4)})
    module["gate"].eval()(torch.randn(3, 4, 2, 2))
    other = torch.nn.ModuleDict({"gate": FrequencyGate(4)})
    other.load_state_dict(module.state_dict())
    set_gate_states(other, gate_states(module))
    maps = torch.randn(2, 4, 2, 2)
    for some in (module, other):
        some["gate"].train()(maps)
    assert other["gate"].images_counted == module["gate"].images_counted == 2, "training begins to count afresh"
    assert torch.equal(other["gate"].importance, module["gate"].importance)


def test_a_run_is_not_begun_over_another(options: Options, run_folder: Path, training_spec: Path) -> None:
    for name in (LAST, BEST):
        (run_folder / name).unlink()
    with pytest.raises(ValueError, match="holds the checkpoints of another run"):
        train(replace(options(), output=run_folder, size_px=None, spec=str(training_spec)))

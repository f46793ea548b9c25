"""A run that dies, or is stopped, and is resumed ends with the very weights of one that was never interrupted."""

import csv
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from shard_files import write_shards
from stopped_runs import Moment, assert_same, read_state, run, run_together, seed_everything

from freqlearn.pipelines.cli import main

# Everything that draws random numbers: order, crops, mixing, and a gate's noise.
RANDOM = ["--mixup=0.4", "--gate"]

Command = Callable[..., list[str]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def command(training_spec: Path, two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """`command(output, *more, data="folder")`: a training of 3 epochs of 6 steps, of 2 or 3 classes."""
    shards = tmp_path_factory.mktemp("shards")
    write_shards(shards / "train", [10, 8, 6])
    write_shards(shards / "val", [7, 3])
    data = {
        "folder": [f"--data={two_classes}"],
        "shards": [f"--data={shards}"],
        "pipe": [
            f"--train-shards=pipe:cat {shards}/train/{{00..02}}.tar",
            f"--val-shards=pipe:cat {shards}/val/{{00..01}}.tar",
            f"--classes={shards}/train/classes.txt",
            "--train-images=24",
            "--val-images=10",
        ],
    }

    def make(output: Path, *more: str, source: str = "folder") -> list[str]:
        sizes = ["--epochs=3", "--batch-size=4", "--workers=2", "--lr=1e-2"]
        fixed = ["train", "--model=small", "--accelerator=cpu", "--no-progress", *data[source], *sizes]
        return [*fixed, f"--output={output}", f"--spec={training_spec}", "--channels=24", *more]

    return make


@pytest.fixture(scope="module")
def uninterrupted(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`uninterrupted(*more, source="folder")`: the folder of a run with these options."""
    folders: dict[tuple[str, ...], Path] = {}

    def train(*more: str, source: str = "folder") -> Path:
        key = (*more, source)
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("uninterrupted") / "run"
            seed_everything(0)
            assert main(command(folders[key], *more, source=source)) == 0
        return folders[key]

    return train


def epoch_metrics(folder: Path) -> dict[tuple[int, str], str]:
    """(epoch, name) -> what was logged at the end of the epoch, in all parts of a run."""
    metrics = {}
    for log in sorted((folder / "logs").glob("*/metrics.csv")):
        with open(log, newline="") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if name.startswith(("train/", "val/")) and value:
                        metrics[int(row["epoch"]), name] = value
    return metrics


@pytest.mark.parametrize(
    ("moment", "more", "source"),
    [
        pytest.param(("step", 9), [*RANDOM, "--checkpoint-steps=2"], "folder", id="middle of an epoch"),
        pytest.param(("step", 3), [*RANDOM, "--checkpoint-steps=2"], "folder", id="first epoch"),
        pytest.param(("validation", 1), RANDOM, "folder", id="validation"),
        pytest.param(("step", 12), RANDOM, "folder", id="right after an epoch"),
        pytest.param(("saving", 4), [*RANDOM, "--checkpoint-steps=2"], "folder", id="while saving"),
        pytest.param(
            ("step", 9), ["--ema=0.9", "--accumulate=2", "--checkpoint-steps=2"], "folder", id="averages, accumulation"
        ),
        pytest.param(("validation", 1), ["--ema=0.9"], "folder", id="validation of averages"),
        pytest.param(("step", 9), [*RANDOM, "--checkpoint-steps=2"], "shards", id="shards"),
        pytest.param(("step", 9), [*RANDOM, "--checkpoint-steps=2"], "pipe", id="shards of a pipe"),
    ],
)
def test_killed_run_resumes_bit_by_bit(
    command: Command,
    uninterrupted: Callable[..., Path],
    tmp_path: Path,
    moment: Moment,
    more: list[str],
    source: str,
) -> None:
    # How often the state is saved changes nothing, so runs that differ in that alone share one.
    expected = uninterrupted(*(word for word in more if "--checkpoint-steps" not in word), source=source)
    output = tmp_path / "run"
    argv = command(output, *more, source=source)
    assert run(argv, signals={moment: signal.SIGKILL}, stderr=tmp_path / "err") == -signal.SIGKILL
    seed_everything(1)
    assert main([*argv, "--resume"]) == 0
    assert_same(read_state(output), read_state(expected))
    assert epoch_metrics(output) == epoch_metrics(expected)
    assert not list(output.glob(".*")), "what the killed run left half written is gone"


def test_killed_processes_resume_bit_by_bit(command: Command, tmp_path: Path) -> None:
    more = [*RANDOM, "--checkpoint-steps=2", "--workers=1", "--ema=0.9"]
    whole, output, stderr = tmp_path / "whole", tmp_path / "run", tmp_path / "err"
    assert run_together(command(whole, *more), signals={}, stderr=stderr) == [0, 0]
    killed = run_together(command(output, *more), signals={("step", 9): signal.SIGKILL}, to_rank=1, stderr=stderr)
    assert killed == [-signal.SIGKILL] * 2
    assert run_together(command(output, *more, "--resume"), signals={}, stderr=stderr) == [0, 0]
    assert_same(read_state(output), read_state(whole))
    assert epoch_metrics(output) == epoch_metrics(whole)

"""A run that dies, or is stopped, and is resumed ends with the very weights of one that was never interrupted."""

import csv
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from stopped_runs import Moment, assert_same, read_state, run, seed_everything

from freqlearn.pipelines.cli import main

# Everything that draws random numbers: order, crops, mixing, and a gate's noise.
RANDOM = ["--mixup=0.4", "--gate"]
STEPS_AN_EPOCH, EPOCHS = 6, 3

Command = Callable[..., list[str]]


@pytest.fixture(scope="module")
def command(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """`command(output, *more)`: a training of 3 epochs of 6 steps."""
    spec = tmp_path_factory.mktemp("spec") / "spec.json"
    measure = [
        "stats",
        str(two_classes / "train"),
        "-o",
        str(spec),
        "--size-px=32",
        "--resize-px=none",
        "--no-progress",
    ]
    assert main(measure) == 0

    def make(output: Path, *more: str) -> list[str]:
        sizes = ["--epochs=3", "--batch-size=4", "--workers=2", "--lr=1e-2"]
        fixed = ["train", "--model=small", "--accelerator=cpu", "--no-progress", f"--data={two_classes}", *sizes]
        return [*fixed, f"--output={output}", f"--spec={training_spec}", "--channels=24", *more]

    return make


@pytest.fixture(scope="module")
def uninterrupted(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`uninterrupted(*more)`: the folder of a run with these options."""
    folders: dict[tuple[str, ...], Path] = {}

    def train(*more: str) -> Path:
        if more not in folders:
            folders[more] = tmp_path_factory.mktemp("uninterrupted") / "run"
            seed_everything(0)
            assert main(command(folders[more], *more)) == 0
        return folders[more]

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
    ("moment", "more"),
    [
        pytest.param(("step", 9), [*RANDOM, "--checkpoint-steps=2"], id="middle of an epoch"),
        pytest.param(("step", 3), [*RANDOM, "--checkpoint-steps=2"], id="first epoch"),
        pytest.param(("validation", 1), RANDOM, id="validation"),
        pytest.param(("step", 12), RANDOM, id="right after an epoch"),
        pytest.param(("saving", 4), [*RANDOM, "--checkpoint-steps=2"], id="while saving"),
        pytest.param(("step", 9), ["--ema=0.9", "--accumulate=2", "--checkpoint-steps=2"], id="averages, accumulation"),
    ],
)
def test_killed_run_resumes_bit_by_bit(
    command: Command, uninterrupted: Callable[..., Path], tmp_path: Path, moment: Moment, more: list[str]
) -> None:
    expected = uninterrupted(*more)
    output = tmp_path / "run"
    assert run(command(output, *more), signals={moment: signal.SIGKILL}, stderr=tmp_path / "err") == -signal.SIGKILL
    seed_everything(1)
    assert main(command(output, *more, "--resume")) == 0
    assert_same(read_state(output), read_state(expected))
    assert epoch_metrics(output) == epoch_metrics(expected)
    assert not list(output.glob(".*")), "what the killed run left half written is gone"

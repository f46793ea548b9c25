"""A training that is sent SIGTERM saves, exits with status 75, and goes on later as if nothing had been."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from stopped_runs import Moment, assert_same, read_state, run, run_together, seed_everything

from freqlearn.pipelines.cli import main

Command = Callable[..., list[str]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def command(training_spec: Path, two_classes: Path) -> Command:
    """`command(output, *more)`: a training of 3 epochs of 6 steps."""

    def make(output: Path, *more: str) -> list[str]:
        fixed = ["train", "--model=small", "--accelerator=cpu", "--no-progress", f"--data={two_classes}", "--epochs=3"]
        sizes = ["--batch-size=4", "--workers=1", "--lr=1e-2", f"--spec={training_spec}", "--channels=24"]
        return [*fixed, *sizes, f"--output={output}", *more]

    return make


@pytest.fixture(scope="module")
def uninterrupted(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("uninterrupted") / "run"
    seed_everything(0)
    assert main(command(output)) == 0
    return output


@pytest.mark.parametrize(
    ("moment", "number", "step"),
    [
        pytest.param(("step", 8), signal.SIGTERM, 9, id="middle of an epoch"),
        pytest.param(("step", 8), signal.SIGUSR1, 9, id="SIGUSR1, as Slurm's --signal sends it"),
        pytest.param(("step", 11), signal.SIGTERM, 12, id="last step of an epoch"),
        pytest.param(("validation", 1), signal.SIGTERM, 12, id="validation"),
        pytest.param(("epoch", 1), signal.SIGTERM, 12, id="end of an epoch"),
        pytest.param(("epoch", 2), signal.SIGTERM, 18, id="end of the last epoch"),
    ],
)
def test_sigterm_saves_and_exits_with_75(
    command: Command, uninterrupted: Path, tmp_path: Path, moment: Moment, number: int, step: int
) -> None:
    output, stderr = tmp_path / "run", tmp_path / "err"
    assert run(command(output), signals={moment: number}, stderr=stderr) == 75
    assert stderr.read_text().splitlines()[-1] == (
        f"freqlearn: preempted after step {step}; state saved to {output}/last.ckpt: the same command with --resume "
        "goes on from there"
    )
    seed_everything(1)
    assert main(command(output, "--resume", "--workers=0")) == 0
    assert_same(read_state(output), read_state(uninterrupted))


def test_sigterm_before_the_training(command: Command, tmp_path: Path) -> None:
    output, stderr = tmp_path / "run", tmp_path / "err"
    argv = [word for word in command(output, "--size-px=32") if not word.startswith("--spec=")]
    assert run(argv, signals={("statistics", 0): signal.SIGTERM}, stderr=stderr) == 75
    assert stderr.read_text() == "freqlearn: stopped by SIGTERM\n"
    assert not output.exists(), "nothing is in the way of the same command"


def test_processes_stop_at_the_same_step(command: Command, tmp_path: Path) -> None:
    output, stderr = tmp_path / "run", tmp_path / "err"
    options = command(output, "--workers=0", "--gate", "--mixup=0.4")
    assert run_together(options, signals={("step", 8): signal.SIGTERM}, to_rank=1, stderr=stderr) == [75, 75]
    assert stderr.read_text().count("preempted after step 9") == 1, "the first process says it for all"
    assert run_together([*options, "--resume"], signals={}, stderr=stderr) == [0, 0]
    whole = command(tmp_path / "whole", "--workers=0", "--gate", "--mixup=0.4")
    assert run_together(whole, signals={}, stderr=stderr) == [0, 0]
    assert_same(read_state(output), read_state(tmp_path / "whole"))

"""A detector's training that dies, or is stopped, and is resumed ends as one that was never interrupted."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from stopped_runs import Moment, assert_same, read_state, run, seed_everything

from freqlearn.pipelines.cli import main

Command = Callable[..., list[str]]

# Everything that draws random numbers: order, sizes and crops, regions to train on, a gate's noise. And all that has a
# state of its own: momenta, Adam's for the gate, averages, parts of a step, the price of a gate's channels.
_ALL = ["--augment=jitter", "--gate", "--target-channels=8", "--ema=0.9", "--accumulate=2", "--optimizer=sgd"]


@pytest.fixture(scope="module")
def command(shapes_dir: Path) -> Command:
    """`command(output)`: a training of two epochs of two steps."""

    def make(output: Path) -> list[str]:
        data = [f"--images={shapes_dir / 'images'}", f"--annotations={shapes_dir / 'instances.json'}", "--first=6"]
        small = ["--min-size=48", "--max-size=64", "--proposals=20", "--rois=8", "--detections=5", "--stats-images=4"]
        length = ["--epochs=2", "--batch-size=2", "--val-fraction=0.34"]
        fixed = ["--model=fasterrcnn_resnet18_fpn", "--accelerator=cpu", "--workers=1", "--norm=group", "--no-progress"]
        return ["detect", "train", *data, *small, *length, *fixed, *_ALL, f"--output={output}"]

    return make


@pytest.fixture(scope="module")
def uninterrupted(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    seed_everything(0)
    assert main(command(folder)) == 0
    return folder


@pytest.mark.parametrize(
    ("moment", "number", "status"),
    [
        pytest.param(("step", 3), signal.SIGKILL, -signal.SIGKILL, id="killed in an epoch"),
        pytest.param(("validation", 0), signal.SIGTERM, 75, id="SIGTERM in a validation", marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_resumes_bit_by_bit(
    command: Command, uninterrupted: Path, tmp_path: Path, moment: Moment, number: int, status: int
) -> None:
    argv = [*command(tmp_path / "run"), "--checkpoint-steps=1"]  # how often the state is saved changes nothing
    assert run(argv, signals={moment: number}, stderr=tmp_path / "err") == status
    seed_everything(1)
    assert main([*argv, "--resume"]) == 0
    assert_same(read_state(tmp_path / "run"), read_state(uninterrupted))


def test_a_resumed_run_keeps_its_options(
    command: Command, uninterrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(uninterrupted), "--resume", "--min-size=56"]) == 2
    assert "min_size 48, and now min_size is 56" in capsys.readouterr().err

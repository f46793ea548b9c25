"""Parts of a step, in one process or in several, add up to the step of the whole batch."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from first_regions import choose_any_regions, choose_first_regions
from stopped_runs import read_state, run_together

from freqlearn.pipelines.cli import main

Command = Callable[..., list[str]]


@pytest.fixture(scope="module")
def command(shapes_dir: Path) -> Command:
    """`command(output, *more)`: a training of two steps of four pictures, of which every one has the same weight.

    All padded pictures are of 64x64 px. No BatchNorm, which sees the pictures of its own process; no masks, whose loss
    is a mean over as many objects as there are, and so no mean over pictures; 256 anchors and 8 regions of each.
    """

    def make(output: Path, *more: str) -> list[str]:
        data = [f"--images={shapes_dir / 'images'}", f"--annotations={shapes_dir / 'instances.json'}", "--first=8"]
        # Three: one process validates two of them, the other one.
        data += [f"--val-annotations={shapes_dir / 'instances.json'}", "--val-first=3", "--min-score=0"]
        small = ["--min-size=64", "--max-size=64", "--augment=none", "--proposals=50", "--rois=8", "--norm=group"]
        length = [
            "--epochs=1",
            "--batch-size=4",
            "--val-fraction=0",
            "--optimizer=sgd",
            "--lr=1e-2",
            "--stats-images=4",
        ]
        fixed = ["--model=fasterrcnn_resnet18_fpn", "--accelerator=cpu", "--workers=0", "--no-progress"]
        return ["detect", "train", *data, *small, *length, *fixed, f"--output={output}", *more]

    return make


def validated(folder: Path) -> dict[str, float]:
    """What the validation has logged."""
    with open(folder / "logs" / "version_0" / "metrics.csv", newline="") as file:
        return {
            name: float(value) for row in csv.DictReader(file) for name, value in row.items() if value and "AP" in name
        }


@pytest.fixture
def first_regions() -> Iterator[None]:
    """Which regions are drawn depends on the process and the part that draws: here none are."""
    choose_first_regions()
    yield
    choose_any_regions()


@pytest.mark.usefixtures("first_regions")
def test_parts_and_processes_make_the_steps_of_one(command: Command, tmp_path: Path) -> None:
    assert main(command(tmp_path / "whole")) == 0
    assert main(command(tmp_path / "parts", "--accumulate=2")) == 0
    together = command(tmp_path / "together")
    statuses = run_together(together, signals={}, stderr=tmp_path / "err", prepare=choose_first_regions)
    assert statuses == [0, 0], (tmp_path / "err").read_text()
    whole = read_state(tmp_path / "whole")
    momenta = [state["momentum_buffer"] for state in whole["optimizer_states"][0]["state"].values()]
    assert max(float(momentum.abs().max()) for momentum in momenta) > 0.1, "steps are longer than the tolerance"
    for name in ("parts", "together"):
        assert validated(tmp_path / name) == pytest.approx(validated(tmp_path / "whole"), abs=1e-3), name
        other = read_state(tmp_path / name)
        for key, value in whole["state_dict"].items():
            # The sums are the same but for their order: float32 has 24 bits, weights are up to 1, steps up to 0.01.
            torch.testing.assert_close(other["state_dict"][key], value, rtol=1e-4, atol=1e-6, msg=f"{name}: {key}")

"""A ranking by two processes: each passes its share of the images through the gate, and the mean is over all."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from freqlearn.models import FrequencyGate
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.gate_ranking import mean_probability
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.loaders import make_loader

pytestmark = pytest.mark.slow


def test_probability_is_the_mean_over_all_images_and_written_once(two_classes: Path, tmp_path: Path) -> None:
    # Lightning starts the second process, by the same command.
    arguments = {
        "data": two_classes,
        "output": tmp_path / "both",
        "top": 5,
        "model": "small",
        "size-px": 32,
        "augment": "flip",
        "rank-epochs": 1,
        "rank-batch-size": 8,
        "epochs": 1,
        "batch-size": 8,
        "keep-gate": "true",
        "workers": 0,
        "accelerator": "cpu",
        "devices": 2,
        "progress": "false",
    }
    environment = {
        name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "RANK", "WORLD_SIZE")
    }
    run = subprocess.run(
        [sys.executable, "-m", "freqlearn.pipelines.cli", "rank-and-train"]
        + [str(part) for name, value in arguments.items() for part in (f"--{name}", value)],
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("5 most important of 192 channels") == 1
    assert run.stderr.count("2 processes") == 2, "once for each training"
    trained = load_checkpoint(tmp_path / "both" / "rank" / "model" / "last.ckpt")
    gate = trained.model.get_submodule("gate")
    assert isinstance(gate, FrequencyGate)
    loader = make_loader(two_classes / "train", trained.header.spec, batch_size=24, shuffle=False, num_workers=0)
    expected = mean_probability(gate, loader).numpy()
    importance = Importance.load(tmp_path / "both" / "rank")
    assert importance.measured_on["images"] == 24
    # float32 means of other batches.
    np.testing.assert_allclose(importance.values, expected, atol=1e-6)
    assert load_checkpoint(tmp_path / "both" / "train" / "last.ckpt").header.spec.channels == importance.top(5)

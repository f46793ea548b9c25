"""Several processes that train together, started by Lightning; test_torchrun.py has those that torchrun starts."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from freqlearn.pipelines import networks
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.data import derived_seed
from freqlearn.pipelines.first_process import is_first_process
from freqlearn.pipelines.folders import read_class_folder
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.processes import chosen_world, share_of_batch
from freqlearn.pipelines.training import TrainResult, train

# The command, with a network in which a batch's gradient is the mean of its images': BatchNorm sees a process's alone.
# What is registered before the training runs after what the training has registered.
SCRIPT = """
import atexit
import sys
from torch import distributed, nn
from freqlearn.pipelines import networks
from freqlearn.pipelines.cli import main

def linear(spec, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(spec.in_channels * spec.map_size**2, num_classes))

networks._NETWORKS = {**networks._NETWORKS, "small": linear}
atexit.register(lambda: print("connected at the end:", distributed.is_initialized(), file=sys.stderr))
sys.exit(main())
"""
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process group around the tests."""
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


def run(command: list[str], options: TrainOptions, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command with these options, in a file of options, and a time limit."""
    folder.mkdir(exist_ok=True)
    config = folder / "options.yaml"
    config.write_text(yaml.safe_dump(options.plain()))
    return subprocess.run(
        [*command, "train", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_two_processes_make_the_steps_of_one(
    options: Callable[..., TrainOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def linear(spec: networks.InputSpec, num_classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(spec.in_channels * spec.map_size**2, num_classes))

    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    usual = {"optimizer": "sgd", "lr": 0.05, "epochs": 2, "gradient_clip": 1.0, "accumulate": 2, "ema": 0.5}
    done = run([sys.executable, str(script)], options(output=tmp_path / "two", devices=2, **usual), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'two' / 'best.ckpt'}: 6 steps, validation accuracy {done.stdout[-8:]}", (
        done.stdout
    )
    assert done.stderr.count("Measuring") == done.stderr.count("2 processes") == 1, done.stderr
    assert done.stderr.count("connected at the end: False") == 2, "gloo's threads may abort a process that ends"
    monkeypatch.setattr(networks, "_NETWORKS", {**networks._NETWORKS, "small": linear})
    one = train(options(output=tmp_path / "one", **usual))
    assert one.steps == 6
    for name in ("last.ckpt", "best.ckpt"):
        expected, got = (load_checkpoint(tmp_path / run / name).model.state_dict() for run in ("one", "two"))
        for key in expected:  # the sums are the same but for their order
            torch.testing.assert_close(expected[key], got[key], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_what_the_first_process_cannot_do_is_said_once(
    options: Callable[..., TrainOptions], two_classes: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "data" / "train"
    flat.mkdir(parents=True)
    for name in ("a", "b"):
        (flat / name).mkdir()
        (flat / name / "0.jpg").write_bytes(b"not a JPEG file")
    broken = options(data=tmp_path / "data", output=tmp_path / "run", val_fraction=0.0, devices=2, batch_size=2)
    done = run([sys.executable, "-m", "freqlearn.pipelines.cli"], broken, tmp_path / "config")
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line.startswith("freqlearn: ")]
    assert len(said) == 1, done.stderr
    assert "0.jpg" in said[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_torchrun_decides_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_world() == (1, 1)
    assert chosen_world(2, 3) == (2, 3)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert chosen_world() == chosen_world(4, 2) == (4, 2)
    with pytest.raises(ValueError, match="torchrun has started 4 processes here, and devices is 2"):
        chosen_world(2)
    with pytest.raises(ValueError, match="torchrun runs on 2 machines, and nodes is 3"):
        chosen_world(4, 3)


def test_shares_of_a_batch() -> None:
    assert share_of_batch(64, world=4, accumulate=2) == 8
    with pytest.raises(ValueError, match=r"64 cannot be shared evenly by 3 processes .* 2; choose 60 or 66"):
        share_of_batch(64, world=3, accumulate=2)
    with pytest.raises(ValueError, match="choose 8"):
        share_of_batch(4, world=8, accumulate=1)


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"RANK": "4", "LOCAL_RANK": "0"}, False),
        ({"NODE_RANK": "0", "LOCAL_RANK": "1"}, False),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, False),
        ({"SLURM_PROCID": "3"}, False),
    ],
)
def test_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], first: bool) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() is first


@pytest.mark.slow
def test_a_process_that_fails_leaves_none_waiting(
    options: Callable[..., TrainOptions], two_classes: Path, trained: TrainResult, tmp_path: Path
) -> None:
    data = shutil.copytree(two_classes, tmp_path / "data")
    files = read_class_folder(data / "train")
    order = torch.randperm(24, generator=torch.Generator().manual_seed(derived_seed(0, 0)))
    bad = files.path(int(order[9]))  # of the second process, in its second batch
    bad.write_bytes(b"not a JPEG file")
    trained.spec.save(tmp_path / "spec.json")
    broken = options(data=data, output=tmp_path / "run", spec=str(tmp_path / "spec.json"), size_px=None)
    done = run([*TORCHRUN, "-m", "freqlearn.pipelines.cli"], broken, tmp_path / "config")
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("freqlearn: ")]
    assert len([line for line in said if bad.name in line]) == 1, done.stderr
    assert all("another process has stopped" in line for line in said if bad.name not in line)
    assert "connection closed" not in done.stderr.lower()

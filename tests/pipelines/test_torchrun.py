"""`freqlearn train` and `evaluate` by several processes that torchrun starts, over gloo."""

import csv
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from together import NAME, recorded, without_batchnorm

from freqlearn.pipelines import networks
from freqlearn.pipelines.evaluation import evaluate
from freqlearn.pipelines.options import TrainOptions

pytestmark = pytest.mark.slow

HELPER = Path(__file__).parents[1] / "helpers" / "together.py"
WAIT_SECONDS = 300


def environment() -> dict[str, str]:
    """Of the processes: one thread each, and loopback only."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TORCHELASTIC", "PYTEST"))}
    return inherited | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "TP_SOCKET_IFNAME": "lo"}


def torchrun(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--local-addr=127.0.0.1", *arguments]


@pytest.fixture(scope="module")
def data(write_two_classes: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ with 24 files, val/ with an odd number of them: 9; and one/, with a single one."""
    root = tmp_path_factory.mktemp("data")
    write_two_classes(root / "train", images=12)
    write_two_classes(root / "val", images=5, seed=1)
    (root / "val" / "stripes" / "4.jpg").unlink()
    write_two_classes(root / "one", images=1, seed=2)
    (root / "one" / "stripes" / "0.jpg").unlink()
    (root / "one" / "stripes").rmdir()
    return root


@pytest.fixture(scope="module")
def damaged(write_two_classes: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, but that five of the training files and three of the validation files cannot be read."""
    root = tmp_path_factory.mktemp("damaged")
    write_two_classes(root / "train", images=12)
    write_two_classes(root / "val", images=5, seed=1)
    (root / "val" / "stripes" / "4.jpg").unlink()
    for name in BAD:
        path = root / name
        path.write_bytes(path.read_bytes()[:300])
    return root


BAD = sorted([f"train/flat/{i}.jpg" for i in range(5)] + [f"val/flat/{i}.jpg" for i in (1, 3)] + ["val/stripes/0.jpg"])


def plain(options: TrainOptions, **changes: Any) -> dict[str, Any]:
    return options.plain() | changes


@pytest.fixture(scope="module")
def together(
    options: Callable[..., TrainOptions], data: Path, damaged: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, Any], str, str]:
    """Folder, plan, stdout and stderr of two processes that have done everything once."""
    folder = tmp_path_factory.mktemp("together")
    usual = options(data=data, output=folder / "usual", epochs=2)
    alike = plain(options(data=data, output=folder / "alike", epochs=2, optimizer="sgd", lr=0.1), model=NAME)
    skipping = options(data=damaged, output=folder / "skipping", epochs=1, batch_size=4, on_bad_image="skip", workers=1)
    best = str(folder / "usual" / "best.ckpt")
    quiet = ["--accelerator", "cpu", "--no-progress", "--json", "--per-class", "--workers", "0"]
    plan: dict[str, Any] = {
        "usual": plain(usual),
        "alike": alike,
        "accumulated": alike | {"accumulate": 2, "output": str(folder / "accumulated")},
        "skipping": plain(skipping),
        "evaluate": ["evaluate", best, "--data", str(data), "--batch-size", "2", *quiet],
        "evaluate one": ["evaluate", best, "--data", str(data / "one"), *quiet],
        "evaluate damaged": ["evaluate", best, "--data", str(damaged), *quiet, "--on-bad-image", "skip"],
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    run = subprocess.run(
        torchrun("--standalone", "--nproc-per-node=2", str(HELPER), str(folder)),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder, plan, run.stdout, run.stderr


def of_ranks(folder: Path, name: str) -> list[tuple[list[float], dict[str, torch.Tensor]]]:
    return [torch.load(folder / f"{name}-{rank}.pt") for rank in range(2)]


def assert_equal(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_processes_validate_the_same_weights_and_buffers_and_save_them(together: Any) -> None:
    folder, *_ = together
    (losses_0, weights_0), (losses_1, weights_1) = of_ranks(folder, "usual")
    assert len(losses_0) == len(losses_1) == 2 * 24 // 8
    assert losses_0 != losses_1, "each has its share"
    assert any("running_mean" in name for name in weights_0)
    assert_equal(weights_0, weights_1)
    saved = torch.load(folder / "usual" / "last.ckpt", weights_only=True)["state_dict"]
    assert_equal({name: weights_0[name] for name in saved}, saved)


@pytest.mark.parametrize("name", ["alike", "accumulated"])
def test_training_is_one_process_s_at_the_same_batch_size(
    together: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without BatchNorm, the mean of the processes' gradients is the gradient of the whole batch."""
    folder, plan, *_ = together
    monkeypatch.setattr(networks, "_NETWORKS", {**networks._NETWORKS, NAME: without_batchnorm})
    alone = recorded(plan["alike"] | {"output": str(tmp_path / "alone")})
    (losses_0, weights), (losses_1, _) = of_ranks(folder, name)
    parts = len(losses_0) // len(alone.losses)
    # Lightning has divided the losses of parts by their number.
    losses = torch.tensor([losses_0, losses_1]).reshape(2, -1, parts).sum(dim=2).mean(dim=0)
    # float32 sums in another order, six steps long.
    assert losses.tolist() == pytest.approx(alone.losses, rel=1e-4)
    for key, value in alone.weights.items():
        assert torch.allclose(weights[key], value, rtol=1e-4, atol=1e-5), key


def evaluations(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]


def test_evaluation_counts_every_image_once_and_is_printed_once(together: Any, data: Path) -> None:
    folder, _, stdout, _ = together
    whole, one, _ = evaluations(stdout)
    for found, root, count in ((whole, data, 9), (one, data / "one", 1)):
        alone = evaluate(
            folder / "usual" / "best.ckpt", root, batch_size=9, workers=0, accelerator="cpu", progress=False
        )
        assert found["images"] == alone.images == count
        assert found["top1"] == pytest.approx(alone.top1)
        # Batches of 2 and of 9: convolutions may be summed in another order.
        assert found["loss"] == pytest.approx(alone.loss, rel=1e-4)
        assert found["per_class"] == pytest.approx(alone.per_class)


def test_training_validates_every_image_once(together: Any, data: Path) -> None:
    folder, *_ = together
    with open(folder / "usual" / "logs" / "version_0" / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val/images"]]
    assert [float(row["val/images"]) for row in rows] == [9, 9]
    checkpoint = folder / "usual" / "last.ckpt"
    alone = evaluate(checkpoint, data, batch_size=9, workers=0, accelerator="cpu", progress=False)
    assert float(rows[-1]["val/loss"]) == pytest.approx(alone.loss, rel=1e-4), "of the buffers that were saved"
    assert float(rows[-1]["val/accuracy"]) == pytest.approx(alone.top1)


def test_bad_images_of_all_processes_are_listed_once(together: Any, damaged: Path) -> None:
    folder, _, stdout, stderr = together
    (losses_0, weights_0), (losses_1, weights_1) = of_ranks(folder, "skipping")
    assert len(losses_0) == len(losses_1) == 24 // 4
    assert_equal(weights_0, weights_1)
    with open(folder / "skipping" / "bad_images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["file"] for row in rows) == [str(damaged / name) for name in BAD]
    assert all("the file has" in row["reason"] for row in rows)
    assert stderr.count(f"{len(BAD)} images skipped, listed in {folder / 'skipping' / 'bad_images.csv'}") == 1
    found = evaluations(stdout)[2]
    assert found["images"] == 6
    assert [name for name, _ in found["skipped"]] == [str(damaged / name) for name in BAD if name.startswith("val")]


def test_the_first_process_speaks_for_all(together: Any) -> None:
    folder, plan, _, stderr = together
    trainings = [step for step in plan.values() if isinstance(step, dict)]
    assert stderr.count("Training ") == len(trainings)
    assert stderr.count("2 processes") == len(trainings)
    assert sorted(path.name for path in (folder / "usual" / "logs").iterdir()) == ["version_0"]


def test_two_nodes_train_as_two_processes_of_one(together: Any, tmp_path: Path) -> None:
    folder, plan, *_ = together
    options = plan["usual"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    command = torchrun(
        "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", f"--rdzv-endpoint={endpoint}", "--rdzv-id=test"
    )
    command += ["-m", "freqlearn.pipelines.cli", "train", "--config", str(folder / "usual" / "config.yaml")]
    command += ["--output", str(tmp_path / "run")]
    agents = [
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        said = [agent.communicate(timeout=WAIT_SECONDS) for agent in agents]
    finally:
        for agent in agents:
            agent.kill()
    assert [agent.returncode for agent in agents] == [0, 0], said[0][1] + said[1][1]
    assert sorted(bool(stdout) for stdout, _ in said) == [False, True], "the first process prints the result"
    states = [torch.load(run / "last.ckpt", weights_only=True) for run in (Path(options["output"]), tmp_path / "run")]
    assert_equal(states[0]["state_dict"], states[1]["state_dict"])

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torchvision.datasets import ImageFolder

import freqlearn as fl
from freqlearn import presets
from freqlearn.pipelines import cli
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.evaluation import evaluate
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.ranking import rank
from freqlearn.pipelines.training import TrainResult, train


def logits_and_labels(checkpoint: Path, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """One image at a time, through torchvision's ImageFolder."""
    loaded = load_checkpoint(checkpoint)
    transform = presets.classification_eval(loaded.header.spec)
    folder = ImageFolder(root, loader=lambda path: Path(path).read_bytes(), transform=transform)
    with torch.inference_mode():
        logits = [loaded.model(image[None])[0].numpy() for image, _ in folder]
    return np.stack(logits), np.array(folder.targets)


def test_agrees_with_numpy(trained: TrainResult, two_classes: Path) -> None:
    result = evaluate(trained.checkpoint, two_classes, batch_size=4, workers=0, accelerator="cpu", progress=False)
    logits, labels = logits_and_labels(trained.checkpoint, two_classes / "val")
    right = logits.argmax(axis=1) == labels
    assert result.images == 10
    assert result.top1 == pytest.approx(right.mean())
    assert result.top5 is None
    # float32 convolutions over batches of 4 and of 1 may be summed in another order.
    assert result.loss == pytest.approx(-log_softmax(logits, axis=1)[np.arange(10), labels].mean(), rel=1e-4)
    expected = {name: right[labels == label].mean() for label, name in enumerate(("flat", "stripes"))}
    assert result.per_class == pytest.approx(expected)


def test_says_what_goes_in(trained: TrainResult, two_classes: Path) -> None:
    result = evaluate(trained.checkpoint, two_classes / "train", workers=0, accelerator="cpu", progress=False)
    assert (result.channels, result.in_channels, result.bytes_per_image) == ("DCT-24", 24, 24 * 4 * 4 * 4)
    assert (result.images, result.held_out) == (24, False)


def test_only_the_held_out_part_of_the_training_folder(
    options: Callable[..., TrainOptions], two_classes: Path, tmp_path: Path
) -> None:
    trained = train(options(data=two_classes / "train", output=tmp_path / "run", val_fraction=0.25, epochs=2))
    same = evaluate(trained.checkpoint, two_classes / "train", workers=0, accelerator="cpu", progress=False)
    assert (same.images, same.held_out) == (6, True)
    assert same.top1 == pytest.approx(trained.accuracy)
    other = evaluate(trained.checkpoint, two_classes / "val", workers=0, accelerator="cpu", progress=False)
    assert (other.images, other.held_out) == (10, False)


def test_classes_are_matched_by_name(trained: TrainResult, two_classes: Path, tmp_path: Path) -> None:
    shutil.copytree(two_classes / "val" / "stripes", tmp_path / "stripes")
    part = evaluate(trained.checkpoint, tmp_path, workers=0, accelerator="cpu", progress=False)
    whole = evaluate(trained.checkpoint, two_classes, workers=0, accelerator="cpu", progress=False)
    assert part.per_class == {"stripes": whole.per_class["stripes"]}
    (tmp_path / "stripes").rename(tmp_path / "zebra")
    with pytest.raises(ValueError, match="does not know the class 'zebra'"):
        evaluate(trained.checkpoint, tmp_path, workers=0, accelerator="cpu", progress=False)


@pytest.fixture(scope="module")
def gated(options: Callable[..., TrainOptions], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dynamic model whose gate switches by chance, but by what it sees."""
    folder = tmp_path_factory.mktemp("gated")
    trained = train(options(output=folder / "run", gate=True, channels="all", max_steps=1))
    state = torch.load(trained.checkpoint, weights_only=True)
    generator = torch.Generator().manual_seed(1)
    for name in ("weight", "bias"):
        logits = state["state_dict"][f"model.gate.logits.{name}"]
        logits.copy_(torch.randn(logits.shape, generator=generator))
    torch.save(state, folder / "gated.ckpt")
    return folder / "gated.ckpt"


def test_channels_that_a_gate_leaves_on(gated: Path, two_classes: Path) -> None:
    result = evaluate(gated, two_classes, batch_size=4, workers=0, accelerator="cpu", progress=False)
    loaded = load_checkpoint(gated)
    folder = ImageFolder(
        two_classes / "val", loader=fl.read_bytes, transform=presets.classification_eval(loaded.header.spec)
    )
    gate = loaded.model.get_submodule("gate")
    with torch.inference_mode():
        on = [int(gate(image[None], return_mask=True)[1].sum()) for image, _ in folder]
    assert len(set(on)) > 1, "every image has its own"
    assert result.in_channels == 192
    assert result.mean_channels == pytest.approx(np.mean(on))
    assert result.mean_bytes == pytest.approx(np.mean(on) * 4 * 4 * 4)
    assert result.bytes_per_image == 192 * 4 * 4 * 4


def test_a_static_model_has_no_gate(trained: TrainResult, two_classes: Path) -> None:
    result = evaluate(trained.checkpoint, two_classes, workers=0, accelerator="cpu", progress=False)
    assert (result.mean_channels, result.mean_bytes) == (None, None)


@pytest.fixture
def some_bad(two_classes: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The validation files with three that cannot be read, and without these."""
    bad = shutil.copytree(two_classes / "val", tmp_path / "bad")
    rest = shutil.copytree(two_classes / "val", tmp_path / "rest")
    for name in ("flat/1.jpg", "flat/3.jpg", "stripes/0.jpg"):
        (bad / name).write_bytes((bad / name).read_bytes()[:300])
        (rest / name).unlink()
    return bad, rest


@pytest.mark.parametrize("workers", [0, 1])
def test_what_cannot_be_read_is_left_out(trained: TrainResult, some_bad: tuple[Path, Path], workers: int) -> None:
    bad, rest = some_bad
    options: dict[str, Any] = {"batch_size": 2, "workers": workers, "accelerator": "cpu", "progress": False}
    result = evaluate(trained.checkpoint, bad, on_bad_image="skip", **options)
    expected = evaluate(trained.checkpoint, rest, **options)
    assert result.images == expected.images == 7
    assert (result.top1, result.per_class) == (expected.top1, expected.per_class)
    assert result.loss == pytest.approx(expected.loss, rel=1e-4)  # batches of other sizes, summed in another order
    assert [name for name, _ in result.skipped] == [
        str(bad / name) for name in ("flat/1.jpg", "flat/3.jpg", "stripes/0.jpg")
    ]
    with pytest.raises(ValueError, match=r"flat/1\.jpg: .*; remove the file, or leave such files out: --on-bad-image"):
        evaluate(trained.checkpoint, bad, **options)


def test_nothing_can_be_read(trained: TrainResult, tmp_path: Path) -> None:
    for name in ("flat", "stripes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"none of 2 images could be read; the first: .*0\.jpg: expected an image"):
        evaluate(trained.checkpoint, tmp_path, workers=0, accelerator="cpu", progress=False, on_bad_image="skip")


@pytest.mark.usefixtures("fresh_logging")
def test_command_says_what_was_left_out(
    trained: TrainResult, gated: Path, some_bad: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ["--data", str(some_bad[0]), "--workers", "0", "--accelerator", "cpu", "--no-progress"]
    assert cli.main(["evaluate", str(trained.checkpoint), *usual]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert cli.main(["evaluate", str(gated), *usual, "--on-bad-image", "skip"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        f"7 images of {some_bad[0]}\nskipped   3 that cannot be read; what follows is over the rest\n"
    )
    assert f"  {some_bad[0]}/flat/1.jpg: " in said
    assert re.search(r"^gate      \d+\.\d channels on average, [\d,]+ bytes an image$", said, re.MULTILINE)
    assert cli.main(["evaluate", str(gated), *usual, "--on-bad-image", "skip", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], len(found["skipped"])) == (7, 3)


def test_training_lists_what_it_left_out(
    options: Callable[..., TrainOptions], two_classes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each file once, in training, validation and statistics, after resuming too."""
    data = shutil.copytree(two_classes, tmp_path / "data")
    bad = [data / "train/flat/1.jpg", data / "val/flat/3.jpg"]
    for path in bad:
        path.write_bytes(b"no picture")
    run = options(data=data, output=tmp_path / "run", epochs=1, workers=1, on_bad_image="skip")
    assert train(run).steps == 3
    assert f"2 images skipped, listed in {tmp_path}/run/bad_images.csv" in caplog.text
    more = data / "train/stripes/5.jpg"
    more.write_bytes(b"")
    assert train(replace(run, epochs=2, resume=True)).steps == 6
    with open(tmp_path / "run" / "bad_images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(map(str, [*bad, more]))
    assert rows[1]["reason"] == "expected the bytes of an image file, got none: the source is empty"
    assert caplog.messages[-1].startswith("3 images skipped")
    with pytest.raises(ValueError, match="leave such files out: --on-bad-image skip"):
        train(options(data=data, output=tmp_path / "strict", epochs=1))


@pytest.mark.parametrize("method", ["energy", "gate"])
def test_ranking_lists_what_it_left_out(
    two_classes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, method: Any
) -> None:
    data = shutil.copytree(two_classes, tmp_path / "data")
    bad = data / "train/flat/1.jpg"
    bad.write_bytes(b"no picture")
    usual = RankOptions(
        data=data,
        output=tmp_path / "rank",
        method=method,
        model="small",
        size_px=32,
        augment="flip",
        epochs=1,
        lambda_=0.01,
        batch_size=8,
        workers=0,
        accelerator="cpu",
        progress=False,
    )
    with pytest.raises(ValueError, match=r"1\.jpg: .*; remove the file, or leave such files out: --on-bad-image skip$"):
        rank(usual)
    rank(replace(usual, output=tmp_path / "skipping", on_bad_image="skip"))
    with open(tmp_path / "skipping" / "bad_images.csv", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [str(bad)]
    assert caplog.messages[-1] == f"1 image skipped, listed in {tmp_path}/skipping/bad_images.csv"

"""Commands on a packed set: training, evaluation and ranking as on the same files, with one argument."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from packed_files import write_packed

import freqlearn as fl
from freqlearn.pipelines.checkpoint import read_data, read_header
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.ranking import _WithClassifier
from freqlearn.pipelines.training import TrainResult, train

DCT_24 = fl.ChannelSet.square(24)
SPEC = fl.InputSpec("dct", DCT_24, (3.0,) * 24, (50.0,) * 24, size_px=32, resize_px=48)
TINY = [
    "--model=small",
    "--epochs=2",
    "--batch-size=8",
    "--lr=1e-2",
    "--workers=0",
    "--accelerator=cpu",
    "--no-progress",
]


@pytest.fixture(scope="module")
def packed(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> fl.PackedSet:
    """two_classes for DCT-24 at 32 of 48 px: 24 training images in 5 shards, 10 validation images in 2."""
    return write_packed(two_classes, tmp_path_factory.mktemp("set"), SPEC)


@pytest.fixture(scope="module")
def checkpoint(packed: fl.PackedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained with nothing said but where the set is."""
    torch.set_num_threads(1)  # as in tests: with another number sums are rounded otherwise
    output = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", f"--data={packed.root}", *TINY, f"--output={output}"]) == 0
    return output / "last.ckpt"


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_data(checkpoint)["state_dict"]
    return found


def without_index(packed: fl.PackedSet, folder: Path) -> Path:
    """The same shards, as if something else had written them."""
    root = Path(shutil.copytree(packed.root, folder / "plain"))
    (root / "index.json").unlink()
    return root


def test_trains_with_the_spec_of_the_index(packed: fl.PackedSet, checkpoint: Path, tmp_path: Path):
    header = read_header(checkpoint)
    assert (header.spec, header.classes, header.held_out) == (SPEC, ("flat", "stripes"), None)
    SPEC.save(tmp_path / "spec.json")
    plain = without_index(packed, tmp_path)
    arguments = [f"--data={plain}", f"--spec={tmp_path}/spec.json", f"--output={tmp_path}/run"]
    assert main(["train", *arguments, *TINY]) == 0
    expected = weights(tmp_path / "run" / "last.ckpt")
    found = weights(checkpoint)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_evaluates_as_the_same_files(packed: fl.PackedSet, checkpoint: Path, capsys: pytest.CaptureFixture[str]):
    found = []
    for data in (packed.root, packed.root / "val", packed.root.parent / "files", packed.root / "train"):
        evaluation = ["evaluate", str(checkpoint), f"--data={data}", "--json", "--workers=0", "--accelerator=cpu"]
        assert main([*evaluation, "--no-progress", "--batch-size=4"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    whole, split, files, train_split = found
    assert whole == split
    assert Path(whole.pop("data")).is_relative_to(packed.root / "val")
    assert Path(files.pop("data")) == packed.root.parent / "files" / "val"
    # The sums over batches of other pictures.
    assert whole.pop("loss") == pytest.approx(files.pop("loss"), rel=1e-5)
    assert whole == files
    assert (whole["images"], train_split["images"]) == (10, 24)


def test_measures_where_the_index_has_no_statistics(two_classes: Path, options: Callable[..., object], tmp_path: Path):
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.square(48), 32, 48)
    packed = write_packed(two_classes, tmp_path / "set", spec)
    result = trained(packed.root, tmp_path / "run", options, channels="24")
    found = read_header(result.checkpoint).spec
    assert (found.channels, found.size_px, found.resize_px) == (DCT_24, 32, 48)
    files = tmp_path / "set" / "files"
    same = trained(files, tmp_path / "same", options, channels="24", size_px=32, resize_px=48)
    expected = read_header(same.checkpoint).spec
    assert found.mean == pytest.approx(expected.mean)  # summed in another order
    assert found.std == pytest.approx(expected.std)


def trained(data: Path, output: Path, options: Callable[..., object], **changes: object) -> TrainResult:
    usual = {"data": data, "output": output, "size_px": None, "augment": "standard", "epochs": 1}
    return train(options(**(usual | changes)))  # type: ignore[arg-type]


def test_channels_of_the_index_keep_their_statistics(
    packed: fl.PackedSet, options: Callable[..., object], tmp_path: Path
):
    result = trained(packed.root, tmp_path / "run", options, channels="0-3,64")
    assert read_header(result.checkpoint).spec == SPEC.select(fl.ChannelSet.of((0, 1, 2, 3, 64)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--channels=48"], "the packed files carry DCT-24 (24 channels) alone, and not Y(0,4)"),
        (["--size-px=64"], "alone, at size_px 32 and resize_px 48: expected these of the model too, got 64 and 73"),
        (["--input=rgb"], "alone, and RGB needs all 192"),
        (["--spec=SPEC"], "expected these of the model too, got 32 and 40"),
    ],
    ids=["channels", "size", "rgb", "spec"],
)
def test_what_a_pruned_set_cannot_train(
    packed: fl.PackedSet, tmp_path: Path, arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
):
    replace(SPEC, resize_px=40).save(tmp_path / "spec.json")
    arguments = [argument.replace("SPEC", f"{tmp_path}/spec.json") for argument in arguments]
    output = tmp_path / "run"
    assert main(["train", f"--data={packed.root}", *TINY, f"--output={output}", *arguments]) == 2
    assert message in capfd.readouterr().err
    assert not output.exists()


def test_a_model_of_another_size_is_not_evaluated(
    packed: fl.PackedSet, trained_else: Path, capfd: pytest.CaptureFixture[str]
):
    arguments = ["--workers=0", "--accelerator=cpu", "--no-progress"]
    assert main(["evaluate", str(trained_else), f"--data={packed.root}", *arguments]) == 2
    assert "expected these of the model too, got 64 and 73" in capfd.readouterr().err


@pytest.fixture(scope="module")
def trained_else(options: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of pictures of 64 px."""
    changes = {"size_px": 64, "augment": "standard", "epochs": 1, "output": tmp_path_factory.mktemp("else") / "run"}
    return train(options(**changes)).checkpoint  # type: ignore[arg-type]


def test_ranking_needs_all_channels(
    packed: fl.PackedSet, two_classes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    arguments = ["--method=energy", "--no-progress", "--workers=0", "--accelerator=cpu"]
    assert main(["rank", f"--data={packed.root}", f"--output={tmp_path}/none", *arguments]) == 2
    assert "the packed files carry DCT-24 (24 channels) alone, and not Y(0,4), Y(0,5)" in capfd.readouterr().err
    with_all = write_packed(two_classes, tmp_path / "all", SPEC, channels="all")
    options = RankOptions(data=with_all.root, output=tmp_path / "ranking", method="energy", accelerator="cpu")
    task = _WithClassifier(options)  # a whole ranking spends its time on the heatmap
    task.open()
    spec, variance = task.measured_spec(task.chosen_spec())
    assert (spec.channels, spec.size_px, spec.resize_px) == (fl.ChannelSet.all(), 32, 48)
    assert variance.argmax() in range(1, 8)  # vertical stripes


def test_a_set_without_a_training_split(packed: fl.PackedSet, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    index = packed.to_dict()
    del index["splits"]["train"]
    fl.PackedSet.from_dict(index, tmp_path).save()
    assert main(["train", f"--data={tmp_path}", *TINY, f"--output={tmp_path}/run"]) == 2
    assert f"{tmp_path}: expected one of the splits val, got 'train'" in capfd.readouterr().err


def test_one_split_is_trained_on_without_validation(
    packed: fl.PackedSet, options: Callable[..., object], tmp_path: Path
):
    result = trained(packed.root / "train", tmp_path / "run", options)
    assert result.accuracy is None

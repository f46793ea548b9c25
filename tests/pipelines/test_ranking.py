"""`freqlearn rank`: planted channels are found, files are written, runs resume, mistakes are named."""

import json
import logging
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from PIL import Image

from freqlearn.channels import ChannelSet
from freqlearn.pipelines import planted
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.rank_options import Method, RankOptions
from freqlearn.pipelines.ranking import rank
from freqlearn.pipelines.recovery import Recovery, recover, summary
from freqlearn.pipelines.stats import stats
from freqlearn.spec import InputSpec

Options = Callable[..., RankOptions]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> planted.Planted:
    """The demo's data. Smaller ones save no time: the gate needs some 150 steps of 32 pictures to choose."""
    return planted.write(tmp_path_factory.mktemp("planted") / "data", seed=2)


@pytest.fixture
def options(two_classes: Path, tmp_path: Path) -> Options:
    """`options(...)`: a ranking of seconds."""

    def make(**changes: Any) -> RankOptions:
        usual: dict[str, Any] = {
            "data": two_classes,
            "output": tmp_path / "rank",
            "model": "small",
            "size_px": 32,
            "augment": "flip",
            "epochs": 2,
            "batch_size": 8,
            "workers": 0,
            "accelerator": "cpu",
            "progress": False,
        }
        return RankOptions(**(usual | changes))

    return make


@pytest.fixture(scope="module")
def recovered(data: planted.Planted, tmp_path_factory: pytest.TempPathFactory) -> dict[Method, Recovery]:
    results = recover(data, tmp_path_factory.mktemp("rankings"), workers=0)
    return {result.method: result for result in results}


@pytest.mark.slow
def test_planted_channels_are_found_by_gate_and_ablation_and_missed_by_energy(
    recovered: dict[Method, Recovery],
) -> None:
    # 90 % of eight, rounded down.
    assert recovered["gate"].found >= 7
    assert recovered["gate"].found_outside >= 3
    assert recovered["ablation"].found >= 6
    assert recovered["energy"].found == 0
    assert {result.outside for result in recovered.values()} == {4}


@pytest.mark.slow
def test_target_channels_are_reached(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small = planted.write(tmp_path / "data", seed=2, size_px=64)
    options = RankOptions(
        data=small.root, output=tmp_path / "rank", model="small", size_px=64, augment="flip", epochs=12, gate_lr=0.02,
        target_channels=24, top=8, stats_images=100, validate_every=4, workers=0, accelerator="cpu", progress=False,
    )  # fmt: skip
    with caplog.at_level(logging.INFO, "freqlearn"):
        ranking = rank(options)
    where = ranking.importance.measured_on
    # Of validation images, by the model that was saved: what the training aimed at, and 15 % off at most.
    assert where["channels on"] == pytest.approx(24, rel=0.15)
    assert where["target channels"] == 24
    assert "the target is 24" in caplog.text
    assert small.found(ranking.importance.top(24)) >= 7, "the channels that are kept are those that matter"


def test_missed_target_is_reported(options: Options, caplog: pytest.LogCaptureFixture) -> None:
    rank(options(target_channels=3, epochs=1))
    assert "the target is 3: with more epochs the gate comes closer" in caplog.text


def test_steered_ranking_resumes_exactly(options: Options, tmp_path: Path) -> None:
    steered = options(target_channels=24, optimizer="sgd", ema=0.9, mixup=0.5, epochs=2)
    whole = rank(replace(steered, output=tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        rank(steered, callbacks=[CtrlC(4)])
    resumed = rank(replace(steered, resume=True))
    assert resumed.importance.values.tolist() == whole.importance.values.tolist()
    assert resumed.importance.measured_on["lambda at the end"] == whole.importance.measured_on["lambda at the end"]


def test_recovery_table() -> None:
    one = Recovery(method="gate", seed=1, plants=8, found=8, found_outside=4, outside=4, seconds=1.0)
    other = replace(one, seed=9, found=1, found_outside=0)
    rows = summary([other, replace(one, method="energy", found=0, found_outside=0), one])
    assert [row["ranking by"] for row in rows] == ["gate", "energy"]
    assert rows[0]["found"] == "9 of 16 = 56%"
    assert rows[0]["outside DCT-24"] == "4 of 8"
    assert (rows[0]["seed 1"], rows[0]["seed 9"], rows[1]["seed 9"]) == ("8/8", "1/8", "")


@pytest.mark.parametrize("method", ["gate", "energy", "ablation"])
def test_files_and_report(options: Options, two_classes: Path, tmp_path: Path, method: Method) -> None:
    ranking = rank(options(method=method, top=5))
    folder = tmp_path / "rank"
    for name in ("importance.json", "importance.csv", "heatmap.png", "heatmap.svg", "spec.json", "config.yaml"):
        assert (folder / name).stat().st_size > 0
    loaded = Importance.load(folder)
    assert loaded.values.tolist() == ranking.importance.values.tolist()
    assert loaded.method == method
    where = loaded.measured_on
    assert where["folder"] == str(two_classes / "train")
    assert (where["classes"], where["seed"]) == (2, 0)
    assert where["images"] == (10 if method == "ablation" else 24)
    spec = InputSpec.load(folder / "spec.json")
    assert spec.channels == ChannelSet.all()
    assert (spec.size_px, spec.resize_px) == (32, None)
    assert ranking.selected == loaded.top(5)
    text = str(ranking)
    assert "5 most important of 192 channels" in text
    assert "in the lowest 16 frequencies" in text
    assert str(folder) in text
    if method == "gate":
        assert ((ranking.importance.values >= 0) & (ranking.importance.values <= 1)).all()
        assert where["lambda"] == 0.5
    if method == "energy":
        assert loaded.values == pytest.approx(np.square(spec.std) / np.square(spec.std).sum())


def test_spec_of_stats_is_used(options: Options, two_classes: Path, tmp_path: Path) -> None:
    stats(two_classes / "train", tmp_path / "spec.json", size_px=32, resize_px="none", progress=False)
    given = rank(options(method="energy", size_px=None, spec=str(tmp_path / "spec.json")))
    measured = rank(options(method="energy", output=tmp_path / "other"))
    assert given.importance.values == pytest.approx(measured.importance.values)
    assert "images" not in given.importance.measured_on, "a spec does not say of how many"
    assert f"on {two_classes / 'train'}:" in str(given)


class CtrlC(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("method", ["gate", "ablation"])
def test_interrupted_ranking_resumes_exactly(options: Options, tmp_path: Path, method: Method, step: int) -> None:
    whole = rank(options(method=method, output=tmp_path / "whole"))
    interrupted = options(method=method)
    with pytest.raises(KeyboardInterrupt):
        rank(interrupted, callbacks=[CtrlC(step)])
    assert not (tmp_path / "rank" / "importance.json").exists()
    resumed = rank(replace(interrupted, resume=True))
    assert resumed.importance.values.tolist() == whole.importance.values.tolist()


def test_worker_count_changes_nothing(options: Options, tmp_path: Path) -> None:
    one = rank(options(output=tmp_path / "one"))
    two = rank(options(output=tmp_path / "two", workers=2))
    assert one.importance.values.tolist() == two.importance.values.tolist()


def test_the_caller_s_random_state_and_threads_stay(options: Options) -> None:
    torch.manual_seed(5)
    expected, threads = torch.rand(2), torch.get_num_threads()
    torch.manual_seed(5)
    rank(options(epochs=1))
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads


@pytest.fixture(scope="module")
def finished(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("finished") / "rank"
    rank(
        RankOptions(
            data=two_classes, output=output, model="small", size_px=32, augment="flip", epochs=2, batch_size=8,
            workers=0, accelerator="cpu", progress=False,
        )
    )  # fmt: skip
    return output


def test_finished_ranking_resumes_to_its_result(options: Options, finished: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(finished, tmp_path / "rank")
    again = rank(options(output=copy, resume=True, top=3))
    assert again.importance.values.tolist() == Importance.load(finished).values.tolist()
    assert len(again.selected) == 3


def test_used_output_is_refused(options: Options, finished: Path) -> None:
    with pytest.raises(ValueError, match="holds another ranking"):
        rank(options(output=finished))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 7}, "begun with seed 0, and now it is 7"),
        ({"lambda_": 0.1}, "begun with lambda_ 0.5"),
        ({"method": "energy"}, "begun with method gate"),
        ({"output": Path("missing")}, "no ranking to resume"),
    ],
)
def test_resume_refuses_another_ranking(
    options: Options, finished: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        rank(options(**({"output": finished, "resume": True} | changes)))


@pytest.mark.parametrize("text", ["{", "just words"])
def test_damaged_config_is_named(options: Options, finished: Path, tmp_path: Path, text: str) -> None:
    copy = shutil.copytree(finished, tmp_path / "rank")
    (copy / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml: expected the options of a ranking"):
        rank(options(output=copy, resume=True))


def test_energy_of_gray_pictures(options: Options, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "gray" / name).mkdir(parents=True)
        for number in range(2):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "gray" / name / f"{number}.jpg")
    once = options(data=tmp_path / "gray", method="energy")
    ranking = rank(once)
    assert ranking.importance.summary()["Y"] == pytest.approx(1)
    assert ranking.spec.std[64:] == (1.0,) * 128
    again = rank(replace(once, resume=True))
    assert again.importance.values.tolist() == ranking.importance.values.tolist()


def test_resume_refuses_other_files(options: Options, finished: Path, two_classes: Path, tmp_path: Path) -> None:
    data = shutil.copytree(two_classes, tmp_path / "data")
    (data / "train" / "flat" / "0.jpg").unlink()
    copy = shutil.copytree(finished, tmp_path / "rank")
    config = yaml.safe_load((copy / "config.yaml").read_text())
    (copy / "config.yaml").write_text(yaml.safe_dump(config | {"data": str(data)}))
    with pytest.raises(ValueError, match="not the 24 files"):
        rank(options(data=data, output=copy, resume=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top": 0}, "top must be 1 to 192"),
        ({"top": 193}, "top must be 1 to 192"),
        ({"lambda_": -1.0}, "lambda must not be negative"),
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"gate_lr": 0.0}, "gate_lr must be positive"),
        ({"ablation_images": 0}, "ablation_images must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_options_are_checked(options: Options, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**changes)


def test_ablation_needs_validation_files(two_classes: Path, options: Options) -> None:
    with pytest.raises(ValueError, match="ablation measures the loss on validation files"):
        options(method="ablation", data=two_classes / "train", val_fraction=0.0)


def test_spec_must_have_all_channels_and_the_size(options: Options, tmp_path: Path) -> None:
    InputSpec.unstandardised(ChannelSet.square(24), 32).save(tmp_path / "24.json")
    with pytest.raises(ValueError, match="spec of all 192 channels"):
        rank(options(spec=str(tmp_path / "24.json")))
    InputSpec.unstandardised(ChannelSet.all(), 32).save(tmp_path / "32.json")
    with pytest.raises(ValueError, match="measured at size_px 32"):
        rank(options(spec=str(tmp_path / "32.json"), size_px=64))
    assert not (tmp_path / "rank" / "config.yaml").exists()


def test_gate_that_switches_everything_off_is_an_error(options: Options, data: planted.Planted, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"switched all 192 channels off.*--lambda"):
        rank(
            options(data=data.root, size_px=112, lambda_=1000.0, gate_lr=0.3, batch_size=32, epochs=1, stats_images=50)
        )
    assert not (tmp_path / "rank" / "importance.json").exists()


def test_undecided_gate_is_reported(options: Options, caplog: pytest.LogCaptureFixture) -> None:
    rank(options(lambda_=0.0, epochs=1))
    assert "has hardly begun to choose" in caplog.text


def test_ranking_is_json_that_train_reads(finished: Path) -> None:
    data = json.loads((finished / "importance.json").read_text())
    assert data["format"] == "freqlearn.importance"
    assert data["measured_on"]["model"] == "small"

"""`freqlearn detect rank`: the gate's mean probability over the pictures, the files, and resumed rankings."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.dataset import CocoDataset
from freqlearn.pipelines.detection.inputs import choose_detection_spec, eval_transform
from freqlearn.pipelines.detection.loading import load_detector
from freqlearn.pipelines.detection.options import DetectOptions, DetectRunOptions
from freqlearn.pipelines.detection.rank_options import DetectRankOptions
from freqlearn.pipelines.detection.ranking import Ranking, rank_with_detector
from freqlearn.pipelines.importance import Importance
from freqlearn.spec import InputSpec

Options = Callable[..., DetectRankOptions]


@pytest.fixture(scope="module")
def options(detect: Callable[..., DetectOptions]) -> Options:
    """`options(output=..., ...)`: a ranking of seconds on six generated scenes."""

    def make(**changes: Any) -> DetectRankOptions:
        training = detect(first=6, val_fraction=0.3, max_steps=2)
        shared = {field.name: getattr(training, field.name) for field in fields(DetectRunOptions)}
        return DetectRankOptions(**(shared | changes))

    return make


@pytest.fixture(scope="module")
def ranked(options: Options, tmp_path_factory: pytest.TempPathFactory) -> Ranking:
    """What the gate gives."""
    return rank_with_detector(options(output=tmp_path_factory.mktemp("ranked") / "rank", top=5))


class _Stopped(Callback):
    """Ctrl-C after the first step."""

    def on_train_batch_end(self, *_: Any) -> None:
        raise KeyboardInterrupt


def test_files_and_report(ranked: Ranking, options: Options, shapes: CocoFolder) -> None:
    for name in ("importance.json", "importance.csv", "heatmap.png", "heatmap.svg", "spec.json", "config.yaml"):
        assert (ranked.folder / name).stat().st_size > 0
    importance = Importance.load(ranked.folder)
    where = importance.measured_on
    assert (where["images"], where["classes"], where["lambda"]) == (4, 3, 0.5)
    assert where["model"] == "fasterrcnn_resnet18_fpn"
    assert "box AP of the gated model" in where
    assert where["folder"] == str(shapes.annotations_json)
    assert ranked.selected == importance.top(5)
    assert ranked.spec.channels == ChannelSet.all()
    assert ranked.spec.size_px == 96
    assert "5 most important of 192 channels" in str(ranked)
    with pytest.raises(ValueError, match="holds another ranking"):
        rank_with_detector(options(output=ranked.folder))


def test_the_gate_ranks_by_its_mean_probability_over_the_pictures(
    ranked: Ranking, options: Options, shapes: CocoFolder
) -> None:
    # The dynamic model, one picture after the other through the gate's forward, which takes a batch of one size.
    loaded, model = load_detector(ranked.folder / "model" / "last.ckpt")
    assert model.gate is not None
    training, _ = shapes.first(6).split(0.3, seed=0)
    pictures = CocoDataset(training, eval_transform(loaded.header.spec, options().training()))
    probabilities = []
    with torch.inference_mode():
        for index in range(len(pictures)):
            maps, _ = pictures[index]
            model.gate.reset_importance()
            model.gate(maps[None])
            probabilities.append(model.gate.importance.numpy())
    assert ranked.importance.values == pytest.approx(np.mean(probabilities, axis=0), abs=1e-6)
    assert np.ptp(probabilities, axis=0).max() > 1e-4, "the pictures differ, so that their mean is one"


def test_a_stopped_ranking_goes_on_and_keeps_its_options(ranked: Ranking, options: Options, tmp_path: Path) -> None:
    rank = options(output=tmp_path / "rank", top=5)
    with pytest.raises(KeyboardInterrupt):
        rank_with_detector(rank, callbacks=[_Stopped()])
    assert not (rank.folder / "importance.json").exists()
    with pytest.raises(ValueError, match=re.escape("was begun with lr 0.001, and now it is 0.5")):
        rank_with_detector(replace(rank, lr=0.5, resume=True))
    resumed = rank_with_detector(replace(rank, resume=True))
    # A step moves probabilities by some 1e-3. That training resumes bit by bit is shown in test_detector_resuming.
    assert resumed.importance.values == pytest.approx(ranked.importance.values, abs=1e-5)


def test_energy_is_the_share_of_variance(options: Options, tmp_path: Path) -> None:
    ranking = rank_with_detector(options(method="energy", output=tmp_path / "rank"))
    spec = InputSpec.load(tmp_path / "rank" / "spec.json")
    assert ranking.importance.values == pytest.approx(np.square(spec.std) / np.square(spec.std).sum())
    assert ranking.importance.method == "energy"
    assert ranking.importance.values.argmax() == 0, "most of a picture's variance is in Y's mean of a block"
    assert not (tmp_path / "rank" / "model").exists()
    given = options(method="energy", spec=str(tmp_path / "rank" / "spec.json"), output=tmp_path / "again")
    assert rank_with_detector(given).importance.values == pytest.approx(ranking.importance.values)


def test_a_spec_of_other_channels_is_refused(options: Options, tmp_path: Path) -> None:
    InputSpec.unstandardised(ChannelSet.square(24), 96).save(tmp_path / "24.json")
    with pytest.raises(ValueError, match="expected a spec of all 192 channels to rank"):
        rank_with_detector(options(spec=str(tmp_path / "24.json"), output=tmp_path / "other"))


def test_the_best_channels_are_trained_with(ranked: Ranking, detect: Callable[..., DetectOptions]) -> None:
    options = detect(channels=str(ranked.folder), top=5)
    assert choose_detection_spec(options).channels == ranked.selected

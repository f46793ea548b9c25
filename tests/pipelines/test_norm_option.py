"""The option norm: from the command to the checkpoint and what is made of it."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml
from torch import nn

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.pipelines import options as light
from freqlearn.pipelines.checkpoint import Checkpoint, Header, load_checkpoint, read_header
from freqlearn.pipelines.costs import macs_per_image
from freqlearn.pipelines.evaluation import evaluate
from freqlearn.pipelines.export import export
from freqlearn.pipelines.export.network import exportable
from freqlearn.pipelines.learner import decayed_groups
from freqlearn.pipelines.networks import build_network, check_instance_norm
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.trainer import make_trainer
from freqlearn.pipelines.training import TrainResult, train
from freqlearn.pipelines.workflow_options import RankAndTrainOptions
from freqlearn.spec import InputSpec

Options = Callable[..., TrainOptions]

DCT = InputSpec.unstandardised(ChannelSet.square(24), 128)
RGB = replace(InputSpec.preset("imagenet-rgb"), size_px=64, resize_px=None)


def kinds(network: nn.Module) -> set[str]:
    return {type(part).__name__ for part in network.modules() if "Norm" in type(part).__name__} - {
        "Conv2dNormActivation",
        "OctNorm2d",
    }


def test_the_command_knows_the_same_names_as_the_library() -> None:
    assert get_args(light.NormName) == get_args(models.NormName)


@pytest.mark.parametrize(
    ("name", "spec", "arguments"),
    [
        pytest.param("small", DCT, {}, id="small"),
        pytest.param("resnet18", DCT, {"stage2_stride": 1, "octave": 0.25, "octave_input": True}, id="octave"),
        pytest.param("mobilenet_v2", DCT, {}, id="mobilenet_v2"),
        pytest.param("resnet18", RGB, {}, id="resnet18 rgb"),
        pytest.param("mobilenet_v2", RGB, {}, id="mobilenet_v2 rgb"),
    ],
)
def test_build_network(name: str, spec: InputSpec, arguments: Any) -> None:
    with torch.device("meta"):
        assert kinds(build_network(name, spec, num_classes=3, **arguments)) == {"BatchNorm2d"}
        assert kinds(build_network(name, spec, num_classes=3, norm="group", **arguments)) == {"GroupNorm"}


def test_normalisation_costs_no_multiplication_that_counts() -> None:
    usual, *others = (macs_per_image("small", DCT, num_classes=3, norm=norm) for norm in get_args(models.NormName))
    assert others == [usual] * 5


def test_a_gate_keeps_its_batch_norm() -> None:
    with torch.device("meta"):
        network = build_network("small", DCT, num_classes=3, norm="layer", gate=True)
    assert kinds(network) == {"SoloBatchNorm2d", "LayerNorm2d"}


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown norm 'weight'"):
        build_network("small", DCT, num_classes=3, norm="weight")  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", get_args(models.NormName))
def test_normalisation_does_not_decay(norm: Any) -> None:
    network = build_network("small", DCT, num_classes=3, norm=norm)
    decayed, others = (group["params"] for group in decayed_groups(network, 0.05))
    of_norms = [p for part in network.modules() if "Norm2d" in type(part).__name__ for p in part.parameters(False)]
    assert not {id(parameter) for parameter in of_norms} & {id(parameter) for parameter in decayed}
    assert len(decayed) == 4, "three convolutions and the linear layer"
    assert len(decayed) + len(others) == len(list(network.parameters()))


@pytest.fixture(scope="module", name="switchable")
def _switchable(options: Options, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainOptions, TrainResult]:
    chosen = options(output=tmp_path_factory.mktemp("switchable") / "run", norm="switchable", epochs=6)
    return chosen, train(chosen)


def test_a_switchable_network_is_trained_and_evaluated(switchable: tuple[TrainOptions, TrainResult]) -> None:
    chosen, result = switchable
    assert result.accuracy is not None
    assert result.accuracy > 0.8, "a few steps tell the two classes apart"
    assert dict(read_header(result.checkpoint).arguments) == {"stage2_stride": 2, "norm": "switchable"}
    assert yaml.safe_load((result.checkpoint.parent / "config.yaml").read_text())["norm"] == "switchable"
    model = load_checkpoint(result.checkpoint).model
    assert kinds(model) == {"SwitchableNorm2d"}
    shares = [part.shares() for part in model.modules() if isinstance(part, models.SwitchableNorm2d)]
    assert all((share - 1 / 3).abs().max() > 1e-4 for share in shares), "what to mix is learned"
    found = evaluate(result.checkpoint, chosen.data or "", workers=0, accelerator="cpu", progress=False)
    assert found.top1 == pytest.approx(result.accuracy)


def test_a_resumed_run_keeps_its_norm(switchable: tuple[TrainOptions, TrainResult]) -> None:
    with pytest.raises(ValueError, match="was trained with norm switchable, and now norm is group"):
        train(replace(switchable[0], norm="group", resume=True))


@pytest.mark.parametrize("format", ["torch", pytest.param("onnx", marks=pytest.mark.slow)])
def test_a_switchable_network_is_exported(
    switchable: tuple[TrainOptions, TrainResult], tmp_path: Path, format: Any
) -> None:
    if format == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    suffix = {"torch": "pt2", "onnx": "onnx"}[format]
    exported = export(switchable[1].checkpoint, tmp_path / f"model.{suffix}", format=format)
    assert exported.comparison.passed
    assert exported.comparison.compared == exported.comparison.same_top1 == 10


def test_a_gate_that_cannot_be_folded_away_is_said_in_one_line() -> None:
    arguments = {"gate": True, "norm": "group"}
    header = Header(network="mobilenet_v2", arguments=arguments, spec=DCT, classes=("a", "b"), training={})
    checkpoint = Checkpoint(path=Path("a.ckpt"), header=header, model=header.build().eval())
    gate: Any = checkpoint.model.get_submodule("gate")
    gate(torch.randn(2, 24, 4, 4))
    gate.freeze(3)
    with pytest.raises(ValueError, match=r"a\.ckpt: its gate cannot be folded away: .* got GroupNorm"):
        exportable(checkpoint)


def test_usual_checkpoints_say_nothing_of_it(options: Options) -> None:
    assert options().network_arguments() == {"stage2_stride": 2}


def test_a_ranking_normalises_as_the_training_does(tmp_path: Path) -> None:
    both = RankAndTrainOptions(data=tmp_path, norm="group")
    assert both.ranking().norm == both.training().norm == "group"
    assert RankOptions(data=tmp_path, norm="group").training().network_arguments()["norm"] == "group"


def test_sync_batch_is_refused_on_cpus_at_once(options: Options, tmp_path: Path) -> None:
    expected = "over the images of 2 processes needs GPUs.*use norm batch, group or switchable"
    with pytest.raises(ValueError, match=expected):
        make_trainer(epochs=1, accelerator="cpu", devices=2, sync_batchnorm=True, progress=False)
    with pytest.raises(ValueError, match=expected):
        train(options(output=tmp_path / "run", norm="sync_batch", devices=2))
    assert not (tmp_path / "run").exists()
    make_trainer(epochs=1, accelerator="cpu", sync_batchnorm=True, progress=False)  # one process: BatchNorm


def test_instance_norm_is_refused_at_once_on_maps_of_one_place(options: Options, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"norm instance cannot train on maps of 1x1.*use a larger size_px"):
        train(options(output=tmp_path / "run", model="resnet18", norm="instance"))
    assert not (tmp_path / "run").exists()
    with torch.device("meta"):
        for name in ("resnet18", "small"):
            check_instance_norm(build_network(name, DCT, num_classes=3, norm="instance", gate=True), DCT)


def test_a_network_pickles() -> None:
    """As it must where processes are spawned."""
    network = build_network("resnet18", DCT, num_classes=2, norm="group")
    assert kinds(pickle.loads(pickle.dumps(network))) == {"GroupNorm"}

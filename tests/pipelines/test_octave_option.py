"""The options octave and octave_input: from the command to the checkpoint and what is made of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from freqlearn.channels import ChannelSet
from freqlearn.models.octave import FrequencySplit
from freqlearn.pipelines.checkpoint import load_checkpoint, read_header
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.costs import macs_per_image
from freqlearn.pipelines.evaluation import evaluate
from freqlearn.pipelines.networks import build_network
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.rank_options import RankOptions
from freqlearn.pipelines.sweep import _trainings as trainings_of
from freqlearn.pipelines.training import TrainResult, train
from freqlearn.pipelines.workflow_options import RankAndTrainOptions, SweepOptions
from freqlearn.spec import InputSpec

Options = Callable[..., TrainOptions]

DCT = InputSpec.unstandardised(ChannelSet.square(24), 448)
RGB = replace(InputSpec.preset("imagenet-rgb"), size_px=64, resize_px=None)


@pytest.fixture(scope="module")
def octave(two_classes: Path, training_spec: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """What the command writes, read again."""
    output = tmp_path_factory.mktemp("octave") / "run"
    shared = ["--size-px=32", "--augment=flip", "--epochs=1", "--batch-size=8", "--workers=0", "--no-progress"]
    data = [f"--data={two_classes}", f"--spec={training_spec}", "--channels=24", "--accelerator=cpu"]
    options = ["--model=resnet18", "--octave=0.25", "--octave-input", *data, *shared]
    assert main(["train", f"--output={output}", *options]) == 0
    return train(
        TrainOptions(
            data=two_classes,
            spec=str(training_spec),
            channels="24",
            model="resnet18",
            octave=0.25,
            octave_input=True,
            size_px=32,
            augment="flip",
            epochs=1,
            batch_size=8,
            workers=0,
            progress=False,
            accelerator="cpu",
            output=output,
            resume=True,
        )
    )


def test_a_checkpoint_carries_them(octave: TrainResult, two_classes: Path) -> None:
    header = read_header(octave.checkpoint)
    assert header.arguments == {"stage2_stride": 2, "octave": 0.25, "octave_input": True}
    assert header.title.startswith("resnet18 (octave 0.25, octave_input True) on DCT-24")
    network: Any = load_checkpoint(octave.checkpoint).model
    assert isinstance(network.split, FrequencySplit)
    assert (network.layer1[0].conv1.low_in, network.layer1[0].conv1.low_out) == (6, 16)
    result = evaluate(octave.checkpoint, str(two_classes), batch_size=8, workers=0, accelerator="cpu", progress=False)
    assert result.images == 10


@pytest.mark.parametrize("change", [{"octave": 0.5}, {"octave": 0.0, "octave_input": False}, {"octave_input": False}])
def test_a_resumed_run_keeps_them(octave: TrainResult, options: Options, change: Any) -> None:
    how = {"model": "resnet18", "octave": 0.25, "octave_input": True, "spec": read_header(octave.checkpoint).training}
    how |= {"spec": how["spec"]["spec"], "channels": "24", "epochs": 1, "lr": 1e-3, "resume": True}  # type: ignore[index]
    with pytest.raises(ValueError, match=r"was trained with octave(_input)? .* and now octave(_input)? is"):
        train(options(output=octave.checkpoint.parent, **(how | change)))


@pytest.mark.parametrize(
    ("spec", "arguments"),
    [
        pytest.param(DCT, {"stage2_stride": 1}, id="stage2_stride 1"),
        pytest.param(DCT, {"gate": True}, id="gate"),
        pytest.param(RGB, {}, id="rgb"),
    ],
)
def test_octave_costs_less(spec: InputSpec, arguments: Any) -> None:
    costs = [
        macs_per_image("resnet18", spec, num_classes=3, octave=alpha, **arguments) for alpha in (0.0, 0.25, 0.5, 1.0)
    ]
    assert costs == sorted(costs, reverse=True)
    # A quarter of the pixels for all stages but the last, which has a quarter of the cost of a ResNet-18.
    assert costs[0] > costs[1] > costs[2] > 0.4 * costs[0]
    assert costs[3] < costs[2]


def test_low_input_costs_less_again() -> None:
    costs = [macs_per_image("resnet18", DCT, num_classes=3, octave=0.5, octave_input=low) for low in (False, True)]
    # Of 24 channels 12 are low. To 32 high and 32 low: 3x3 and the 1x1 of the shortcut, on 56x56 or 28x28 places.
    assert costs[0] - costs[1] == 12 * 10 * (32 * 56**2 - 32 * 28**2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"octave": 1.5}, r"octave is a share of the channels, from 0 to 1; got 1\.5"),
        ({"octave": 0.5, "model": "small"}, "octave is for ResNets, not for small"),
        ({"octave_input": True}, "octave_input is for a network with octave convolutions"),
        ({"octave": 0.5, "octave_input": True, "input": "rgb"}, "rgb input has no frequency channels to split"),
    ],
)
def test_what_is_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainOptions(data=Path(), **options)


@pytest.mark.parametrize(
    ("name", "spec", "arguments", "message"),
    [
        ("mobilenet_v2", DCT, {"octave": 0.5}, "octave is for ResNets, not for mobilenet_v2"),
        ("resnet18", DCT, {"octave_input": True}, "octave_input is for frequency channels"),
        ("resnet18", RGB, {"octave": 0.5, "octave_input": True}, "octave_input is for frequency channels"),
        ("resnet18", DCT, {"octave": 0.01}, "^octave 0.01: .*leaves no low channel"),
    ],
)
def test_build_network_refuses(name: str, spec: InputSpec, arguments: Any, message: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        build_network(name, spec, num_classes=3, **arguments)


def test_other_commands_pass_them_on() -> None:
    how: Any = {"data": Path(), "model": "resnet18", "octave": 0.25, "octave_input": True}
    given = {"stage2_stride": 2, "octave": 0.25, "octave_input": True}
    assert RankOptions(**how).training(gate=True).network_arguments() == given | {"gate": True}
    both = RankAndTrainOptions(**how, rank_model="small")
    assert both.training().network_arguments() == given
    assert both.ranking().octave == 0  # the ranking may have a network of its own
    sweep = SweepOptions(**how, rgb=True, top="6", size_px=64)
    rgb, dct = (training.network_arguments() for training in trainings_of(sweep))
    assert (rgb, dct) == ({"stage2_stride": 2}, given)

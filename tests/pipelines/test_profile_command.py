import json
from pathlib import Path

import pytest
import torch
import torchvision
from PIL import Image

from freqlearn.pipelines.cli import main
from freqlearn.pipelines.costs import macs_per_image
from freqlearn.pipelines.profile_options import ModelChoice
from freqlearn.pipelines.profiling import Profile, profile
from freqlearn.pipelines.profiling.picture import figure
from freqlearn.pipelines.profiling.subjects import subject
from freqlearn.pipelines.profiling.text import side_by_side, text
from freqlearn.pipelines.training import TrainResult
from freqlearn.spec import InputSpec


def cell(table: str, row: str, column: str) -> str:
    """What a table holds, found by where the column's name stands; the first column's names start the rows."""
    head = next(line for line in table.splitlines() if line.startswith("layer"))
    end = head.index(column) + len(column)
    line = next(line for line in table.splitlines() if line.strip().split("  ")[0] == row)
    return line[:end].rsplit("  ", 1)[-1].strip()


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "resnet18", "--channels", "24"]) == 0
    table = capsys.readouterr().out
    assert table.startswith("resnet18 on DCT-24, 448 px; input 24x56x56, 301,056 bytes an image\n")
    spec = subject(ModelChoice(model="resnet18")).image
    assert isinstance(spec, InputSpec)
    assert cell(table, "total", "MMACs") == f"{macs_per_image('resnet18', spec, num_classes=1000) / 1e6:,.2f}"
    assert cell(table, "layer4", "output") == "512x7x7"
    assert cell(table, "fc", "parameters") == "513,000"
    assert "not counted, in numbers computed: _native_batch_norm" in table


def test_model_may_be_given_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for arguments in (
        ["--model", "small", "--size-px", "64"],
        ["--size-px", "64", "small"],
        ["--model=small", "--size-px=64"],
    ):
        assert main(["profile", *arguments]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] == outputs[2]


def test_side_by_side_with_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--json", str(tmp_path / "costs.json"), "--plot", str(tmp_path / "costs.png")]
    against = ["--against", "resnet18 --size-px 64 --octave 0.5"]
    assert main(["profile", "resnet18", "--input", "rgb", "--size-px", "64", *against, *files]) == 0
    table = capsys.readouterr().out
    first, second = map(Profile.from_dict, json.loads((tmp_path / "costs.json").read_text())["profiles"])
    assert cell(table, "total", "B/A") == f"{second.macs / first.macs:.2f}"
    assert cell(table, "conv1", "MMACs B") == ""  # the frequency network has no stem
    assert cell(table, "layer3", "parameters A") == cell(table, "layer3", "parameters B") == "2,099,712"
    assert first.title == "resnet18 on RGB, 64 px"
    assert second.title == "resnet18 on DCT-24, 64 px, octave 0.5"
    assert Image.open(tmp_path / "costs.png").width > 500


def test_checkpoint(trained: TrainResult, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(trained.checkpoint)]) == 0
    table = capsys.readouterr().out
    assert "small on DCT-24, 32 px, 2 classes" in table
    assert cell(table, "total", "type") == "FrequencySmall"
    assert main(["profile", str(trained.checkpoint), "--octave", "0.5"]) == 2
    assert "octave is not for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("choice", "like"),
    [
        pytest.param(
            ModelChoice(model="resnet18", stage2_stride=1, channels=48, gate=True, size_px=64),
            ("resnet18 on DCT-48, 64 px, stage2_stride 1, gate True", (48, 8, 8)),
            id="options of training",
        ),
        pytest.param(
            ModelChoice(model="resnet18", octave=0.25, octave_input=True, spec="imagenet-448", norm="group"),
            ("resnet18 on all-192, 448 px, octave 0.25, octave_input True, norm group", (192, 56, 56)),
            id="octave of a preset",
        ),
        pytest.param(
            ModelChoice(model="oct_mobilenet_v2", octave=0.375, width_mult=0.5, classes=7),
            ("oct_mobilenet_v2 on RGB, 224 px, octave 0.375, width_mult 0.5, 7 classes", (3, 224, 224)),
            id="octave network",
        ),
        pytest.param(
            ModelChoice(model="squeezenet1_1", size_px=96, classes=7),
            ("squeezenet1_1 on 3x96x96, 7 classes", (3, 96, 96)),
            id="torchvision",
        ),
        pytest.param(ModelChoice(model="vit_b_32", size_px=64), ("vit_b_32 on 3x64x64", (3, 64, 64)), id="vit"),
        pytest.param(
            ModelChoice(model="efficientnet_b1"), ("efficientnet_b1 on 3x240x240", (3, 240, 240)), id="its size"
        ),
        pytest.param(
            ModelChoice(model="r3d_18", shape="3x8x32x32"), ("r3d_18 on 3x8x32x32", (3, 8, 32, 32)), id="video"
        ),
        pytest.param(
            ModelChoice(model="lraspp_mobilenet_v3_large", size_px=64),
            ("lraspp_mobilenet_v3_large on 3x64x64", (3, 64, 64)),
            id="segmentation, without a download",
        ),
        pytest.param(
            ModelChoice(model="fasterrcnn_resnet18_fpn", shape="60x90", input="rgb", classes=3),
            ("fasterrcnn_resnet18_fpn on RGB, 60x90 px, 1000 proposals, 3 classes", (3, 64, 96)),
            id="detector on pixels",
        ),
        pytest.param(
            ModelChoice(model="maskrcnn_resnet18_fpn", shape="60x90", channels="all", gate=True),
            ("maskrcnn_resnet18_fpn on all-192, 60x90 px, 1000 proposals, 100 masks, gate True", (192, 16, 24)),
            id="detector on channels",
        ),
    ],
)
def test_subjects(choice: ModelChoice, like: tuple[str, tuple[int, ...]]) -> None:
    chosen = subject(choice)
    counted = profile(chosen.model, chosen.image, title=chosen.title)
    assert (counted.title, counted.input_shape) == like
    assert counted.macs > 0
    assert all(parameter.is_meta for parameter in chosen.model.parameters())
    assert text(counted).startswith(counted.title)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("resnet5O", "did you mean resnet50?"),
        ("none.ckpt", "none.ckpt: no such checkpoint file"),
        ("vit_b_16 --channels 24", "channels is not for vit_b_16, which takes only classes"),
        ("vit_b_16 --input dct", "vit_b_16 takes pixels; networks for frequency channels are resnet18"),
        ("resnet18 --input rgb --gate", "gate is not for resnet18"),
        ("oct_resnet50 --width-mult 2", "width_mult is not for oct_resnet50"),
        ("retinanet_resnet50_fpn", "depends on its pictures"),
        ("maskrcnn_resnet18_fpn --shape 3x60x90", "as height x width, 800x1333; got '3x60x90'"),
        ("maskrcnn_resnet18_fpn --top 5", "top needs channels"),
        ("maskrcnn_resnet18_fpn --size-px 64", "size_px is not for maskrcnn_resnet18_fpn"),
        ("raft_small", "depends on its pictures"),
        ("alexnet --shape 3x", "expected the shape of one image as 3x224x224, got '3x'"),
        ("alexnet --shape 3x64x64 --size-px 64", "leave out one of them"),
        ("alexnet --shape 1x64x64", "expected a model that takes such images"),
        ("resnet18 --against resnet50 --depth -1", "depth must be at least 0"),
        ("resnet18 --against 'resnet50", "--against"),
        ("resnet18 --against=resnet5O", "did you mean resnet50?"),
        ("resnet18 --plot costs.gifff", "expected a suffix of"),
        ("resnet18 --size-px 0", "size_px must be at least 1"),
        ("vit_b_16 --size-px 100", "vit_b_16: no such model for pictures of 3x100x100: Input shape indivisible"),
        ("vit_b_16 --shape 3x32x64", "expected a model that takes such images and needs no values of them"),
    ],
)
def test_mistakes_are_one_line(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", *arguments.split(" ")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_unused_layers_are_said() -> None:
    with torch.device("meta"):
        counted = profile(torchvision.models.googlenet(init_weights=True), (3, 96, 96))
    table = text(counted)
    assert cell(table, "aux1", "output") == "unused"  # its classifiers for training
    unused = counted["aux1"].parameters + counted["aux2"].parameters
    assert table.endswith(f"{unused:,} parameters are never read by the forward pass")


def test_bars_are_the_layers_costs() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True), torch.nn.Conv2d(4, 2, 1))
    first, second = profile(network, (3, 6, 6)), profile(network[:1], (3, 6, 6))
    axes = figure([first, second]).axes
    macs = [[bar.get_width() * 1e6 for bar in bars] for bars in axes[0].containers]
    assert macs == [pytest.approx([4 * 16 * 27, 2 * 16 * 4]), pytest.approx([4 * 16 * 27, 0])]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["0", "2"]  # ReLU costs nothing
    with pytest.raises(ValueError, match="one or two profiles"):
        figure([])


def test_layers_of_one_model_only_stand_between_the_others() -> None:
    build = torch.nn.Sequential
    first = profile(build(torch.nn.Conv2d(1, 1, 1), torch.nn.ReLU()), (1, 2, 2), title="a")
    second = profile(build(torch.nn.Conv2d(1, 1, 1), torch.nn.ReLU(), torch.nn.Conv2d(1, 5, 1)), (1, 2, 2), title="b")
    table = side_by_side(first, second, depth=1)
    assert [line.split()[0] for line in table.splitlines() if line[:1].isdigit()] == ["0", "1", "2"]
    assert cell(table, "2", "parameters A") == ""
    assert cell(table, "2", "parameters B") == "10"


def test_benchmark_beside_published_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2])
    from benchmarks import costs

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(costs, "numbers", lambda: [*costs.octave_layers(), *costs.separable_convolutions()])
    assert costs.main() == 0
    assert "OctConv, alpha 0.5 " in capsys.readouterr().out
    rows = json.loads((tmp_path / "runs" / "benchmarks" / "costs.json").read_text())["rows"]
    assert max(abs(row["difference"]) for row in rows) < 0.02
    wrong = costs.Number("m", "q", 100, "s", 103)
    monkeypatch.setattr(costs, "numbers", lambda: [wrong])
    assert costs.main() == 1
    assert "+3.0% !" in capsys.readouterr().out

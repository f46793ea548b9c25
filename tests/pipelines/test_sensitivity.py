import csv
import json
import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import torch
from torchvision.datasets import ImageFolder

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines import cli
from freqlearn.pipelines.checkpoint import HEADER_KEY, Header, load_checkpoint
from freqlearn.pipelines.evaluation import evaluate
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.sensitivity import Removal, Sensitivity, sensitivity
from freqlearn.pipelines.sensitivity.pictures import PictureInput
from freqlearn.pipelines.sensitivity.removals import automatic_edges, read_edges, removals
from freqlearn.pipelines.training import TrainResult
from freqlearn.reading import read_bytes
from freqlearn.spec import InputSpec
from freqlearn.spectrum import PictureSpectrum

RGB = InputSpec("rgb", None, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 32, None)


def frequency_spec(channels: ChannelSet) -> InputSpec:
    return InputSpec("dct", channels, tuple(range(len(channels))), (50.0,) * len(channels), 32, None)


def untrained(folder: Path, network: str, spec: InputSpec, **arguments: object) -> Path:
    """A checkpoint of random weights that answers by what it sees."""
    header = Header(
        network=network,
        arguments={"stage2_stride": 2, **arguments},
        spec=spec,
        classes=("flat", "stripes"),
        training={},
    )
    torch.manual_seed(0)
    state = {f"model.{name}": value for name, value in header.build().state_dict().items()}
    folder.mkdir(parents=True)
    torch.save({HEADER_KEY: header.to_dict(), "state_dict": state}, folder / "last.ckpt")
    return folder / "last.ckpt"


@pytest.fixture(scope="module")
def rgb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("models") / "pixels", "resnet18", RGB)


def measured(checkpoints: list[Path], data: Path, output: Path, **options: object) -> Sensitivity:
    usual = {"workers": 0, "accelerator": "cpu", "progress": False, "batch_size": 4}
    return sensitivity(checkpoints, data, output, **(usual | options))  # type: ignore[arg-type]


def answers(checkpoint: Path, root: Path, removed: tuple[float, float] | None) -> np.ndarray:
    """Whether each image is classified correctly, by SciPy's transforms and one image at a time.

    A DCT model's picture is made of all 192 channels by SciPy, and its channels again by SciPy.
    """
    loaded = load_checkpoint(checkpoint)
    spec = loaded.header.spec
    whole = spec if spec.channels is None else InputSpec.unstandardised(ChannelSet.all(), spec.size_px, spec.resize_px)
    folder = ImageFolder(root, loader=read_bytes, transform=presets.classification_eval(whole))
    frequency = np.hypot(*np.meshgrid(np.arange(spec.size_px) / 2, np.arange(spec.size_px) / 2))  # cycles per picture
    right = []
    for tensor, label in folder:
        values = tensor.double().numpy()
        if spec.channels is not None:
            blocks = values.reshape(3, 8, 8, 4, 4).transpose(0, 3, 4, 1, 2)
            values = scipy.fft.idctn(blocks, axes=(-2, -1), norm="ortho").transpose(0, 1, 3, 2, 4).reshape(3, 32, 32)
        if removed is not None:
            spectrum = scipy.fft.dctn(values, axes=(-2, -1), norm="ortho")
            low, high = removed
            spectrum[:, (frequency >= low) & (frequency < high) & (frequency > 0)] = 0
            values = scipy.fft.idctn(spectrum, axes=(-2, -1), norm="ortho")
        if spec.channels is not None:
            blocks = values.reshape(3, 4, 8, 4, 8).transpose(0, 1, 3, 2, 4)
            channels = scipy.fft.dctn(blocks, axes=(-2, -1), norm="ortho").transpose(0, 3, 4, 1, 2).reshape(192, 4, 4)
            values = channels[list(spec.channels.indices)] - np.array(spec.mean)[:, None, None]
            values /= np.array(spec.std)[:, None, None]
        with torch.inference_mode():
            logits = loaded.model(torch.from_numpy(values).float()[None])
        right.append(int(logits.argmax()) == label)
    return np.array(right)


@pytest.mark.parametrize("kind", ["rgb", "dct", "gated"])
def test_agrees_with_scipy(kind: str, trained: TrainResult, rgb: Path, two_classes: Path, tmp_path: Path) -> None:
    if kind == "gated":
        spec = frequency_spec(ChannelSet.of((0, 9, 1, 8, 64, 130)))
        checkpoint = untrained(tmp_path / "gated", "small", spec, gate=True)
    else:
        checkpoint = rgb if kind == "rgb" else trained.checkpoint
    result = measured([checkpoint], two_classes, tmp_path / "out", edges="3,6")
    (model,) = result.models
    before = answers(checkpoint, two_classes / "val", None)
    assert (model.images, model.top1) == (10, pytest.approx(before.mean()))
    for point, removed in zip(model.points, [(0, 3), (3, 6), (6, math.inf)], strict=True):
        after = answers(checkpoint, two_classes / "val", removed)
        assert point.top1 == pytest.approx(after.mean())
        assert (point.lost, point.gained) == ((before & ~after).sum(), (after & ~before).sum())
        assert point.drop == pytest.approx(before.mean() - after.mean())
    # Sharp bands are orthogonal: their shares of the variance sum to all of it.
    assert sum(point.energy for point in model.points) == pytest.approx(1, abs=1e-4)


def test_finds_the_band_that_a_model_relies_on(trained: TrainResult, two_classes: Path, tmp_path: Path) -> None:
    """Stripes of 8 px in pictures of 32: 4 cycles and their odd multiples are all that tells the classes apart."""
    found = measured([trained.checkpoint], two_classes, tmp_path, edges="3,5", remove="band").models[0]
    below, stripes, above = found.points
    assert found.top1 == 1
    assert stripes.top1 <= 0.6
    assert stripes.top1 < below.top1
    assert stripes.top1 < above.top1
    assert stripes.energy > 0.4
    above_all = measured([trained.checkpoint], two_classes, tmp_path, edges="3,5", remove="above").models[0].points
    assert [point.removed for point in above_all] == [Removal(3, math.inf), Removal(5, math.inf)]
    assert above_all[0].top1 == 0.5  # without anything above 3 cycles all look flat


@pytest.mark.parametrize(
    "spec", [RGB, frequency_spec(ChannelSet.of((0, 65, 9, 191))), frequency_spec(ChannelSet.all())]
)
def test_an_unchanged_picture_is_the_models_usual_input(spec: InputSpec, make_jpeg: Callable[..., bytes]) -> None:
    source = PictureInput(spec)
    data = make_jpeg(32, 32)
    pictures = source.pictures(source.transform()(data)[None])
    assert pictures.shape == (1, 3, 32, 32)
    # Coefficients of up to 1000 through two transforms in float32; then divided by 50.
    torch.testing.assert_close(source.model_input(pictures)[0], eval_transform(spec)(data), rtol=1e-4, atol=1e-4)


def test_both_kinds_see_the_same_frequencies_go(make_jpeg: Callable[..., bytes]) -> None:
    """Of one file at 64 px, and the same at 32: the same cycles per picture leave the same luma, but for the resize."""
    data = make_jpeg(128, 128, sampling="4:4:4", quality=95)
    removed = Removal(2, 8)
    left = []
    for spec in (
        InputSpec("rgb", None, RGB.mean, RGB.std, 32, 32),
        InputSpec.unstandardised(ChannelSet.square(24), 64, 64),
    ):
        source = PictureInput(spec)
        pictures = source.pictures(source.transform()(data)[None])
        rest = PictureSpectrum(pictures).without(removed.band(spec.size_px, "sharp"), keep_mean=True)
        luma = source.luma(rest) - source.luma(rest).mean()
        left.append(torch.nn.functional.interpolate(luma[None], (32, 32), mode="bilinear", antialias=True)[0, 0])
    spread = left[0].std()
    assert (left[0] - left[1]).std() < 0.15 * spread


def test_edges() -> None:
    assert automatic_edges(224) == (3.5, 7, 14, 28, 56)
    halves = automatic_edges(224, per_octave=2)
    assert halves[-3:] == pytest.approx((28, 56 / math.sqrt(2), 56))
    assert read_edges("1,2.5", largest_px=64, per_octave=1) == (1, 2.5)
    assert removals((2, 4), "band") == (Removal(0, 2), Removal(2, 4), Removal(4, math.inf))
    assert removals((2, 4), "below") == (Removal(0, 2), Removal(0, 4))
    for text in ("4,2", "0,2", "a", "", "nan", "2,inf"):
        with pytest.raises(ValueError, match="edges: expected auto or rising positive numbers such as 7,14,28, got"):
            read_edges(text, largest_px=64, per_octave=1)
    with pytest.raises(ValueError, match="pictures of 8 px are too small to choose edges for"):
        automatic_edges(8)


def test_command_writes_table_and_files(
    trained: TrainResult,
    rgb: Path,
    two_classes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fresh_logging: None,
) -> None:
    arguments = [str(trained.checkpoint), str(rgb), "--data", str(two_classes), "-o", str(tmp_path), "--edges", "4,30"]
    assert cli.main(["sensitivity", *arguments, "--workers", "0", "--accelerator", "cpu", "--no-progress"]) == 0
    out = capsys.readouterr().out
    assert "cycles per picture taken out" in out
    assert "pixels" in out
    assert {path.name for path in tmp_path.iterdir()} == {
        f"sensitivity.{kind}" for kind in ("csv", "json", "png", "svg")
    }
    with (tmp_path / "sensitivity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["run"] * 3 + ["pixels"] * 3  # 30 and more: more than 32 px hold
    assert rows[0] | {"top1": "1.0", "low": "", "high": ""} == rows[0]
    document = json.loads((tmp_path / "sensitivity.json").read_text())
    assert document["format"] == "freqlearn.sensitivity"
    points = document["models"][1]["points"]
    assert [(point["low"], point["high"]) for point in points] == [(0, 4), (4, 30)]
    assert float(rows[5]["top1"]) == points[1]["top1"]


def test_the_same_accuracy_as_evaluate(rgb: Path, two_classes: Path, tmp_path: Path) -> None:
    found = measured([rgb], two_classes, tmp_path, images=None).models[0]
    usual = evaluate(rgb, two_classes, workers=0, accelerator="cpu", progress=False)
    assert (found.images, found.top1) == (usual.images, pytest.approx(usual.top1))
    assert found.input == "rgb"
    assert measured([rgb], two_classes, tmp_path, images=3).models[0].images == 3


def test_files_that_cannot_be_read(trained: TrainResult, two_classes: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(two_classes / "val", data / "val")
    (data / "val" / "flat" / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.jpg.*--on-bad-image skip"):
        measured([trained.checkpoint], data, tmp_path / "out")
    result = measured([trained.checkpoint], data, tmp_path / "out", on_bad_image="skip")
    assert result.models[0].images == 10
    assert "1 files that cannot be read are left out" in str(result)


def test_an_interruption_keeps_finished_models(
    trained: TrainResult, rgb: Path, two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from freqlearn.pipelines.sensitivity import running

    usual = running.measure

    def stopped(checkpoint: object, *arguments: object, **options: object) -> object:
        if options["name"] == "pixels":
            raise KeyboardInterrupt
        return usual(checkpoint, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(running, "measure", stopped)
    with pytest.raises(KeyboardInterrupt, match=r"interrupted; .* holds what was measured of run"):
        measured([trained.checkpoint, rgb], two_classes, tmp_path)
    assert [model["name"] for model in json.loads((tmp_path / "sensitivity.json").read_text())["models"]] == ["run"]


def test_warns_of_crops_that_differ(
    rgb: Path, two_classes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = untrained(tmp_path / "cropped", "small", InputSpec.unstandardised(ChannelSet.square(24), 32, 40))
    with caplog.at_level(logging.WARNING, "freqlearn"):
        result = measured([rgb, other], two_classes, tmp_path / "out", edges="4")
    assert "sees 80 % of a photo's short side" in caplog.text
    assert [model.name for model in result.models] == ["pixels", "cropped"]


def test_options_that_cannot_be(rgb: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one checkpoint, got none"):
        measured([], tmp_path, tmp_path)
    with pytest.raises(ValueError, match="per_octave must be at least 1, got 0"):
        measured([rgb], tmp_path, tmp_path, per_octave=0)

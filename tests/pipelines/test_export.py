"""`freqlearn export`: what is written computes what the checkpoint does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import freqlearn as fl
from freqlearn.pipelines.checkpoint import HEADER_KEY, Header, load_checkpoint
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.export import Export, export, exporting
from freqlearn.pipelines.export.pictures import choose_pictures
from freqlearn.pipelines.prediction import predict
from freqlearn.pipelines.training import TrainResult, train

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

CHANNELS = fl.ChannelSet.of((0, 1, 2, 8, 9, 16, 64, 65, 72, 128, 129, 136))
DCT = replace(fl.InputSpec.preset("imagenet-448").select(CHANNELS), size_px=32, resize_px=40)
RGB = replace(fl.InputSpec.preset("imagenet-rgb"), size_px=32, resize_px=40)


@pytest.fixture(scope="module")
def write_checkpoint(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`write_checkpoint(network, spec, ...)`: a checkpoint with weights as training leaves them, without training.

    Options: gate; frozen (to how many channels); counted (whether the gate has seen images); others as of
    build_network; data, where the training data were.
    """

    def write(
        network: str = "small",
        spec: fl.InputSpec = DCT,
        *,
        gate: bool = False,
        frozen: int | None = None,
        counted: bool = True,
        data: Path | None = two_classes,
        **arguments: Any,
    ) -> Path:
        torch.manual_seed(0)
        header = Header(
            network=network,
            arguments=arguments | ({"gate": True} if gate else {}),
            spec=spec,
            classes=("flat", "stripes", "other"),
            training={} if data is None else {"data": str(data)},
        )
        model: Any = header.build()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
        if gate:  # every image its own switches
            nn.init.normal_(model.gate.logits.weight)
            nn.init.normal_(model.gate.logits.bias)
        maps = torch.randn(8, spec.in_channels, spec.map_size, spec.map_size)
        with torch.no_grad():
            model.train()(maps)
            if gate and not counted:
                model.gate.reset_importance()
            elif gate:
                model.eval()(maps)
        if frozen is not None:
            model.gate.freeze(frozen)
        state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        path = tmp_path_factory.mktemp("checkpoint") / "best.ckpt"
        torch.save({HEADER_KEY: header.to_dict(), "state_dict": state}, path)
        return path

    return write


@pytest.fixture(scope="module")
def gated(write_checkpoint: Callable[..., Path]) -> Path:
    return write_checkpoint(gate=True)


@pytest.mark.parametrize(
    ("network", "spec", "options", "top"),
    [
        pytest.param("small", DCT, {"gate": True}, None, id="small dynamic"),
        pytest.param("small", DCT, {"gate": True}, 5, id="small static"),
        pytest.param("resnet18", DCT, {"stage2_stride": 1}, None, id="resnet18 stride 1"),
        pytest.param("mobilenet_v2", DCT, {"gate": True}, 3, id="mobilenet_v2 static"),
        pytest.param("resnet18", RGB, {}, None, id="resnet18 rgb"),
        pytest.param("resnet18", RGB, {"octave": 0.5}, None, id="octave rgb"),
        pytest.param("resnet18", DCT, {"octave": 0.25, "octave_input": True, "gate": True}, 5, id="octave static"),
    ],
)
def test_torch_computes_what_the_checkpoint_does(
    write_checkpoint: Callable[..., Path], network: str, spec: fl.InputSpec, options: Any, top: int | None
) -> None:
    result = export(write_checkpoint(network, spec, **options), format="torch", top=top)
    assert result.comparison.passed
    assert result.comparison.compared == result.comparison.same_top1 == 10
    model = fl.load_exported(result.path)
    assert model.description == result.description
    assert model.spec.in_channels == (top or spec.in_channels)
    assert model.description.gate == ("dynamic" if options.get("gate") and top is None else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "spec", "options", "top"),
    [
        pytest.param("small", DCT, {"gate": True}, None, id="small dynamic"),
        pytest.param("resnet18", DCT, {"stage2_stride": 1}, None, id="resnet18 stride 1"),
        pytest.param("mobilenet_v2", DCT, {"gate": True}, 3, id="mobilenet_v2 static"),
        pytest.param("resnet18", DCT, {"octave": 0.25, "octave_input": True}, None, id="octave input"),
    ],
)
def test_onnx_computes_what_the_checkpoint_does(
    write_checkpoint: Callable[..., Path], network: str, spec: fl.InputSpec, options: Any, top: int | None
) -> None:
    result = export(write_checkpoint(network, spec, **options), top=top)
    assert result.comparison.passed
    assert result.comparison.compared == result.comparison.same_top1 == 10
    assert fl.load_exported(result.path).spec.in_channels == (top or spec.in_channels)


@pytest.fixture(scope="module")
def onnx_export(trained: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return export(trained.checkpoint, tmp_path_factory.mktemp("onnx") / "model.onnx", batch_size=4)


def test_a_trained_model_predicts_the_same_as_onnx(
    trained: TrainResult, onnx_export: Export, two_classes: Path
) -> None:
    model = fl.load_exported(onnx_export.path)
    assert model.description.batch_size == 4
    files = sorted((two_classes / "val").glob("*/*.jpg"))
    for got, expected in zip(model.predict(files), predict(trained.checkpoint, [two_classes / "val"]), strict=True):
        assert [name for name, _ in got] == [name for name, _ in expected.top]
        assert [p for _, p in got] == pytest.approx([p for _, p in expected.top], rel=1e-4)


def test_onnx_is_valid_and_says_what_it_is(trained: TrainResult, onnx_export: Export) -> None:
    import onnx

    model = onnx.load(onnx_export.path)
    onnx.checker.check_model(model, full_check=True)
    about = fl.load_exported(onnx_export.path).description
    assert (about.network, about.spec, about.classes) == ("small", trained.spec, trained.classes)
    assert about.spec.source == trained.spec.source
    assert set(about.versions) == {"freqlearn", "torch"}
    assert {node.op_type for node in model.graph.node} <= {"Conv", "Relu", "ReduceMean", "Reshape", "Gemm", "Flatten"}


def test_top_takes_the_channels_that_the_gate_would_keep(gated: Path, two_classes: Path) -> None:
    kept = load_checkpoint(gated).model.get_submodule("gate").freeze(4)  # type: ignore[operator]
    result = export(gated, format="torch", top=4)
    assert result.path == gated.with_name("best-top4.pt2")
    assert result.description.spec == DCT.select(kept)
    frozen = load_checkpoint(gated).model
    frozen.get_submodule("gate").freeze(4)  # type: ignore[operator]
    file = next((two_classes / "val").glob("*/*.jpg"))
    model = fl.load_exported(result.path)
    with torch.no_grad():
        expected = frozen(fl.presets.classification_eval(DCT)(file)[None])
    torch.testing.assert_close(model.logits(model.inputs([file])), expected)


def test_a_frozen_gate_is_folded_away_unasked(write_checkpoint: Callable[..., Path]) -> None:
    checkpoint = write_checkpoint(gate=True, frozen=3)
    result = export(checkpoint, format="torch")
    assert (result.description.gate, result.description.spec.in_channels) == (None, 3)
    with pytest.raises(ValueError, match="top must be 1 to 3, the channels that its gate has on; got 4"):
        export(checkpoint, format="torch", top=4)


def test_pictures_that_only_rounding_decides_are_left_out(write_checkpoint: Callable[..., Path]) -> None:
    checkpoint = write_checkpoint(gate=True)
    data = torch.load(checkpoint, weights_only=True)
    for name in ("weight", "bias"):
        data["state_dict"][f"model.gate.logits.{name}"].zero_()  # on exactly as likely as off
    torch.save(data, checkpoint)
    with pytest.raises(ValueError, match="without 10 with a switch on its threshold"):
        export(checkpoint, format="torch")


def test_nothing_is_written_that_computes_something_else(
    write_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = write_checkpoint()
    target = checkpoint.with_suffix(".pt2")
    target.write_bytes(b"what was there before")
    whole = exporting.to_torch

    def damaged(network: Any, description: Any) -> bytes:
        network.fc.weight.mul_(1 + 1e-4)
        return whole(network, description)

    monkeypatch.setattr(exporting, "to_torch", damaged)
    with pytest.raises(ValueError, match=r"not written: the exported model is not the checkpoint's: 10 photos of"):
        export(checkpoint, format="torch")
    assert target.read_bytes() == b"what was there before"
    assert sorted(path.name for path in target.parent.iterdir()) == ["best.ckpt", "best.pt2"]


def test_which_pictures_it_is_compared_on(
    write_checkpoint: Callable[..., Path], two_classes: Path, tmp_path: Path, make_jpeg: Callable[..., bytes]
) -> None:
    (tmp_path / "one.jpg").write_bytes(make_jpeg(50, 60))
    (tmp_path / "two.jpg").write_bytes(make_jpeg(60, 50)[:300])
    named = export(write_checkpoint(), format="torch", verify_on=tmp_path).comparison
    assert (named.pictures, named.compared) == (f"photos of {tmp_path}", 1)
    assert "two.jpg" in named.unreadable[0]
    assert f"1 photos of {tmp_path} (without 1 unreadable): largest" in str(named)
    known = export(write_checkpoint(), format="torch", images=3).comparison
    assert (known.pictures, known.compared) == (f"photos of {two_classes / 'val'}", 3)
    for data in (None, tmp_path / "gone"):
        generated = export(write_checkpoint(data=data), format="torch", images=2).comparison
        assert (generated.pictures, generated.compared) == ("generated pictures", 2)


def test_generated_pictures_differ_from_each_other() -> None:
    header = Header(network="small", arguments={}, spec=DCT, classes=("a",), training={})
    pictures = choose_pictures(None, header, count=3).sources
    assert len(set(pictures)) == 3
    maps = torch.stack([fl.presets.classification_eval(DCT)(picture) for picture in pictures])  # type: ignore[arg-type]
    assert (maps.std(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"top": 3}, "has no gate to take the top 3 channels of", id="top without a gate"),
        pytest.param({"output": "x.pt2"}, r"expected a name that ends in \.onnx for the format onnx", id="suffix"),
        pytest.param({"output": "nowhere/x.onnx"}, "there is no folder nowhere", id="folder"),
        pytest.param({"verify_on": "nowhere"}, "nowhere: expected a folder of images", id="photos"),
        pytest.param({"images": 0}, "must be at least 1", id="images"),
        pytest.param({"batch_size": 0}, "must be at least 1", id="batch size"),
    ],
)
def test_options_that_make_no_sense(write_checkpoint: Callable[..., Path], options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        export(write_checkpoint(), **options)


@pytest.mark.parametrize("top", [0, 13])
def test_top_is_some_of_the_gate_s_channels(gated: Path, top: int) -> None:
    with pytest.raises(ValueError, match=f"top must be 1 to 12, .* got {top}"):
        export(gated, top=top)


def test_a_gate_that_has_seen_no_image_has_no_top(write_checkpoint: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match=r"best\.ckpt: no image has been counted"):
        export(write_checkpoint(gate=True, counted=False), top=3)


def test_a_moving_average_with_a_gate_keeps_its_ranking(options: Callable[..., Any], tmp_path: Path) -> None:
    run = options(output=tmp_path / "run", gate=True, ema=0.5, epochs=2)
    trained = train(run)
    loaded = load_checkpoint(trained.checkpoint).model
    gate: Any = loaded.get_submodule("gate")
    assert gate.images_counted == 10, "the validation images, through the averaged weights"
    counted = gate.importance
    gate.reset_importance()
    transform = fl.presets.classification_eval(trained.spec)
    files = sorted((run.data / "val").glob("*/*.jpg"))
    with torch.no_grad():
        loaded(torch.stack([transform(file) for file in files]))
    torch.testing.assert_close(gate.importance, counted)
    assert export(trained.checkpoint, format="torch", top=6).description.spec.in_channels == 6


def test_command(trained: TrainResult, two_classes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "model.pt2"
    arguments = ["export", str(trained.checkpoint), "--format", "torch", "--output", str(target)]
    assert main([*arguments, "--verify-on", str(two_classes / "train"), "--images", "5"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{target}: small on DCT-24 (24 channels), 32 px (24x4x4), 2 classes, ")
    assert second.startswith(f"compared with {trained.checkpoint} on 5 photos of {two_classes / 'train'}: largest")
    assert second.endswith("same top-1 for 5 of 5")
    assert target.stat().st_size == int(first.split()[-2].replace(",", ""))
    assert main(["info", str(target)]) == 0
    line = capsys.readouterr().out
    assert line == f"{target}: small on DCT-24 (24 channels), 32 px (24x4x4); classes: flat, stripes\n"


def test_command_with_a_file_that_is_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.ckpt").write_bytes(b"no checkpoint")
    assert main(["export", str(tmp_path / "x.ckpt")]) == 2
    assert "x.ckpt: not a" in capsys.readouterr().err


def test_without_onnx_one_line_says_what_to_install(
    write_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "onnx" else found(name, *rest))
    assert main(["export", str(write_checkpoint())]) == 2
    assert "onnx is missing, which exporting to ONNX needs: pip install 'freqlearn[export]'" in capsys.readouterr().err

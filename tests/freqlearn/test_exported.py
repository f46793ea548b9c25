"""Exported models: inference by the core package alone, and files that are not to be trusted."""

import io
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_spec import SPEC
from torch import Tensor, nn

import freqlearn as fl
from freqlearn.exported_about import Description
from freqlearn.exported_torch import EXTRA_FILE, TorchRunner
from freqlearn.pipelines.export.formats import to_onnx, to_torch

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

CLASSES = ("low", "middle", "high")


class Pooled(nn.Module):
    """Mean of every map, then a linear layer: NumPy computes it in one line."""

    def __init__(self, channels: int, classes: int = len(CLASSES)) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(classes, channels, generator=generator))

    def forward(self, maps: Tensor) -> Tensor:
        return nn.functional.linear(maps.mean(dim=(2, 3)), self.weight)


def probabilities(spec: fl.InputSpec, picture: Any) -> np.ndarray:
    """What Pooled says of a picture, by NumPy in float64."""
    maps = fl.presets.classification_eval(spec)(picture).numpy().astype(np.float64)
    logits = Pooled(spec.in_channels).weight.detach().numpy().astype(np.float64) @ maps.mean(axis=(1, 2))
    return np.exp(logits) / np.exp(logits).sum()


RGB = fl.InputSpec("rgb", None, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), 32, 40)


def describe(spec: fl.InputSpec = SPEC, **changes: Any) -> Description:
    return Description(**{"network": "pooled", "gate": None, "spec": spec, "classes": CLASSES} | changes)


WRITE: dict[str, Callable[[nn.Module, Description], bytes]] = {"onnx": to_onnx, "pt2": to_torch}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.onnx, model.pt2, the same for RGB and for batches of exactly three."""
    root = tmp_path_factory.mktemp("exported")
    for suffix, write in WRITE.items():
        (root / f"model.{suffix}").write_bytes(write(Pooled(SPEC.in_channels), describe()))
        (root / f"rgb.{suffix}").write_bytes(write(Pooled(3), describe(RGB)))
        (root / f"three.{suffix}").write_bytes(write(Pooled(SPEC.in_channels), describe(batch_size=3)))
    return root


@pytest.fixture(scope="module")
def pictures(make_jpeg: Callable[..., bytes]) -> list[bytes]:
    return [make_jpeg(45 + 8 * seed, 60, seed=seed) for seed in range(4)]


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize(("name", "spec"), [("model", SPEC), ("rgb", RGB), ("three", SPEC)], ids=["dct", "rgb", "3"])
def test_from_files_to_classes(
    folder: Path, pictures: list[bytes], tmp_path: Path, suffix: str, name: str, spec: fl.InputSpec
) -> None:
    model = fl.load_exported(folder / f"{name}.{suffix}")
    assert (model.spec, model.classes) == (spec, CLASSES)
    path = tmp_path / "picture.jpg"
    path.write_bytes(pictures[0])
    predicted = model.predict([path, *pictures], top=2)
    assert predicted[0] == model.predict(pictures[0], top=2) == model.predict(str(path), top=2)
    for ranked, picture in zip(predicted, [pictures[0], *pictures], strict=True):
        expected = probabilities(spec, picture)
        best = np.argsort(-expected)[:2]
        assert [name for name, _ in ranked] == [CLASSES[i] for i in best]
        # Probabilities of logits of size 1 to 10 in float32.
        np.testing.assert_allclose([value for _, value in ranked], expected[best], rtol=1e-5)
    assert model.predict([]) == []
    assert len(model.predict(pictures[0])) == len(CLASSES)


@pytest.mark.parametrize("suffix", WRITE)
def test_logits_are_those_of_any_number_of_images(folder: Path, suffix: str) -> None:
    images = torch.randn(7, *describe().input_shape)
    expected = Pooled(SPEC.in_channels)(images).detach()
    for name in ("model", "three"):
        model = fl.load_exported(folder / f"{name}.{suffix}")
        for count in (0, 1, 3, 7):
            torch.testing.assert_close(model.logits(images[:count]), expected[:count])


@pytest.mark.parametrize(
    "images",
    [torch.zeros(5, 4, 4), torch.zeros(1, 4, 4, 4), torch.zeros(1, 5, 8, 8), torch.zeros(1, 5, 4, 4).double()],
    ids=["no batch", "channels", "size", "dtype"],
)
def test_other_inputs_are_refused(folder: Path, images: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \(N, 5, 4, 4\) float32, got"):
        fl.load_exported(folder / "model.pt2").logits(images)


def test_a_picture_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    model = fl.load_exported(folder / "model.pt2")
    with pytest.raises(fl.ImageError, match=r"broken\.jpg"):
        model.predict(tmp_path / "broken.jpg")
    with pytest.raises(ValueError, match="expected top of at least 1, got 0"):
        model.predict(b"", top=0)


_MISSING = ("lightning", "torchmetrics", "jsonargparse", "matplotlib", "yaml", "onnx", "onnxscript", "tensorboard")
_ALONE = f"""
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in {_MISSING} or name.startswith(("freqlearn.models", "freqlearn.pipelines")):
            return None
        return self.finder.find_spec(name, *rest) if hasattr(self.finder, "find_spec") else None
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
import freqlearn as fl
for path in sys.argv[2:]:
    print(fl.load_exported(path).predict(sys.argv[1])[0][0])
for name in {_MISSING} + ("freqlearn.models", "freqlearn.pipelines"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(name + " was there after all")
"""


def test_inference_needs_neither_the_training_extra_nor_models(
    folder: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "picture.jpg").write_bytes(pictures[1])
    files = [str(folder / "model.onnx"), str(folder / "model.pt2")]
    command = [sys.executable, "-c", _ALONE, str(tmp_path / "picture.jpg"), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = CLASSES[int(probabilities(SPEC, pictures[1]).argmax())]
    assert done.stdout.split() == [expected] * 2


def test_without_onnxruntime_one_line_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'freqlearn\[onnx\]'"):
        fl.load_exported(folder / "model.onnx")
    fl.load_exported(folder / "model.pt2")


def test_devices(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.onnx: this onnxruntime cannot compute on 'tpu'; it has .*CPU"):
        fl.load_exported(folder / "model.onnx", device="tpu")
    # A device that is everywhere, and computes nothing.
    moved = TorchRunner((folder / "model.pt2").read_bytes(), device="meta", trusted=False)
    assert {tensor.device.type for tensor in moved.module.parameters()} == {"meta"}


@pytest.mark.parametrize("suffix", WRITE)
def test_files_do_not_tell_where_they_were_made(folder: Path, suffix: str) -> None:
    content = (folder / f"model.{suffix}").read_bytes()
    assert str(Path(__file__).parent).encode() not in content
    assert b"site-packages" not in content


def plain_archive() -> bytes:
    """An archive as torch.export.save writes it, not cleaned."""
    program = torch.export.export(Pooled(SPEC.in_channels).eval(), (torch.zeros(2, *describe().input_shape),))
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={EXTRA_FILE: describe().to_json()})
    return file.getvalue()


@pytest.fixture(scope="module")
def archive() -> bytes:
    return plain_archive()


class Bomb:
    """What an attacker would pickle: code that runs while it is read."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.flag,)


def changed(archive: bytes, **records: Callable[[bytes], bytes]) -> bytes:
    """The archive with some records changed; a name's last part stands for it, a new name makes a new record."""
    source, copy = zipfile.ZipFile(io.BytesIO(archive)), io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for name in source.namelist():
            change = records.pop(name.rpartition("/")[2], lambda data: data)
            target.writestr(name, change(source.read(name)))
        for name, change in records.items():
            target.writestr(f"archive/{name}", change(b""))
    return copy.getvalue()


def pickled(bomb: Bomb) -> bytes:
    file = io.BytesIO()
    torch.save(bomb, file)
    return file.getvalue()


def evaluated(archive: bytes, flag: Path) -> bytes:
    """An expression for the batch's size that is Python code."""
    code = f"__import__('pathlib').Path('{flag}').touch()"
    size = {"as_expr": {"expr_str": code, "hint": {"as_int": 2}}}

    def change(data: bytes) -> bytes:
        model = json.loads(data)
        for value in model["graph_module"]["graph"]["tensor_values"].values():
            value["sizes"][:1] = [size]
        return json.dumps(model).encode()

    return changed(archive, **{"model.json": change})


def in_weights(archive: bytes, flag: Path) -> bytes:
    """A weight that is a pickled object."""

    def change(data: bytes) -> bytes:
        return data.replace(b'"use_pickle": false', b'"use_pickle": true')

    return changed(archive, **{"model_weights_config.json": change, "weight_0": lambda _: pickled(Bomb(flag))})


def in_example(archive: bytes, flag: Path) -> bytes:
    """An example input that is a pickled object."""
    return changed(archive, **{"model.pt": lambda _: pickled(Bomb(flag))})


@pytest.mark.parametrize("attack", [evaluated, in_weights, in_example], ids=lambda attack: attack.__name__)
def test_an_archive_runs_no_code(archive: bytes, attack: Any, tmp_path: Path) -> None:
    flag, path = tmp_path / "flag", tmp_path / "hostile.pt2"
    path.write_bytes(attack(archive, flag))
    if attack is in_example:
        fl.load_exported(path)  # it is not needed, and left out
    else:
        with pytest.raises(ValueError, match=r"hostile\.pt2: .*(plain name|pickled)"):
            fl.load_exported(path)
    assert not flag.exists()
    with pytest.raises(Exception):  # noqa: B017  (what torch says once the code has run)
        torch.export.load(path)
    assert flag.exists(), "the bomb is a real one"


def calling(target: str) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(b"torch.ops.aten.linear.default", target.encode())


@pytest.mark.parametrize(
    ("records", "message"),
    [
        pytest.param({"model.json": calling("torch.os.system")}, "calls 'torch.os.system'", id="function"),
        pytest.param({"model.json": calling("torch.ops.aten.from_file.default")}, "from_file", id="operator on files"),
        pytest.param({"model.json": calling("torch.ops.higher_order.cond")}, "higher_order", id="higher order"),
        pytest.param({"data/aotinductor/model/x.so": lambda _: b"\x7fELF"}, "x.so", id="compiled library"),
        pytest.param({"data/weights/model.pt": lambda _: b""}, "model.pt", id="older, pickled layout"),
        pytest.param({"models/other.json": lambda _: b"{}"}, "other.json", id="second model"),
        pytest.param(
            {"model.json": lambda data: data.replace(b'"name": "linear"', b'"name": "x)\\n  import os #"')},
            "plain name as name",
            id="name that is code",
        ),
        pytest.param(
            {"model.json": lambda data: data.replace(b"as_tensor", b"as_custom_obj", 1)}, "as_custom_obj", id="object"
        ),
        pytest.param(
            {"model.json": lambda data: data.replace(b"builtins.tuple", b"os.system")}, "'os.system'", id="structure"
        ),
        pytest.param({"model.json": lambda data: data[:500]}, "not JSON", id="cut JSON"),
        pytest.param({"model.json": lambda data: b"[" * 100_000}, "not JSON", id="endless JSON"),
        pytest.param({"model.json": lambda _: b'{"a":' * 900 + b"1" + b"}" * 900}, "nested too deeply", id="deep JSON"),
        pytest.param({"model.json": lambda data: b"[]"}, "does not hold an object", id="other JSON"),
        pytest.param({"model.json": lambda data: b"{}"}, "cannot load it", id="empty JSON"),
        pytest.param({"weight_0": lambda data: data[:20]}, "cannot load it", id="short weight"),
        pytest.param({EXTRA_FILE: lambda _: b"\xff"}, "not text", id="binary description"),
        pytest.param({EXTRA_FILE: lambda _: b"{}"}, "expected an exported model's description", id="no description"),
    ],
)
def test_what_an_archive_must_not_hold(archive: bytes, records: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pt2"
    path.write_bytes(changed(archive, **records))
    with pytest.raises(ValueError, match=message) as caught:
        fl.load_exported(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_trusted_archives_are_loaded_as_they_are(archive: bytes, pictures: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "own.pt2"
    path.write_bytes(archive.replace(b"torch.ops.aten.linear.default", b"torch.ops.aten.linear.default"))
    assert fl.load_exported(path, trusted=True).spec == fl.load_exported(path).spec


def foreign_onnx(**properties: str) -> bytes:
    import onnx
    from onnx import TensorProto, helper

    maps = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5, 4, 4])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5, 4, 4])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [maps], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, properties)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "no ONNX model", id="empty"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(500), "no ONNX model", id="picture"),
        pytest.param(b"PK\x03\x04" + bytes(500), "damaged, or no archive", id="broken archive"),
        pytest.param(pickle.dumps({"a": 1}), "no ONNX model", id="pickle"),
        pytest.param(pickled(Bomb(Path("never"))), "an archive, but not of a model", id="torch.save"),
        pytest.param(foreign_onnx(), "not one that freqlearn exported", id="foreign ONNX"),
        pytest.param(foreign_onnx(freqlearn="{"), "not JSON", id="ONNX with a damaged description"),
        pytest.param(
            foreign_onnx(freqlearn=describe(RGB).to_json()),
            r"promises one input \(N, 3, 32, 32\)",
            id="ONNX of another shape",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        fl.load_exported(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_truncated_files_are_refused(folder: Path, tmp_path: Path, suffix: str, kept: float) -> None:
    whole = (folder / f"model.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=rf"cut\.{suffix}: "):
        fl.load_exported(path)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.onnx"):
        fl.load_exported("nowhere.onnx")


def test_a_graph_that_gives_another_number_of_classes(tmp_path: Path) -> None:
    path = tmp_path / "four.pt2"
    path.write_bytes(to_torch(Pooled(SPEC.in_channels, classes=4), describe()))
    with pytest.raises(ValueError, match=r"names 3 classes, but its graph gives \(1, 4\)"):
        fl.load_exported(path).logits(torch.zeros(1, *describe().input_shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ()}, "at least one class"),
        ({"classes": (1, 2)}, "each with a name"),
        ({"gate": "maybe"}, "dynamic"),
        ({"batch_size": 0}, "batch_size of at least 1"),
    ],
    ids=["no classes", "numbers as classes", "gate", "batch size"],
)
def test_descriptions_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        describe(**changes)


def test_a_description_survives_the_round_trip() -> None:
    about = describe(RGB, batch_size=4, gate="dynamic", versions={"freqlearn": "1"})
    assert Description.from_json(about.to_json()) == about

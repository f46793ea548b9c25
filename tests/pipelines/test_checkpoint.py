import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from freqlearn.pipelines.checkpoint import CheckpointError, Header, check_classes, load_checkpoint, read_header
from freqlearn.pipelines.training import TrainResult


class Bomb:
    """What an attacker would pickle: code that runs while it is read."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.flag,)


def changed(trained: TrainResult, path: Path, **changes: Any) -> Path:
    data = torch.load(trained.checkpoint, weights_only=True)
    for key, value in changes.items():
        data[key] = value
    torch.save(data, path)
    return path


def test_header_survives_the_round_trip(trained: TrainResult) -> None:
    header = read_header(trained.checkpoint)
    assert Header.from_dict(header.to_dict()) == header


def test_stranger_s_code_does_not_run(trained: TrainResult, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    path = changed(trained, tmp_path / "bomb.ckpt", extra=Bomb(flag))
    with pytest.raises(CheckpointError, match="damaged or holds objects other than tensors"):
        load_checkpoint(path)
    assert not flag.exists()
    torch.load(path, weights_only=False)
    assert flag.exists(), "the bomb is a real one"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no such checkpoint file", id="missing"),
        pytest.param(b"", "not a", id="empty"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(500), "not a", id="picture"),
        pytest.param(b"PK\x03\x04" + bytes(500), "not a", id="broken archive"),
        pytest.param(pickle.dumps({"a": 1}), "not a", id="bare pickle"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.ckpt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected a checkpoint file, such as .*best\.ckpt; this is a folder"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_truncated_checkpoint_is_refused(trained: TrainResult, tmp_path: Path, kept: float) -> None:
    whole = trained.checkpoint.read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CheckpointError, match=r"cut\.ckpt"):
        load_checkpoint(tmp_path / "cut.ckpt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({"state_dict": {}}, "does not say what its model is given", id="another project's"),
        pytest.param([1, 2], "it holds a list", id="list"),
        pytest.param(
            {"freqlearn": {"version": 99}}, "expected version 1 of a freqlearn checkpoint, got 99", id="future"
        ),
        pytest.param({"freqlearn": {"version": 1}}, "lacks 'network'", id="incomplete"),
    ],
)
def test_foreign_checkpoints_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "x.ckpt")


def test_damaged_header_and_weights_are_refused(trained: TrainResult, tmp_path: Path) -> None:
    header = read_header(trained.checkpoint).to_dict()
    for field, value in (("spec", "{}"), ("classes", None), ("arguments", 3)):
        path = changed(trained, tmp_path / "x.ckpt", freqlearn={**header, field: value})
        with pytest.raises(CheckpointError, match=r"x\.ckpt"):
            load_checkpoint(path)
    path = changed(trained, tmp_path / "x.ckpt", freqlearn={**header, "network": "os.system"})
    with pytest.raises(CheckpointError, match=r"unknown network 'os\.system'"):
        load_checkpoint(path)
    path = changed(trained, tmp_path / "x.ckpt", state_dict={"model.fc.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="the weights do not fit"):
        load_checkpoint(path)


def test_unknown_class_is_named(trained: TrainResult) -> None:
    with pytest.raises(ValueError, match="does not know the class 'zebra'; it knows flat, stripes"):
        check_classes(read_header(trained.checkpoint), ["flat", "zebra"], Path("data"))

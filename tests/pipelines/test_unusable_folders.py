"""Folders that may not be read or written: one clear line each, before anything is spent on them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from freqlearn.pipelines.cli import main

_NOBODY = 65534


@pytest.fixture
def shared(two_classes: Path) -> Iterator[Path]:
    """A folder that any user may enter, with `data` in it; pytest's own are its user's alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(two_classes, folder / "data")
        for made in (folder / "data", *(folder / "data").rglob("*")):
            made.chmod(0o755)
        yield folder


@contextmanager
def as_somebody() -> Iterator[None]:
    """Root may read and write everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
@pytest.mark.parametrize("part", ["train", "train/flat", "val/stripes"])
def test_folder_that_may_not_be_read(shared: Path, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "data" / part
    folder.chmod(0)
    try:
        with as_somebody():
            assert main(["train", f"--data={shared / 'data'}", f"--output={shared / 'run'}", "--no-progress"]) == 2
    finally:
        folder.chmod(0o755)
    assert last_line(capsys) == f"freqlearn: {folder}: Permission denied"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_output_that_may_not_be_written(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shared / "runs").mkdir(mode=0o555)
    output = shared / "runs" / "run"
    with as_somebody():
        assert main(["train", f"--data={shared / 'data'}", f"--output={output}", "--model=small", "--no-progress"]) == 2
    assert last_line(capsys) == f"freqlearn: {output}: Permission denied"


def test_output_below_a_file(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = shared / "data" / "train" / "flat" / "0.jpg" / "run"
    assert main(["train", f"--data={shared / 'data'}", f"--output={output}", "--model=small", "--no-progress"]) == 2
    assert last_line(capsys) == f"freqlearn: {output}: Not a directory"

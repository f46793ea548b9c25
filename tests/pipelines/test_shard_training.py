"""Trainings on tar shards from the command line; test_resume.py kills and resumes them."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import webdataset

from freqlearn.pipelines.cli import main


@pytest.fixture(scope="module")
def shards(two_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """two_classes as tar files: train/ of 11, 9 and 4 samples, val/ of one shard; labels are names."""
    root = tmp_path_factory.mktemp("as_shards")
    for part, sizes in (("train", (11, 9, 4)), ("val", (10,))):
        (root / part).mkdir()
        files = iter(sorted((two_classes / part).glob("*/*.jpg"), key=lambda path: (path.stem, path.parent)))
        for shard, size in enumerate(sizes):
            with webdataset.TarWriter(str(root / part / f"{shard}.tar")) as writer:
                for file in (next(files) for _ in range(size)):
                    key = f"{file.parent.name}-{file.stem}"
                    writer.write({"__key__": key, "jpg": file.read_bytes(), "cls": file.parent.name})
    (root / "classes.txt").write_text("flat\nstripes\n")
    return root


@pytest.fixture(scope="module")
def spec(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "spec.json"
    sizes = ["--size-px=32", "--resize-px=none", "--no-progress"]
    assert main(["stats", f"{shards}/train/{{0..2}}.tar", "-o", str(path), *sizes]) == 0
    return path


def command(output: Path, spec: Path, *more: str) -> list[str]:
    usual = ["--model=small", "--accelerator=cpu", "--no-progress", "--channels=24", "--batch-size=4", "--lr=1e-2"]
    return ["train", *usual, f"--spec={spec}", f"--output={output}", *more]


def test_trains_and_evaluates(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--size-px=32", "--augment=flip", "--epochs=8", "--workers=0"]
    arguments = ["--model=small", "--accelerator=cpu", "--no-progress", "--batch-size=8", "--lr=1e-2"]
    output = tmp_path / "run"
    assert main(["train", f"--train-shards={shards}/train/{{0..2}}.tar", *sizes, *arguments, f"--output={output}"]) == 0
    capsys.readouterr()
    for data in (shards, f"{shards}/val/0.tar", f"pipe:cat {shards}/val/0.tar"):
        evaluate = ["evaluate", str(output / "last.ckpt"), f"--data={data}", "--json", "--no-progress"]
        assert main([*evaluate, "--workers=0", "--accelerator=cpu"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["images"] == 10
        assert found["top1"] >= 0.9  # what 24 steps learn of two classes so different


def test_classes_that_the_model_does_not_know(
    shards: Path, spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    (other / "val").mkdir(parents=True)
    (other / "val" / "0.tar").write_bytes((shards / "val" / "0.tar").read_bytes())
    (other / "val" / "classes.txt").write_text("flat\nstripes\nwaves\n")
    arguments = [f"--train-shards={shards}/train/{{0..2}}.tar", f"--val-shards={other}/val/0.tar", "--workers=0"]
    assert main(command(tmp_path / "run", spec, *arguments)) == 2
    assert "class 'waves' is not among the 2 known classes" in capsys.readouterr().err


def test_a_bad_label_is_one_clear_line(shards: Path, spec: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    path = tmp_path / "bad.tar"
    with tarfile.open(shards / "train" / "2.tar") as good, tarfile.open(path, "w") as bad:
        for member in good:
            content = good.extractfile(member).read()  # type: ignore[union-attr]
            if member.name.endswith("cls"):
                content = b"wolf"
            member.size = len(content)
            bad.addfile(member, io.BytesIO(content))
    arguments = [f"--train-shards={path}", f"--classes={shards}/classes.txt", "--workers=1"]
    assert main(command(tmp_path / "run", spec, *arguments)) == 2
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f"freqlearn: {path}/")
    assert error.endswith(".cls: expected the name of a class or its number, 0 to 1, got 'wolf'")

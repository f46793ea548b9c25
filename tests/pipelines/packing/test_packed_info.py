"""`freqlearn info` of packed sets."""

from pathlib import Path

import pytest

from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.cli import main


@pytest.mark.parametrize("name", ["", "index.json"], ids=["folder", "index"])
def test_info_of_a_packed_set(name: str, mixed_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(mixed_set / name)]) == 0
    said = capsys.readouterr().out
    size = PackedSet.load(mixed_set).split("train").bytes / 1e6
    assert f"10 images in train ({size:,.1f} MB in tar shards: 4), 4 images in val" in said
    assert "for DCT-24 (24 channels), 32 px" in said
    assert "files carry DCT-24 (24 channels), 4:4:4, quality 80; classes: cat, wild dog" in said


def test_info_of_another_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"{tmp_path}: expected a file or a packed set, got a folder without index.json\n"

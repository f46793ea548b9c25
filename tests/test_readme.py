"""The README's Python runs as it is printed, from top to bottom, in a folder with photos."""

import re
import shutil
from pathlib import Path

import pytest

from freqlearn.pipelines import planted

README = Path(__file__).resolve().parent.parent / "README.md"


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = planted.write(tmp_path / "photos", plants=2, train_per_class=4, val_per_class=1)
    shutil.copy(next(data.root.glob("val/*/*.jpg")), tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    exec(compile("\n".join(blocks), str(README), "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["(8, 3, 224, 224) 602112", "(8, 24, 56, 56) 301056"]


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []

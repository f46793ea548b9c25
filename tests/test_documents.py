"""The Python in the README and in docs/ runs as it is printed, in a folder with photos, and links lead somewhere."""

import re
import shutil
from pathlib import Path

import pytest

from freqlearn.pipelines import planted

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]


def python_blocks(document: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def with_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to a folder that holds photo.jpg and photos/train/CLASS/."""
    data = planted.write(tmp_path / "photos", plants=2, train_per_class=4, val_per_class=1)
    shutil.copy(next(data.root.glob("val/*/*.jpg")), tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("with_photos")
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if python_blocks(d)], ids=lambda document: document.name)
def test_python_blocks_run(document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if "from datasets import" in document.read_text(encoding="utf-8"):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # nothing to download: no need to ask
        datasets = pytest.importorskip("datasets")
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    exec(compile("\n".join(python_blocks(document)), str(document), "exec"), {})


@pytest.mark.usefixtures("with_photos")
def test_readme_shows_what_its_first_block_prints(capsys: pytest.CaptureFixture[str]) -> None:
    block = python_blocks(README)[0]
    exec(compile(block, str(README), "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["(8, 3, 224, 224) 602112", "(8, 24, 56, 56) 301056"]
    assert "# (8, 3, 224, 224) 602112, then (8, 24, 56, 56) 301056" in block


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_linked_files_exist(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []

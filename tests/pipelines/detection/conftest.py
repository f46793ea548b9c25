"""A small generated COCO dataset of shapes, and ways to write others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.shapes import write_shapes


@pytest.fixture(scope="session")
def shapes_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with images/ (10 scenes of 96 px, a crowd in the first) and instances.json."""
    return write_shapes(tmp_path_factory.mktemp("shapes"), images=10, size_px=96)


@pytest.fixture(scope="session")
def shapes(shapes_dir: Path) -> CocoFolder:
    """The generated scenes."""
    return CocoFolder(shapes_dir / "images", shapes_dir / "instances.json")


@pytest.fixture
def changed_shapes(shapes_dir: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], Any]], CocoFolder]:
    """`changed_shapes(change)`: the generated scenes with another JSON file; `change` gets its content."""

    def make(change: Callable[[dict[str, Any]], Any]) -> CocoFolder:
        document = json.loads((shapes_dir / "instances.json").read_text())
        change(document)
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(document))
        return CocoFolder(shapes_dir / "images", path)

    return make

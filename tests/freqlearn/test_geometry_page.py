"""docs/geometry.md: its code runs, and gives what its comments say."""

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "geometry.md").read_text()


def test_code_of_the_page_runs(make_jpeg, tmp_path, monkeypatch):
    (tmp_path / "photo.jpg").write_bytes(make_jpeg(375, 500))
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, namespace)
    assert "pending: resize to 682x512 px, show 448x448+117+32" in repr(namespace["image"])
    assert namespace["image"].to_rgb().shape == (448, 448, 3)
    canvas_size, shape = namespace["target"]["boxes"].canvas_size, tuple(namespace["maps"].shape)
    assert f"canvas_size    # {canvas_size}" in PAGE
    assert f"# {shape}: one cell" in PAGE

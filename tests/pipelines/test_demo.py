"""`freqlearn demo`: everything that it promises is said and written, on planted data and on photos."""

from functools import partial
from pathlib import Path

import pytest

from freqlearn.pipelines import demo as demo_module
from freqlearn.pipelines import planted
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.demo import demo
from freqlearn.pipelines.importance import Importance


def test_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    few = partial(planted.write, plants=2, train_per_class=12, val_per_class=3)
    monkeypatch.setattr(demo_module.planted, "write", few)
    output = tmp_path / "demo"
    demo(output=output, size_px=32, epochs=1, seeds=0, workers=0)
    assert "acid test" not in capsys.readouterr().out
    demo(output=output, size_px=32, epochs=1, seeds=1, workers=0)  # replaces the first
    said = capsys.readouterr().out
    assert "== The acid test: planted channels found with 1 seed, by gate, energy, ablation" in said
    for line in ("of 2 planted channels found", "top 2 by the gate", "DCT-24, the published square", "all 192"):
        assert line in said
    table = said[said.index("ranking by") :].splitlines()
    assert [line.split()[0] for line in table[2:5]] == ["gate", "energy", "ablation"]
    # 2, 24 and 192 channels of 4x4 float32 numbers.
    assert [name in said for name in ("128", "1,536", "12,288")] == [True] * 3
    assert str(output / "rank" / "heatmap.png") in said
    assert Importance.load(output / "rank").measured_on["model"] == "small"
    for name, channels in (("top-2", 2), ("dct-24", 24), ("all-192", 192)):
        assert load_checkpoint(output / "train" / name / "best.ckpt").header.spec.in_channels == channels
    for name in ("heatmap.png", "heatmap.svg", "importance.csv"):
        assert (output / "rank" / name).stat().st_size > 0


def test_photos(two_classes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo(two_classes, output=tmp_path / "demo", size_px=32, top=5, epochs=1, workers=0)
    said = capsys.readouterr().out
    assert "24 files of 2 classes" in said
    assert "5 most important of 192 channels" in said
    assert "top 5 by the gate" in said
    assert "planted" not in said
    assert "acid test" not in said
    assert load_checkpoint(tmp_path / "demo" / "train" / "top-5" / "best.ckpt").header.spec.resize_px == 37


@pytest.mark.parametrize("wrong", [{"top": 0}, {"size_px": 0}, {"epochs": 0}, {"seeds": -1}])
def test_wrong_arguments_write_nothing(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least"):
        demo(output=tmp_path / "demo", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "demo").exists()


def test_other_people_s_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "precious.txt").touch()
    with pytest.raises(ValueError, match="not the demo's"):
        demo(output=tmp_path)
    assert (tmp_path / "train" / "precious.txt").is_file()

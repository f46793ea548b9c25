"""The importance file: exact round trip, its table, what is refused."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.importance import LOWEST_16, Importance


@pytest.fixture
def importance() -> Importance:
    values = np.random.default_rng(0).random(192)
    return Importance(values, "gate", {"folder": "photos/train", "images": 12, "seed": 0})


def test_round_trip_is_exact(importance: Importance, tmp_path: Path) -> None:
    json_path, csv_path = importance.save(tmp_path / "new" / "folder")
    assert (json_path.name, csv_path.name) == ("importance.json", "importance.csv")
    for source in (json_path, json_path.parent, str(json_path)):
        again = Importance.load(source)
        assert again.values.tolist() == importance.values.tolist()
        assert (again.method, again.unit, again.measured_on) == ("gate", "probability", importance.measured_on)


def test_json_fields(importance: Importance) -> None:
    data = json.loads(importance.to_json())
    assert (data["format"], data["version"], data["unit"]) == ("freqlearn.importance", 1, "probability")
    assert len(data["channels"]) == 192
    entry = data["channels"][64 + 8 * 2 + 5]
    assert entry == {"channel": 85, "component": "Cb", "v": 2, "u": 5, "importance": importance.values[85]}


def test_csv_is_a_table_that_others_read(importance: Importance) -> None:
    rows = list(csv.DictReader(io.StringIO(importance.to_csv())))
    assert [float(row["importance"]) for row in rows] == importance.values.tolist()
    by_rank = sorted(rows, key=lambda row: int(row["rank"]))
    assert [int(row["channel"]) for row in by_rank] == np.argsort(-importance.values, kind="stable").tolist()
    assert [int(row["rank"]) for row in by_rank] == list(range(1, 193))


def test_top_and_ranking(importance: Importance) -> None:
    assert set(importance.top(5)) == set(np.argsort(importance.values)[-5:])
    assert importance.ranking()[0] == int(importance.values.argmax())
    equal = Importance(np.ones(192), "energy")
    assert equal.ranking() == tuple(range(192))


def test_shares() -> None:
    values = np.zeros(192)
    values[[0, 63, 64, 191]] = [3, 1, 2, -5]
    importance = Importance(values, "ablation")
    assert importance.summary() == pytest.approx({"Y": 4 / 6, "Cb": 2 / 6, "Cr": 0, "lowest 16 frequencies": 5 / 6})
    assert importance.share_of(ChannelSet.all()) == 1
    assert Importance(np.zeros(192), "ablation").summary()["Y"] == 0


def test_lowest_16_frequencies_of_three_components() -> None:
    assert len(LOWEST_16) == 48
    assert {(i % 64 // 8, i % 8) for i in LOWEST_16} == {(v, u) for v in range(4) for u in range(4)}


def test_values_cannot_change(importance: Importance) -> None:
    with pytest.raises(ValueError, match="read-only"):
        importance.values[0] = 1


@pytest.mark.parametrize(
    ("values", "method", "message"),
    [
        (np.zeros(24), "gate", "expected 192 importances"),
        (np.zeros((3, 64)), "gate", "expected 192 importances"),
        (np.r_[np.zeros(66), np.nan, np.zeros(125)], "gate", r"finite importances, got nan for Cb\(0,2\)"),
        (np.zeros(192), "magic", "one of the methods gate, energy, ablation"),
    ],
)
def test_refused(values: np.ndarray, method: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Importance(values, method)  # type: ignore[arg-type]


def _damaged(importance: Importance, **changes: object) -> str:
    return json.dumps(json.loads(importance.to_json()) | changes)


def test_damaged_files_are_refused(importance: Importance, tmp_path: Path) -> None:
    channels = json.loads(importance.to_json())["channels"]
    mislabelled = [{**channels[0], "u": 1}, *channels[1:]]
    texts = {
        "not": "{",
        "got 'list'": "[]",
        "got 'freqlearn.channels'": _damaged(importance, format="freqlearn.channels"),
        "got 2": _damaged(importance, version=2),
        "each of the 192": _damaged(importance, channels=channels[:-1]),
        "each of the 192 channels once": _damaged(importance, channels=[*channels[:-1], channels[0]]),
        r"Y\(0,1\) is channel 1, but the file calls it 0": _damaged(importance, channels=mislabelled),
        "damaged": _damaged(importance, channels=[{}] * 192),
        "finite": _damaged(importance, channels=[{**channels[0], "importance": float("inf")}, *channels[1:]]),
    }
    for message, text in texts.items():
        path = tmp_path / "importance.json"
        path.write_text(text)
        with pytest.raises(ValueError, match=message) as raised:
            Importance.load(path)
        assert str(path) in str(raised.value)


def test_missing_file_says_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="freqlearn rank"):
        Importance.load(tmp_path / "nothing.json")

"""Agreement of rankings: against SciPy's rank correlation, and on rankings whose agreement is known."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from freqlearn.pipelines.cli import main
from freqlearn.pipelines.comparison import compare
from freqlearn.pipelines.importance import Importance


@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation_is_spearman_s(ties: bool) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=192), rng.normal(size=192)
    second += first
    if ties:
        first, second = first.round(), second.round()
    expected = stats.spearmanr(first, second).statistic
    assert Importance(first, "gate").rank_correlation(Importance(second, "energy")) == pytest.approx(expected)


def test_rank_correlation_of_known_orders() -> None:
    rising = Importance(np.arange(192.0), "gate")
    assert rising.rank_correlation(Importance(np.arange(192.0) ** 3, "gate")) == pytest.approx(1)
    assert rising.rank_correlation(Importance(-np.arange(192.0), "ablation")) == pytest.approx(-1)
    assert math.isnan(rising.rank_correlation(Importance(np.ones(192), "gate")))


@pytest.fixture
def rankings(tmp_path: Path) -> list[Path]:
    values = np.arange(192.0)
    shifted = np.roll(values, 6)  # the top 24 move by six channels
    for name, numbers in (("a", values), ("b", shifted), ("c", -values)):
        Importance(numbers, "gate").save(tmp_path / name)
    return [tmp_path / name for name in "abc"]


def test_pairs(rankings: list[Path]) -> None:
    pairs = compare(rankings, top=24).pairs
    assert [(Path(pair.first).name, Path(pair.second).name) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.common for pair in pairs] == [18, 0, 6]
    assert pairs[1].rank_correlation == pytest.approx(-1)
    assert pairs[0].common_by_chance == 3


def test_command(rankings: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare-rankings", *map(str, rankings), "--top", "24"]) == 0
    shown = capsys.readouterr().out
    assert "18 (75%)" in shown
    assert "On average" in shown
    assert "-1.000" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "two or more rankings"),
        (["a", "missing"], "missing.*cannot be read"),
        (["a", "b", "--top", "0"], "top must be 1 to 192"),
    ],
)
def test_mistakes(
    rankings: list[Path], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(rankings[0].parent)
    assert main(["compare-rankings", *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)

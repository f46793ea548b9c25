"""`freqlearn compare-rankings`: how much several rankings agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from freqlearn.indexing import NUM_CHANNELS, integer
from freqlearn.pipelines.importance import Importance
from freqlearn.pipelines.tables import table


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How much two rankings agree.

    Attributes:
        first: Name of the one.
        second: Name of the other.
        rank_correlation: Spearman's, over all 192 channels; not a number where one of them ranks all channels alike.
        top: How many of the most important channels are compared.
        common: How many of those both have.
    """

    first: str
    second: str
    rank_correlation: float
    top: int
    common: int

    @property
    def common_by_chance(self) -> float:
        """How many channels two random choices have in common, on average."""
        return self.top**2 / NUM_CHANNELS


@dataclass(frozen=True)
class Comparison:
    """All pairs of some rankings.

    Attributes:
        pairs: One agreement for each pair.
    """

    pairs: tuple[Agreement, ...]

    def __str__(self) -> str:
        top = self.pairs[0].top
        rows = [
            {
                "ranking": pair.first,
                "and": pair.second,
                "rank correlation": _number(pair.rank_correlation),
                f"of the top {top} in common": f"{pair.common} ({pair.common / top:.0%})",
            }
            for pair in self.pairs
        ]
        lines = [table(rows)]
        if len(self.pairs) > 1:
            correlations = [pair.rank_correlation for pair in self.pairs]
            common = [pair.common for pair in self.pairs]
            lines.append(
                f"On average rank correlation {_number(sum(correlations) / len(correlations))}, "
                f"{sum(common) / len(common):.1f} of the top {top} in common."
            )
        lines.append(f"Two random choices of {top} have {self.pairs[0].common_by_chance:.1f} in common.")
        return "\n".join(lines)


def compare(rankings: Sequence[str | Path], *, top: int = 24) -> Comparison:
    """Compare rankings pair by pair.

    Args:
        rankings: Two or more files importance.json, or the folders of rankings.
        top: How many of the most important channels to compare.

    Raises:
        ValueError: For fewer than two rankings, a file that is none, or a number of channels that is not in 1..192.
    """
    if len(rankings) < 2:
        raise ValueError(f"expected two or more rankings to compare, got {len(rankings)}")
    top = integer(top, "top")
    if not 1 <= top <= NUM_CHANNELS:
        raise ValueError(f"top must be 1 to {NUM_CHANNELS} channels, got {top}")
    loaded = [(str(path), Importance.load(path)) for path in rankings]
    return Comparison(
        tuple(
            Agreement(
                first=name,
                second=other_name,
                rank_correlation=importance.rank_correlation(other),
                top=top,
                common=len(set(importance.top(top)) & set(other.top(top))),
            )
            for (name, importance), (other_name, other) in combinations(loaded, 2)
        )
    )


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"

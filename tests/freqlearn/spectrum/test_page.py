"""docs/spectrum.md: its code runs, its table is of the CSV beside it."""

import csv
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "spectrum.md").read_text()


def test_code_of_the_page_runs() -> None:
    namespace: dict[str, torch.Tensor] = {}
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(block, namespace)
    assert namespace["parts"].shape == (4, 4, 3, 64, 96)
    assert namespace["channels"].shape == (4, 3, 64, 8, 12)
    assert namespace["energies"].shape == (4, 3, 8, 8)


def test_table_of_the_page_is_of_the_results() -> None:
    with (ROOT / "docs" / "results" / "sensitivity.csv").open() as file:
        rows = list(csv.DictReader(file))
    shown = re.findall(r"(\d+\.\d)% \(([+-]\d+\.\d) ± (\d+\.\d); (\d+\.\d+)%\)", PAGE)
    listed = sorted(
        (float(row["top1"]), -float(row["drop"]), float(row["standard_error"]), float(row["energy"]))
        for row in rows
        if row["low"]
    )
    found = sorted(tuple(float(number) / 100 for number in entry) for entry in shown)
    assert len(found) == len(listed) > 0
    for entry, numbers in zip(found, listed, strict=True):
        assert entry == pytest.approx(numbers, abs=5.1e-4)

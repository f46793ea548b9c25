"""Put what was measured into docs/bytes.md: its tables, docs/bytes-flowers.png, and docs/results/bytes_*.csv.

    python -m benchmarks.flowers_bytes.page [--seeds 0 1 2] [--output runs/flowers]

The accuracies are those of `python -m benchmarks.flowers_bytes`; the other tables come from what `benchmarks.pruning`,
`benchmarks.packing` and `benchmarks.encoding` have left in runs/benchmarks.
"""

import argparse
import json
import logging
import os
from pathlib import Path
from typing import Any

from benchmarks.flowers.running import Experiment
from benchmarks.flowers_bytes import results
from benchmarks.flowers_bytes.picture import draw
from benchmarks.page import rewritten
from benchmarks.report import RESULTS, write_rows
from freqlearn.pipelines.bench.report import Section

DOCS = Path(__file__).resolve().parents[2] / "docs"
MEASURED = ("pruning", "packing", "encoding")
"""Benchmarks whose results have tables for the page."""


def measured(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Marker -> table, of the benchmarks that have left a result: every field that is a list of rows."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        if path.stem.partition("_")[0] in MEASURED:
            for key, rows in json.loads(path.read_text()).items():
                if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
                    found[path.stem if key == "rows" else f"{path.stem}-{key}"] = rows
    return found


def main() -> None:
    """Rewrite the page from what is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("runs") / "flowers")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    tables = measured(RESULTS)
    for name, rows in tables.items():
        print(write_rows(DOCS / "results" / f"bytes_{name.replace('-', '_')}.csv", rows))
    data = os.environ.get("FREQLEARN_DATA")
    if data:
        experiment = Experiment(Path(data) / "flowers", options.output, epochs=0)
        found = {group: results.rows(experiment, group, options.seeds) for group in results.GROUPS}
        found = {group: rows for group, rows in found.items() if rows}
        tables |= {f"flowers-bytes-{group}": results.table(rows) for group, rows in found.items()}
        if found:
            print(draw(found, DOCS / "bytes-flowers.png"))
            for path in results.write_csv(experiment, found, DOCS / "results"):
                print(path)
    else:
        print("FREQLEARN_DATA names no folder: the tables of accuracy stay as they are")
    page = DOCS / "bytes.md"
    markdown = {name: Section(name, "", rows).markdown() for name, rows in tables.items()}
    page.write_text(rewritten(page.read_text(), markdown))
    print(f"{page}: {', '.join(tables)}")


if __name__ == "__main__":
    main()

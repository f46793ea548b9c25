"""Put the results on flowers into docs: tables of results.md and octave.md, docs/results/*.csv and the heatmap.

python -m benchmarks.flowers.page [--seeds 0 1 2] [--output runs/flowers]
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.flowers import results
from benchmarks.flowers.running import TOP, Experiment
from benchmarks.page import rewritten
from freqlearn.pipelines import heatmap
from freqlearn.pipelines.bench.report import Section

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> None:
    """Rewrite the page from what is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("runs") / "flowers")
    options = parser.parse_args()
    data = os.environ.get("FREQLEARN_DATA")
    if not data:
        sys.exit("set FREQLEARN_DATA to the folder with the photos of the trainings")
    experiment = Experiment(Path(data) / "flowers", options.output, epochs=0)
    rows = results.finished(experiment, options.seeds)
    found = results.rankings(experiment, options.seeds)
    plain = [row for row in rows.values() if not row.variant.octave]
    octave = [row for row in rows.values() if row.variant.octave or row.variant.name in ("small-rgb", "small-square")]
    pages = {
        "results.md": {
            "flowers-main": results.accuracy_table(row for row in plain if row.variant.group == "main"),
            "flowers-small": results.accuracy_table(row for row in plain if row.variant.group == "small"),
            "flowers-differences": results.difference_table(rows, results.COMPARED),
            "flowers-rankings": results.ranking_table(found),
            "flowers-shares": results.share_table(found),
        },
        "octave.md": {
            "flowers-octave": results.accuracy_table(octave),
            "flowers-octave-differences": results.difference_table(rows, results.OCTAVE_COMPARED),
        },
    }
    for name, tables in pages.items():
        page = DOCS / name
        markdown = {title: Section(title, "", table).markdown() for title, table in tables.items() if table}
        page.write_text(rewritten(page.read_text(), markdown))
        print(f"{page}: {', '.join(markdown)}")
    for path in results.write_csv(experiment, rows, options.seeds, DOCS / "results"):
        print(path)
    if any(method == "gate" for method, _ in found):
        mean = results.mean_importance(found, "gate")
        with tempfile.TemporaryDirectory() as folder:
            png, _ = heatmap.draw(mean, folder, selected=mean.top(TOP))
            print(shutil.copy(png, DOCS / "heatmap-flowers.png"))


if __name__ == "__main__":
    main()

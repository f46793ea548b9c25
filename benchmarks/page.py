"""Put what was measured into docs/performance.md: the tables between its markers, from the JSON of the benchmarks.

    python -m benchmarks.page [FILE.md]

A table stands between `<!-- NAME -->` and `<!-- end -->`; what NAME may be, `python -m benchmarks.page --list` says.
"""

import json
import re
import sys
from pathlib import Path

from benchmarks.report import RESULTS
from freqlearn.pipelines.bench.report import Section, heading, sections

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
_BETWEEN = re.compile(r"(<!-- ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def contents(folder: Path = RESULTS) -> dict[str, str]:
    """Name of a marker -> Markdown, of the results that there are."""
    found: dict[str, str] = {}
    speed, tolerance = folder / "speed.json", folder / "tolerance.json"
    if speed.exists():
        result = json.loads(speed.read_text())
        found["machine"] = heading(result) + "."
        found |= {section.key: section.markdown() for section in sections(result)}
    if tolerance.exists():
        found["tolerance"] = Section("tolerance", "", json.loads(tolerance.read_text())["rows"]).markdown()
    return found


def rewritten(page: str, tables: dict[str, str]) -> str:
    """The page with the tables that there are; the others stay."""

    def put(match: re.Match[str]) -> str:
        table = tables.get(match[2])
        return match[0] if table is None else f"{match[1]}\n{table}\n\n{match[3]}"

    return _BETWEEN.sub(put, page)


def main(arguments: list[str]) -> int:
    """Rewrite the page; say what was put in and what had no result."""
    tables = contents()
    if arguments == ["--list"]:
        print("\n".join(tables))
        return 0
    page = Path(arguments[0]) if arguments else PAGE
    text = page.read_text()
    wanted = [match[2] for match in _BETWEEN.finditer(text)]
    page.write_text(rewritten(text, tables))
    print(f"{page}: {', '.join(name for name in wanted if name in tables) or 'nothing'} rewritten")
    for name in wanted:
        if name not in tables:
            print(f"no result for {name}: run python -m benchmarks.{'tolerance' if name == 'tolerance' else 'speed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

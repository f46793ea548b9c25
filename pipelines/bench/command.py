"""What `freqlearn bench` does: measure, write, and say it in tables."""

import json
import sys
from pathlib import Path

from freqlearn import atomic
from freqlearn.pipelines.bench.report import heading, sections
from freqlearn.pipelines.bench.running import PARTS, run


def bench(
    data: Path,
    output: Path | None = None,
    *,
    parts: str = "all",
    files: int = 100,
    rounds: int = 7,
    large_files: int = 4,
    threads: int = 2,
    markdown: bool = False,
    progress: bool = True,
) -> str:
    """Measure a folder's photos.

    Args:
        data: Folder with JPEG files, at any depth.
        output: JSON file to write; None for none.
        parts: "all", or names out of `running.PARTS`, separated by commas.
        files: Photos at most.
        rounds: How often everything is measured.
        large_files: How many 12-megapixel mosaics to make.
        threads: Of batches, besides one.
        markdown: Tables in Markdown.
        progress: Say on stderr what runs.

    Returns:
        The tables.

    Raises:
        OSError: If the output cannot be written.
        ValueError: If an option makes no sense, or there are no JPEG files.
    """
    for name, value in {"files": files, "rounds": rounds, "large_files": large_files, "threads": threads}.items():
        if value < 1:
            raise ValueError(f"expected {name} as a number from 1, got {value}")
    if not data.is_dir():
        raise ValueError(f"{data} is not a folder")
    if output is not None:
        _check_output(output)
    result = run(
        data,
        parts=PARTS if parts == "all" else [part.strip() for part in parts.split(",")],
        files=files,
        rounds=rounds,
        large_files=large_files,
        num_threads=sorted({1, threads}),
        progress=_line if progress and sys.stderr.isatty() else lambda _: None,
    )
    if output is not None:
        atomic.write_text(output, json.dumps(result, indent=1) + "\n")
    if progress:
        _line("")
    tables = sections(result)
    if markdown:
        return "\n\n".join([heading(result), *(f"### {one.title}\n\n{one.markdown()}" for one in tables)])
    return "\n\n".join([heading(result), *(one.text() for one in tables)])


def _check_output(output: Path) -> None:
    """Find out before minutes of measuring whether the result can be written."""
    if output.is_dir():
        raise ValueError(f"{output} is a folder; expected the name of a JSON file")
    if not output.parent.is_dir():
        raise ValueError(f"{output.parent}, the folder of the output, does not exist")
    if not output.exists():
        atomic.write_text(output, "")
        output.unlink()


def _line(text: str) -> None:
    """Replace the line that a terminal shows."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[:100]}")
        sys.stderr.flush()

"""Whether `write_jpeg` loses nothing over a folder of JPEG files, and how large its files are beside jpegtran's.

    python -m benchmarks.writing FOLDER [--progressive]

Every file is read, written and read again, by us and by libjpeg (through the package jpeglib). jpegtran, of
libjpeg-turbo, is compared with where it is installed. Exit code 1 if anything differs or is refused.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import freqlearn as fl
from benchmarks.parity import count_differences, reference_planes
from benchmarks.photos import jpeg_files
from benchmarks.report import table, write


@dataclass
class Written:
    """What the comparison counts; `differing` and `refused` name the files."""

    files: int = 0
    equal_by_us: int = 0
    equal_by_libjpeg: int = 0
    bytes_original: int = 0
    bytes_written: int = 0
    bytes_jpegtran: int | None = None
    largest_ratio_to_jpegtran: float | None = None
    ms_per_file: float = 0.0
    differing: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[dict[str, object]]:
        """For the screen."""
        rows: dict[str, object] = {
            "files": self.files,
            "equal, read by us": self.equal_by_us,
            "equal, read by libjpeg": self.equal_by_libjpeg,
            "kB a file, original": f"{self.bytes_original / self.files / 1000:.2f}",
            "kB a file, written": f"{self.bytes_written / self.files / 1000:.2f}",
            "ms a file to write (decoded already)": f"{self.ms_per_file:.2f}",
        }
        if self.bytes_jpegtran is not None and self.largest_ratio_to_jpegtran is not None:
            rows["kB a file, jpegtran"] = f"{self.bytes_jpegtran / self.files / 1000:.2f}"
            rows["size, of jpegtran's: all"] = f"{self.bytes_written / self.bytes_jpegtran:.5f}"
            rows["size, of jpegtran's: largest of a file"] = f"{self.largest_ratio_to_jpegtran:.5f}"
        return [{"": name, "value": value} for name, value in rows.items()]


def compare(path: Path, progressive: bool, jpegtran: str | None, scratch: Path, counts: Written) -> float:
    """Write one file, add what came of it, and return the seconds that writing took."""
    original = path.read_bytes()
    try:
        image = fl.read_dct(original, decoder="native")
        planes = image.planes
        begin = time.perf_counter()
        jpeg = fl.write_jpeg(image, progressive=progressive)
        seconds = time.perf_counter() - begin
    except ValueError as error:
        counts.refused[str(path)] = str(error)
        return 0.0
    scratch.write_bytes(jpeg)
    back = fl.read_dct(jpeg, decoder="native")
    same_tables = all(np.array_equal(a, b) for a, b in zip(back.quant_tables, image.quant_tables, strict=True))
    by_us = same_tables and count_differences(planes, list(back.planes)) == 0
    by_libjpeg = count_differences(planes, reference_planes(scratch)) == 0
    counts.files += 1
    counts.equal_by_us += by_us
    counts.equal_by_libjpeg += by_libjpeg
    counts.bytes_original += len(original)
    counts.bytes_written += len(jpeg)
    if not (by_us and by_libjpeg):
        counts.differing.append(str(path))
    if jpegtran is not None:
        command = [jpegtran, "-copy", "all", "-progressive" if progressive else "-optimize"]
        theirs = len(subprocess.run(command, input=original, capture_output=True, check=True).stdout)
        counts.bytes_jpegtran = (counts.bytes_jpegtran or 0) + theirs
        counts.largest_ratio_to_jpegtran = max(counts.largest_ratio_to_jpegtran or 0.0, len(jpeg) / theirs)
    return seconds


def main() -> int:
    """Compare a folder, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writing", description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="folder of JPEG files, read with its folders")
    parser.add_argument("--progressive", action="store_true", help="write progressive files")
    options = parser.parse_args()
    counts, seconds = Written(), 0.0
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        for path in jpeg_files(options.folder):
            seconds += compare(
                path, options.progressive, shutil.which("jpegtran"), Path(folder) / "written.jpg", counts
            )
    counts.ms_per_file = 1000 * seconds / max(counts.files, 1)
    if counts.files:
        print(table(counts.rows()))
    for error in counts.refused.values():
        print(f"refused: {error}")
    for name in counts.differing:
        print(f"differs: {name}")
    command = {"command": " ".join(["python", "-m", "benchmarks.writing", *sys.argv[1:]])}
    name = "writing_progressive" if options.progressive else "writing"
    print(f"\nwritten to {write(name, command | vars(counts))}")
    return 0 if counts.files and not counts.differing and not counts.refused else 1


if __name__ == "__main__":
    sys.exit(main())

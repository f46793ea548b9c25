"""Whether the native decoder reads what libjpeg reads, coefficient by coefficient, over a folder of JPEG files.

    python -m benchmarks.parity FOLDER

libjpeg is called through the package jpeglib, the quantisation tables come from Pillow. Exit code 1 if anything
differs or is refused. The last line counts the files that the package jpeg2dct would have re-encoded at quality 100
before reading them: all but 4:2:0 and gray.
"""

import argparse
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import jpeglib
import numpy as np
from PIL import Image

import freqlearn as fl
from benchmarks.photos import jpeg_files
from benchmarks.report import table, write

KEPT_BY_JPEG2DCT = {((2, 2), (1, 1), (1, 1)), ((1, 1),)}


@dataclass
class Parity:
    """What a comparison counts; `differing` and `refused` name the files."""

    files_compared: int = 0
    coefficients_compared: int = 0
    coefficients_differing: int = 0
    tables_compared: int = 0
    tables_differing: int = 0
    with_warnings: int = 0
    jpeg2dct_would_reencode: int = 0
    processes: Counter[str] = field(default_factory=Counter)
    samplings: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether every file was read and equal."""
        return not self.differing and not self.refused

    def rows(self) -> list[dict[str, object]]:
        """For the screen."""
        counts = {
            "files compared": self.files_compared,
            "coefficients compared": self.coefficients_compared,
            "coefficients that differ": self.coefficients_differing,
            "quantisation tables compared": self.tables_compared,
            "quantisation tables that differ": self.tables_differing,
            "files that differ": len(self.differing),
            "files refused": len(self.refused),
            "files read with a warning": self.with_warnings,
            "files that jpeg2dct would have re-encoded": self.jpeg2dct_would_reencode,
        }
        return [{"": name, "count": f"{count:,}"} for name, count in counts.items()]


def reference_planes(path: Path) -> list[np.ndarray]:
    """(rows, cols, 8, 8) int16 per component, by libjpeg."""
    dct = jpeglib.read_dct(str(path))
    return [np.asarray(plane, np.int16) for plane in (dct.Y, dct.Cb, dct.Cr, dct.K) if plane is not None]


def reference_tables(path: Path) -> list[np.ndarray]:
    """(8, 8) per component, by Pillow."""
    with Image.open(path) as image:
        return [np.array(image.quantization[layer[3]]).reshape(8, 8) for layer in image.layer]


def count_differences(ours: tuple[np.ndarray, ...], theirs: list[np.ndarray]) -> int:
    """Entries that differ; all of them where shapes or the number of arrays do."""
    if len(ours) != len(theirs) or any(a.shape != b.shape for a, b in zip(ours, theirs, strict=True)):
        return sum(a.size for a in ours)
    return sum(int(np.count_nonzero(a != b)) for a, b in zip(ours, theirs, strict=True))


def compare(path: Path, parity: Parity) -> None:
    """Read one file twice and add what came of it."""
    try:
        image = fl.read_dct(path, decoder="native")
        planes = image.planes
    except fl.JpegError as error:
        parity.refused[str(path)] = str(error)
        return
    parity.files_compared += 1
    parity.coefficients_compared += sum(plane.size for plane in planes)
    parity.tables_compared += len(planes)
    parity.with_warnings += bool(image.warnings)
    parity.jpeg2dct_would_reencode += tuple(image.sampling) not in KEPT_BY_JPEG2DCT
    parity.processes[fl.read_info(path).process] += 1
    parity.samplings[", ".join(f"{h}x{v}" for h, v in image.sampling)] += 1
    coefficients = count_differences(planes, reference_planes(path))
    pairs = zip(image.quant_tables, reference_tables(path), strict=True)
    tables = sum(count_differences((ours,), [theirs]) > 0 for ours, theirs in pairs)
    parity.coefficients_differing += coefficients
    parity.tables_differing += tables
    if coefficients or tables:
        parity.differing.append(str(path))


def main() -> int:
    """Compare a folder, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="folder of JPEG files, read with its folders")
    files = jpeg_files(parser.parse_args().folder)
    parity = Parity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files:
            compare(path, parity)
    print(table(parity.rows()))
    print("\nsampling of the components: " + "; ".join(f"{k}: {n}" for k, n in parity.samplings.most_common()))
    print("process: " + "; ".join(f"{k}: {n}" for k, n in parity.processes.most_common()))
    for error in parity.refused.values():
        print(f"refused: {error}")
    for name in parity.differing:
        print(f"differs: {name}")
    print(f"\nwritten to {write('parity', vars(parity))}")
    return 0 if parity.clean else 1


if __name__ == "__main__":
    sys.exit(main())

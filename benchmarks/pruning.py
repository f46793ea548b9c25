"""What `freqlearn prune` makes of a folder of photos: bytes, PSNR, and the error in a model's channels.

    python -m benchmarks.pruning [FOLDER] [--tolerances 0 0.3 1] [--negligible 1 2 4] [--images N]

The files' own channels literally (all, which only writes them anew; DCT-48; DCT-24), as baseline and as progressive
files, and what a model of DCT-24 at 448 px weighs, at some tolerances and without what is negligible. Pillow opens
every file that was written. Without a folder it uses $FREQLEARN_DATA/imagenet-sample. Exit code 1 if Pillow does not
open a file, or warns.
"""

import argparse
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

import freqlearn as fl
from benchmarks.packing.errors import Errors
from benchmarks.photos import jpeg_files, sample_folder
from benchmarks.report import table, write
from freqlearn.pipelines.pruning.options import PruneOptions
from freqlearn.pipelines.pruning.running import prune

SPEC = fl.InputSpec.preset("imagenet-448").select(fl.ChannelSet.square(24))
LITERAL = ("all", "48", "24")


def cases(tolerances: Sequence[float], negligible: Sequence[float], spec: Path) -> dict[str, dict[str, Any]]:
    """Options of `prune` by the command line that they stand for."""
    literal: dict[str, dict[str, Any]] = {
        f"--channels {channels}{' --progressive' if progressive else ''}": {
            "channels": channels,
            "progressive": progressive,
        }
        for progressive in (False, True)
        for channels in LITERAL
    }
    return (
        literal
        | {f"--for spec.json --tolerance {value:g}": {"for_": str(spec), "tolerance": value} for value in tolerances}
        | {f"--for spec.json --negligible {value:g}": {"for_": str(spec), "negligible": value} for value in negligible}
    )


def opened(path: Path) -> str | None:
    """None if Pillow decodes a file without a warning; otherwise what it says."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with Image.open(path) as image:
                image.load()
        except (OSError, SyntaxError, ValueError, Warning) as error:
            return f"{path.name}: {error}"
    return None


def judged(originals: Path, files: Sequence[Path], pruned: Path) -> tuple[Errors, list[str]]:
    """The error in the model's channels, and what Pillow says of files that it does not open."""
    evaluate = fl.presets.classification_eval(SPEC)
    errors, refused = Errors(), []
    for original in files:
        path = pruned / original.relative_to(originals)
        refused += [message for message in [opened(path)] if message is not None]
        errors.add(evaluate(path), evaluate(original))
    return errors, refused


def measured(originals: Path, options: Mapping[str, Any], output: Path) -> tuple[dict[str, Any], list[str]]:
    """A row of numbers, and what Pillow says of files that it does not open."""
    files = jpeg_files(originals)
    report = prune(PruneOptions(source=str(originals), output=output, progress=False, **options))
    total = report.total
    errors, refused = judged(originals, files, output)
    row = {
        "files": total.pruned,
        "kB a file": f"{total.bytes_after / total.pruned / 1000:.1f}",
        "times smaller": f"{total.bytes_before / total.bytes_after:.2f}",
        "grew": total.grew,
        "Y as it was": total.same_luma,
        "PSNR of other Y, dB": "-" if total.psnr_mean_db is None else f"{total.psnr_mean_db:.1f}",
        "lowest": "-" if total.psnr_mean_db is None else f"{total.psnr_lowest_db:.1f}",
        **errors.columns(list(SPEC.channels or ())),
        "opened by Pillow": f"{len(files) - len(refused)} of {len(files)}",
    }
    return row, refused


def some_of(folder: Path, count: int, scratch: Path) -> Path:
    """A folder of links to some of a folder's JPEG files, evenly spread over their names."""
    files = jpeg_files(folder)
    chosen = files[:: max(1, len(files) // count)][:count]
    for path in chosen:
        link = scratch / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    return scratch


def main() -> int:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=sample_folder(), help="JPEG files, at any depth")
    parser.add_argument("--tolerances", type=float, nargs="+", default=[0.0, 0.3, 1.0])
    parser.add_argument("--negligible", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--images", type=int, help="only so many of them")
    options = parser.parse_args()
    if options.folder is None:
        parser.error("name a folder of photos, or set FREQLEARN_DATA")
    with tempfile.TemporaryDirectory() as name:
        scratch, folder = Path(name), options.folder
        if options.images is not None:
            folder = some_of(folder, options.images, scratch / "originals")
        SPEC.save(scratch / "spec.json")
        original = sum(path.stat().st_size for path in jpeg_files(folder)) / len(jpeg_files(folder))
        rows: list[dict[str, Any]] = [{"freqlearn prune": "original files", "kB a file": f"{original / 1000:.1f}"}]
        problems: list[str] = []
        for number, (command, how) in enumerate(
            cases(options.tolerances, options.negligible, scratch / "spec.json").items()
        ):
            row, refused = measured(folder, how, scratch / str(number))
            rows.append({"freqlearn prune": command, **row})
            problems += refused
    rows[0] |= {key: "" for key in rows[-1] if key not in rows[0]}
    rows[0] = {key: rows[0][key] for key in rows[-1]}
    print(table(rows))
    for problem in problems:
        print(f"Pillow: {problem}")
    print(f"\nwritten to {write('pruning', {'rows': rows})}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Random images, pixels and damaged files through `write_jpeg`, and what is written read back.

    python tests/fuzz/writing.py [--inputs N] [--seconds S] [--seed S] [--only I]

Bad arguments raise a TypeError or ValueError with a message and leave the file that is there alone; all others are
written. A written file reads back equal by us and by libjpeg (jpeglib, where it is installed), and no reader warns:
Pillow, and libjpeg-turbo by simplejpeg. Input I of a seed is always the same: --only I repeats it.
"""

import argparse
import io
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from writing_cases import Case, Random, damaged_case, pixels_case, planes_case

import freqlearn as fl

try:
    import jpeglib
except ImportError:
    jpeglib = None
try:
    import simplejpeg
except ImportError:
    simplejpeg = None

ASSETS = Path(__file__).parents[1] / "assets"
OLD = b"what was there before"
# Of Y beside (1, 1) for Cb and Cr: those that TurboJPEG has names for.
TURBOJPEG_FACTORS = {(1, 1), (2, 1), (2, 2), (1, 2), (4, 1)}


class BrokenError(Exception):
    """A promise that was not kept."""


def must(kept: bool, promise: str) -> None:
    if not kept:
        raise BrokenError(promise)


def read_back(jpeg: bytes, image: fl.DCTImage, options: dict[str, object]) -> None:
    back = fl.read_dct(jpeg, decoder="native")
    must(back.complete, "the file is complete")
    # The metadata of a damaged file are kept as they are, and so what is to be said of them.
    must(set(back.warnings) <= set(image.warnings), f"our reader has nothing new to say, got {back.warnings}")
    must(back.size_px == image.size_px, "the size is the same")
    must(back.sampling == image.sampling, "the sampling factors are the same")
    must(back.color_space == image.color_space, f"the colours are {image.color_space}, got {back.color_space}")
    pairs = zip((*back.planes, *back.quant_tables), (*image.planes, *image.quant_tables), strict=True)
    must(all(np.array_equal(a, b) for a, b in pairs), "coefficients and tables are the same")
    must(back.info is not None and back.info.restart_interval == options["restart_interval"], "the restart interval is")
    must(back.info is not None and back.info.progressive == options["progressive"], "the process is the one asked for")
    turned = 1 if options["metadata"] == "none" and image.original_jpeg is None else image.orientation
    must(options["metadata"] == "none" or back.orientation == turned, "the orientation is the same")


def libjpeg_reads(path: Path, image: fl.DCTImage) -> None:
    if jpeglib is None:
        return
    dct = jpeglib.read_dct(str(path))
    planes = [plane for plane in (dct.Y, dct.Cb, dct.Cr, dct.K) if plane is not None]
    must(len(planes) == len(image.planes), "libjpeg finds as many planes")
    for ours, theirs in zip(image.planes, planes, strict=True):
        rows, cols = ours.shape[:2]  # libjpeg gives padding blocks as well
        must(np.array_equal(ours, np.asarray(theirs)[:rows, :cols]), "libjpeg finds the same coefficients")


def others_can_read(image: fl.DCTImage) -> bool:
    """Whether libjpeg can: it wants sampling factors whose ratios are whole numbers, and sides of 65,500 px at most."""
    largest = np.max(image.sampling, axis=0)
    whole = not any((largest % factors).any() for factors in image.sampling)
    return whole and max(image.size_px) <= 65500 and len(image.planes) != 2


def pixels_come_out(jpeg: bytes, image: fl.DCTImage) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Image.open(io.BytesIO(jpeg)) as picture:
            picture.load()
    must(picture.size == image.size_px[::-1], "Pillow finds the same size")
    color, chroma = image.color_space in ("gray", "YCbCr"), image.sampling[1:]
    named = image.sampling[0] in TURBOJPEG_FACTORS and all(factors == (1, 1) for factors in chroma)
    if simplejpeg is not None and color and named:
        simplejpeg.decode_jpeg(jpeg, strict=True)  # a warning of libjpeg is an error here


def make_case(rng: Random, files: list[bytes]) -> Case | None:
    kind = rng.random()
    if kind < 0.45:
        return planes_case(rng)
    return pixels_case(rng) if kind < 0.85 else damaged_case(rng, files)


def run(rng: Random, files: list[bytes], path: Path) -> str:
    """One input; returns what came of it."""
    case = make_case(rng, files)
    if case is None:
        return "damaged files that nothing is read of"
    path.write_bytes(OLD)
    try:
        image = case.change(case.make())
        if case.channels is not None:
            image = image.keep(case.channels)
        # To a path not always: writing in one step waits for the disk.
        jpeg = fl.write_jpeg(image, path if rng.random() < 0.2 else None, **case.options)
    except (TypeError, ValueError) as error:
        must(str(error) != "", "an error has a message")
        must(path.read_bytes() == OLD, "what cannot be written leaves the old file alone")
        must(list(path.parent.iterdir()) == [path], "nothing half-written is left")
        if case.damaged:
            return "damaged files whose coefficients are beyond the format"
        must(case.fault != "", f"good arguments are taken, got {type(error).__name__}: {error}")
        return "refused"
    must(case.fault == "", f"bad arguments are refused: {case.fault}")
    must(path.read_bytes() in (OLD, jpeg), "the path holds the bytes")
    path.write_bytes(jpeg)
    read_back(jpeg, image, case.options)
    if others_can_read(image):
        libjpeg_reads(path, image)
        if not (case.damaged and case.options["metadata"] == "keep"):  # damaged ones are kept, too
            pixels_come_out(jpeg, image)
    return "written and read back equal"


def main() -> int:
    """Run inputs until the number or the time is reached; exit status 1 at the first that breaks a promise."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this input alone")
    options = parser.parse_args()
    files = [path.read_bytes() for path in sorted(ASSETS.glob("*.jpg"))]
    outcomes: Counter[str] = Counter()
    begin = time.monotonic()
    first, last = (0, options.inputs) if options.only is None else (options.only, options.only + 1)
    with tempfile.TemporaryDirectory() as folder:
        for index in range(first, last):
            if time.monotonic() - begin > options.seconds:
                break
            try:
                outcomes[run(np.random.default_rng([options.seed, index]), files, Path(folder) / "a.jpg")] += 1
            except Exception:
                sys.stderr.write(f"input {index}: repeat it with --seed {options.seed} --only {index}\n")
                raise
    seconds = time.monotonic() - begin
    sys.stdout.write(f"write_jpeg: {sum(outcomes.values())} inputs, seed {options.seed}, {seconds:.0f} s\n")
    for outcome, count in sorted(outcomes.items()):
        sys.stdout.write(f"  {outcome:<56} {count}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

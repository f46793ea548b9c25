"""The JPEG files that benchmarks read."""

import os
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg"}


def jpeg_files(folder: Path) -> list[Path]:
    """All JPEG files of a folder and its folders, by name; ends the program if there are none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise SystemExit(f"{folder} holds no .jpg or .jpeg file")
    return files


def sample_folder() -> Path | None:
    """$FREQLEARN_DATA/imagenet-sample, if the variable names a folder."""
    data = os.environ.get("FREQLEARN_DATA")
    return Path(data) / "imagenet-sample" if data else None

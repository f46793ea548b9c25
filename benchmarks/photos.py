"""The JPEG files that benchmarks read."""

import os
from pathlib import Path

from freqlearn.pipelines.bench import photos


def jpeg_files(folder: Path) -> list[Path]:
    """All JPEG files of a folder and its folders, by name; ends the program if there are none."""
    try:
        return photos.jpeg_files(folder)
    except ValueError as error:
        raise SystemExit(str(error)) from error


def sample_folder() -> Path | None:
    """$FREQLEARN_DATA/imagenet-sample, if the variable names a folder."""
    data = os.environ.get("FREQLEARN_DATA")
    return Path(data) / "imagenet-sample" if data else None

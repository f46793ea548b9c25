"""Every image below a folder, whatever its layout."""

import os
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS


def find_images(root: str | Path) -> list[Path]:
    """Return all image files below a folder, sorted by path, so that the order is the same on every machine.

    Symbolic links are followed, each folder once. A file is an image if its extension is one of torchvision's.

    Args:
        root: Folder.

    Raises:
        ValueError: If there is no such folder, or it holds no image.
    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(
            f"{root}: expected a folder of images, but {'it is a file' if root.exists() else 'it is missing'}"
        )
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=_raise):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link back to a folder above: it would never end
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders.sort()
        found += [Path(folder, name) for name in files if name.lower().endswith(IMG_EXTENSIONS)]
    if not found:
        raise ValueError(f"{root}: expected images below this folder ({', '.join(IMG_EXTENSIONS)}), found none")
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def _raise(error: OSError) -> None:
    raise error

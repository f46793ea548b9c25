"""Every image below a folder, whatever its layout."""

import os
from collections.abc import Iterator
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
    found = [path for path in files_below(root) if path.name.lower().endswith(IMG_EXTENSIONS)]
    if not found:
        raise ValueError(f"{root}: expected images below this folder ({', '.join(IMG_EXTENSIONS)}), found none")
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def files_below(root: Path, *, links: bool = True) -> Iterator[Path]:
    """Return all files below a folder; one that links lead to is found under the same name on every machine.

    Args:
        root: Folder.
        links: Whether to follow symbolic links to folders, each folder once.

    Raises:
        OSError: If a folder cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, followlinks=links, onerror=_raise):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link back to a folder above: it would never end
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders.sort()
        yield from (Path(folder, name) for name in names)


def _raise(error: OSError) -> None:
    raise error

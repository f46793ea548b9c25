"""What a folder holds."""

import os
from pathlib import Path


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder: its name, as it is relative to the folder, and its content."""
    return {
        os.path.relpath(Path(folder, name), root): Path(folder, name).read_bytes()
        for folder, _, names in os.walk(root)
        for name in names
    }

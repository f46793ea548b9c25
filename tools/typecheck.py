"""mypy --strict over the three packages under the names that users import.

The sources of `freqlearn.models` and `freqlearn.pipelines` lie beside `freqlearn/`, where mypy does not look for them.
So this script lays out the installed package as a tree of links, with the generated stub of the native module in it.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / ".types"


def link_tree() -> Path:
    """Make `.types/freqlearn` with links to the sources; return it."""
    package = TREE / "freqlearn"
    shutil.rmtree(TREE, ignore_errors=True)
    package.mkdir(parents=True)
    for entry in (ROOT / "freqlearn").iterdir():
        if entry.name not in ("csrc", "__pycache__"):
            (package / entry.name).symlink_to(entry)
    for name in ("models", "pipelines"):
        (package / name).symlink_to(ROOT / name)
    stub = Path(sysconfig.get_paths()["platlib"]) / "freqlearn" / "_native.pyi"
    if not stub.exists():
        sys.exit(f"{stub} is missing: the native module is not installed; run 'make install'")
    (package / stub.name).symlink_to(stub)
    return package


def main() -> int:
    """Run mypy; return its exit status."""
    package = link_tree()
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(package)]
    return subprocess.run(command, env={**os.environ, "MYPYPATH": str(TREE)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

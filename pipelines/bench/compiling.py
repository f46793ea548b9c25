"""Small C sources of this folder, compiled at run time for peers and figures that Python cannot give."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from freqlearn.pipelines.bench.peers import UnavailableError


def compile_c(name: str, *libraries: str) -> ctypes.CDLL:
    """Compile and load `name`.c of this package; the result is kept in the user's cache folder.

    Args:
        name: Without ".c".
        libraries: To link, such as "jpeg".

    Raises:
        UnavailableError: If there is no compiler, or it complains, for instance of missing headers.
    """
    source = resources.files("freqlearn.pipelines.bench").joinpath(f"{name}.c").read_text()
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise UnavailableError("no C compiler: install gcc or clang, or name one by CC")
    command = [*compiler.split(), "-O2", "-shared", "-fPIC", "-x", "c", "-", *(f"-l{library}" for library in libraries)]
    digest = hashlib.sha256("\0".join([source, *command]).encode()).hexdigest()[:16]
    library = _cache() / f"{name}-{digest}.so"
    if not library.exists():
        _run(command, source, library)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise UnavailableError(f"{library} does not load: {error}") from error


def _cache() -> Path:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "freqlearn"
    except RuntimeError as error:  # no home
        raise UnavailableError(f"no folder to compile in: {error}; name one by XDG_CACHE_HOME") from error


def _run(command: list[str], source: str, library: Path) -> None:
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
            made = Path(scratch, library.name)
            done = subprocess.run(
                [*command, "-o", str(made)], input=source, capture_output=True, text=True, check=False
            )
            if done.returncode:
                complaint = next((line for line in done.stderr.splitlines() if "error" in line), "no error shown")
                raise UnavailableError(f"{command[0]} fails: {complaint.strip()}")
            made.replace(library)  # complete, or not there
    except OSError as error:
        raise UnavailableError(f"cannot compile: {error}") from error

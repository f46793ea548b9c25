"""Code for newer processors stays where cpu.hpp chooses it.

An inline function or template that such a file emits under a common name may be the one that the linker keeps for
everybody, and an older processor then dies of an illegal instruction.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# nm: V and W are weak, u is unique among all objects, i is chosen by the loader.
SHARED_BY_NAME = set("VWuvwi")


def objects() -> list[Path]:
    """The build's, of files that are compiled for newer processors."""
    found = [
        *ROOT.glob("build/**/freqlearn_core.dir/*_avx2.cpp.o"),
        *ROOT.glob("build/**/freqlearn_core.dir/*_avx512.cpp.o"),
    ]
    # Sanitizers bring symbols of their own.
    return [path for path in found if "native" not in path.parts]


def test_objects_for_newer_processors_share_no_symbols():
    nm = shutil.which("nm")
    if nm is None or not objects():
        pytest.skip("needs nm and the objects of an editable build with dispatch")
    listed = subprocess.run([nm, "-C", *objects()], capture_output=True, text=True, check=True).stdout
    symbols = [line.split(maxsplit=1) for line in (row[16:].strip() for row in listed.splitlines()) if " " in line]
    assert any(kind == "t" and "freqlearn::avx2" in name for kind, name in symbols)
    assert [name for kind, name in symbols if kind in SHARED_BY_NAME] == []

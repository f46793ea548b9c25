"""What somebody sees who has no compiler, or too old a one, and what happens once they have installed another."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SENTENCE = "freqlearn needs a C++20 compiler (g++ >= 11, clang >= 14 or Visual Studio 2022): install one,"
COMPILER_ACCEPTED = "Performing Test FREQLEARN_HAS_CXX20 - Success"

Configure = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def configure(tmp_path) -> Configure:
    """`configure(**environment)`: CMake's first step, always in the same folder."""
    beside_python = str(Path(sys.executable).parent)  # where pip put it, also if nobody activated the environment
    cmake = shutil.which("cmake", path=beside_python) or shutil.which("cmake")
    ninja, make = shutil.which("ninja"), shutil.which("make")
    if not cmake or not (ninja or make) or not shutil.which("c++"):
        pytest.skip("needs cmake, c++, and ninja or make")
    generator = ["-G", "Ninja" if ninja else "Unix Makefiles", f"-DCMAKE_MAKE_PROGRAM={ninja or make}"]

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in ("CC", "CXX")}
        return subprocess.run(
            [cmake, "-S", ROOT, "-B", tmp_path / "build", *generator],
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def assert_refused(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode != 0
    said = " ".join(result.stderr.split())  # CMake breaks lines
    assert said.count(SENTENCE) == said.count("CMake Error") == 1


def test_no_compiler_then_one(configure, tmp_path):
    assert_refused(configure(PATH=str(tmp_path)))
    assert COMPILER_ACCEPTED in configure().stdout


def test_an_old_compiler_then_a_new_one(configure, tmp_path):
    """One that takes -std=c++20 and does not have what it means, as g++ 8 and 9."""
    old = tmp_path / "old-c++"
    old.write_text(f'#!/bin/sh\nexec {shutil.which("c++")} "$@" -std=c++17\n')
    old.chmod(0o755)
    assert_refused(configure(CXX=str(old)))
    assert COMPILER_ACCEPTED in configure().stdout

"""The source distribution builds elsewhere; its wheel holds what it should and works from anywhere."""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# nm's letters for what the linker may take from any of several objects that define it: weak symbols, which C++ makes of
# inline functions and of templates, unique ones, which it makes of their static variables, and what the loader chooses.
SHARED_SYMBOLS = "VWuvwi"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from the source distribution beside it, unpacked elsewhere, which is built from the checkout."""
    # One for all of pytest-xdist's processes, which share the parent folder.
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheel"
    command = [sys.executable, "-m", "build", "--outdir", str(out), f"-Cbuild-dir={out / 'build'}", str(ROOT)]
    out.mkdir(exist_ok=True)
    with (out / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(out.glob("*.whl")):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_wheel_holds_what_users_import_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"freqlearn/{package}__init__.py" for package in ("", "models/", "pipelines/")} <= names
    assert {"freqlearn/py.typed", "freqlearn/_native.pyi"} <= names
    assert "freqlearn/pipelines/bench/coefficients.c" in names  # compiled where `freqlearn bench` runs
    recipes = {f"freqlearn/{file.relative_to(ROOT)}" for file in (ROOT / "pipelines" / "configs").rglob("*.yaml")}
    assert recipes
    assert recipes <= names
    assert any(name.startswith("freqlearn/_native.") and name.endswith((".so", ".pyd")) for name in names)
    assert not [name for name in names if name.startswith(("models/", "pipelines/", "tests/")) or "csrc" in name]


def test_source_distribution_holds_the_three_packages_and_no_more(wheel: Path) -> None:
    (sdist,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        entries = {tuple(name.split("/")[1:]) for name in archive.getnames()}
    assert {entry[0] for entry in entries if len(entry) > 1} == {"freqlearn", "models", "pipelines"}
    assert ("freqlearn", "csrc", "bindings.cpp") in entries
    assert {"CMakeLists.txt", "LICENSE", "README.md"} <= {entry[0] for entry in entries if len(entry) == 1}


def kind_of(path: Path) -> str:
    """The set of instructions that an object is compiled for: its name's end, and its namespace's."""
    return path.name.rsplit("_", 1)[1].split(".")[0]


def test_loops_for_newer_processors_share_nothing(wheel: Path) -> None:
    """The linker keeps one of equal inline functions: were it theirs, older processors would run it."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("such loops are only built for x86-64, and symbols read as ELF's")
    if not shutil.which("nm"):
        pytest.skip("needs nm (binutils)")
    objects = sorted((wheel.parent / "build").glob("**/freqlearn_core.dir/*_avx*.o"))
    assert {kind_of(path) for path in objects} == {"avx2", "avx512"}
    for path in objects:
        command = ["nm", "--defined-only", "--demangle", str(path)]
        symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        assert any(f"freqlearn::{kind_of(path)}" in symbol for symbol in symbols), path.name
        assert not [symbol for symbol in symbols if symbol.split()[1] in SHARED_SYMBOLS], path.name


@pytest.mark.slow
def test_wheel_works_in_a_clean_environment_from_another_directory(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    # The dependencies (torch alone is gigabytes) come from this environment: a path in a .pth file is searched after
    # site-packages and its own .pth files, the editable install's hook among them, are not run.
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['platlib'])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_paths()["platlib"] + "\n")
    code = (
        "import freqlearn, freqlearn._native, freqlearn.models, freqlearn.pipelines\n"
        "for m in (freqlearn, freqlearn._native, freqlearn.models, freqlearn.pipelines): print(m.__file__)"
    )
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.split():
        assert Path(line).is_relative_to(environment), line
    smoke = [python, ROOT / "tests" / "smoke.py"]
    done = subprocess.run(smoke, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""The wheel holds all three packages, the native module and its stub, and imports from anywhere."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout, in a build folder of its own."""
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--outdir",
        str(out),
        f"-Cbuild-dir={out / 'build'}",
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_wheel_holds_what_users_import_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "freqlearn/__init__.py",
        "freqlearn/models/__init__.py",
        "freqlearn/pipelines/__init__.py",
    } <= names
    assert {"freqlearn/py.typed", "freqlearn/_native.pyi"} <= names
    assert any(name.startswith("freqlearn/_native.") and name.endswith((".so", ".pyd")) for name in names)
    assert not [name for name in names if name.startswith(("models/", "pipelines/", "tests/")) or "csrc" in name]


@pytest.mark.slow
def test_wheel_imports_in_a_clean_environment_from_another_directory(wheel: Path, tmp_path: Path) -> None:
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

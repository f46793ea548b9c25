"""One library for every processor: a build without the loops for newer ones computes the same."""

import fcntl
import subprocess
from pathlib import Path

import numpy as np
import pytest

import freqlearn as fl
from freqlearn import operator

ROOT = Path(__file__).parents[2]
# float32: seven decimal digits of values up to some 1000 dequantised units, a few dozen terms a coefficient.
FLOAT32 = 1e-3
SIZE_PX = 40
FILES = ("420_restart.jpg", "progressive_odd.jpg", "extended_16bit_tables.jpg", "gray_3x1_restart.jpg")


def build(program: str) -> str:
    """A program of tests/native, built as for `make tsan`, whose threads do not care: no dispatch, no vector types."""
    script = ROOT / "tests" / "native" / "build.sh"
    with script.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers must not build in the same folder at once
        built = subprocess.run([script, "tsan", program], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return built.stdout.strip()


@pytest.mark.slow
def test_build_without_dispatch(tmp_path):
    """As it is with Visual Studio."""
    program = build("one_tensor")
    for name in FILES:
        path, out = ROOT / "tests" / "assets" / name, tmp_path / "out"
        box = {"top": 3, "left": 5, "height": 20, "width": 30}
        numbers = [str(n) for n in (*box.values(), SIZE_PX)]
        done = subprocess.run([program, path, out, *numbers], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["baseline"]
        img = fl.read_dct(path)
        img = img.with_plan(img.plan.crop(**box).resize(SIZE_PX, SIZE_PX).hflip())
        expected = operator.compute(operator.planes_of(img), img.plan, range(192), dtype="float64")
        got = np.fromfile(out, np.float32).reshape(expected.shape)
        np.testing.assert_allclose(got, expected, rtol=0, atol=FLOAT32, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["420_restart.jpg", "progressive_odd.jpg"])
def test_bytes_that_another_thread_changes(name):
    """A frame that changes after its headers were read is refused, not taken to be the first one."""
    done = subprocess.run(
        [build("changing_bytes"), ROOT / "tests" / "assets" / name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

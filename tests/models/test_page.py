"""docs/models.md: its code runs, its numbers are what the benchmark counts."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "models.md").read_text()


def test_code_of_the_page_runs():
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, namespace)
    assert namespace["smaller"].in_channels == 8
    assert {key.split(".")[0] for key in namespace["not_loaded"].unexpected_keys} == {"conv1", "bn1"}


def test_table_of_the_page_is_the_benchmarks(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.models"],
        cwd=tmp_path,  # it writes its JSON below the working directory
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    table = run.stdout.split("written:")[0].strip()
    assert table.startswith("network")
    assert table in PAGE
    assert (tmp_path / "runs" / "benchmarks" / "models.json").is_file()

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import exit_status
from shard_files import write_shards

from freqlearn import atomic
from freqlearn.pipelines.cli import main
from freqlearn.pipelines.pruning.log import DoneLog
from freqlearn.pipelines.shards.writing import CountedFile

pytestmark = pytest.mark.usefixtures("fresh_logging")

# Where a run stops: with half a file written, with a file noted as done that has not its name yet, and after that.
MOMENTS: dict[str, tuple[Any, str, bool]] = {
    "in the middle of a file": (CountedFile, "write", False),
    "noted": (DoneLog, "note", True),
    "named": (atomic, "_replace", True),
}


@pytest.fixture(scope="module")
def mixed(source, tmp_path_factory) -> Path:
    """The source, and shards in it."""
    root = shutil.copytree(source, tmp_path_factory.mktemp("mixed") / "in")
    write_shards(root / "shards", [4, 3])
    return root


def stopped(arguments: list[str], moment: str, count: int, number: int = signal.SIGKILL) -> int:
    """Run the command in a process that gets a signal at the count-th such moment; its exit status."""

    def run() -> int:
        owner, name, after = MOMENTS[moment]
        original: Callable[..., Any] = getattr(owner, name)
        calls = iter(range(1, 1000))

        def patched(*given: Any, **options: Any) -> Any:
            due = next(calls) == count
            if due and not after:
                given[0]._file.write(given[1][: len(given[1]) // 2])
                given[0]._file.flush()
            elif due:
                original(*given, **options)
            if due:
                os.kill(os.getpid(), number)
            return None if due else original(*given, **options)

        setattr(owner, name, patched)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return main(["prune", "--channels", "24", "--no-progress", "--threads", "2", *arguments])

    return exit_status(run)


def without_output(files: dict[str, bytes]) -> dict[str, Any]:
    """Files, the report without where it is about."""
    report = json.loads(files.pop("prune.json"))
    return {**files, "report": {key: value for key, value in report.items() if key not in ("source", "output")}}


@pytest.fixture(scope="module")
def whole(mixed, tmp_path_factory, prune, contents):
    """What a run that nobody stops writes."""
    output = tmp_path_factory.mktemp("whole") / "out"
    prune(mixed, output)
    return without_output(contents(output))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("in_place", [False, True], ids=["elsewhere", "in place"])
def test_a_killed_run_is_gone_on_from(mixed, whole, tmp_path, prune, contents, moment, in_place):
    source, output = mixed, tmp_path / "out"
    if in_place:
        source = output = shutil.copytree(mixed, tmp_path / "out")
    for count in (3, 3, 20 if moment == "in the middle of a file" else 2):  # the last one in a shard
        arguments = [str(source), *(["--in-place"] if in_place else [str(output)]), "--threads", "1"]
        assert stopped(arguments, moment, count) == -signal.SIGKILL
        assert (output / "prune.json.partial").is_file()
    if in_place:
        prune(source, in_place=True)
    else:
        prune(source, output)
    assert without_output(contents(output)) == whole


def test_what_is_done_is_not_done_again(mixed, tmp_path, prune, monkeypatch):
    from freqlearn.pipelines.pruning.pictures import Pruner

    output = tmp_path / "out"
    assert stopped([str(mixed), str(output), "--threads", "1"], "named", 8) == -signal.SIGKILL
    original, pruned = Pruner.__call__, []

    def counted(self, data, name):
        pruned.append(name)
        return original(self, data, name)

    monkeypatch.setattr(Pruner, "__call__", counted)
    prune(mixed, output)
    assert len(pruned) == 1 + 7  # the folder's last one, and those of the shards


def test_what_was_damaged_since_is_done_again(mixed, whole, tmp_path, prune, contents):
    output = tmp_path / "out"
    stopped([str(mixed), str(output)], "named", 8)
    for name in contents(output):
        if name.endswith((".png", ".jpg", ".JPEG")):
            (output / name).write_bytes(b"")
    prune(mixed, output)
    assert without_output(contents(output)) == whole


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)], ids=["Ctrl-C", "SIGTERM"])
def test_signals_end_it_cleanly(mixed, whole, tmp_path, prune, contents, capfd, number, status):
    output = tmp_path / "out"
    assert stopped([str(mixed), str(output)], "noted", 4, number) == status
    assert not [name for name in contents(output) if name.endswith(".tmp")]
    assert len(capfd.readouterr().err.splitlines()) == 1
    prune(mixed, output)
    assert without_output(contents(output)) == whole


def test_other_options_are_another_run(mixed, tmp_path, prune, contents):
    output = tmp_path / "out"
    stopped([str(mixed), str(output)], "named", 6)
    before = {name: content for name, content in contents(output).items() if not name.endswith(".tmp")}
    for options in ({"channels": 48}, {"metadata": "keep"}, {"progressive": True}):
        with pytest.raises(ValueError, match="holds what another run has begun"):
            prune(mixed, output, **options)
    assert contents(output) == before


def test_changed_files_are_another_run(mixed, tmp_path, prune):
    source = shutil.copytree(mixed, tmp_path / "in")
    stopped([str(source), str(tmp_path / "out")], "named", 6)
    os.utime(source / "photos/cat/a.jpg", (1, 1))
    with pytest.raises(ValueError, match="holds what another run has begun"):
        prune(source, tmp_path / "out")


def test_what_was_skipped_may_be_an_error_now(mixed, tmp_path, prune):
    source = shutil.copytree(mixed, tmp_path / "in")
    (source / "a.jpg").write_bytes(b"")  # the first file
    assert stopped([str(source), str(tmp_path / "out"), "--on-bad-image", "skip"], "named", 6) == -signal.SIGKILL
    with pytest.raises(ValueError, match=r"a\.jpg: "):
        prune(source, tmp_path / "out")
    assert prune(source, tmp_path / "out", on_bad_image="skip").total.skipped == 1


def test_a_half_written_line_is_passed_over(mixed, whole, tmp_path, prune, contents):
    output = tmp_path / "out"
    stopped([str(mixed), str(output)], "named", 8)
    partial = output / "prune.json.partial"
    partial.write_bytes(partial.read_bytes()[:-20])
    stopped([str(mixed), str(output)], "noted", 2)
    lines = [json.loads(line) for line in partial.read_bytes().splitlines()]  # nothing is left of it
    assert len(lines) > 8
    prune(mixed, output)
    assert without_output(contents(output)) == whole

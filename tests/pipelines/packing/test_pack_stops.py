"""`freqlearn pack`, stopped on the way: the same bytes in the end, and nothing of anybody else's written over."""

import os
import signal
from itertools import islice

import pytest
from folder_contents import contents
from forked import exit_status

from freqlearn.pipelines.cli import main
from freqlearn.pipelines.packing import shards
from freqlearn.pipelines.packing.running import pack
from freqlearn.repacking import Repacking


def killed_in_third_shard(argv):
    """Run the command; kill -9 comes when three members of the third shard are written."""
    write_shard, written = shards.write_shard, []

    def killing(path, members):
        def cut():
            yield from islice(members, 3)
            os.kill(os.getpid(), signal.SIGKILL)

        written.append(path)
        return write_shard(path, cut() if len(written) == 3 else members)

    def run():
        shards.write_shard = killing
        return main(argv)

    return exit_status(run)


def test_goes_on_after_kill_9(mixed_photos, mixed_set, tmp_path):
    output = tmp_path / "packed"
    argv = ["pack", str(mixed_photos), str(output), "--size=48", "--crop=32", "--channels=24", "--quality=80"]
    argv += ["--shard-images=3", "--threads=2", "--no-progress"]
    assert killed_in_third_shard(argv) == -signal.SIGKILL
    left = sorted(path.name for path in (output / "train").iterdir())
    assert [name for name in left if not name.startswith(".")] == ["0000.tar", "0001.tar"]
    assert len(left) == 3  # and what was being written
    assert not (output / "index.json").exists()
    assert (output / "index.json.partial").exists()
    finished = [(output / "train" / name).stat().st_mtime_ns for name in ("0000.tar", "0001.tar")]
    assert main(argv) == 0
    assert [(output / "train" / name).stat().st_mtime_ns for name in ("0000.tar", "0001.tar")] == finished
    assert contents(output) == contents(mixed_set)


def interrupted(monkeypatch, options, *, after):
    """Pack, with Ctrl-C after so many photos."""
    whole, count = Repacking.__call__, [0]

    def stopping(self, img):
        count[0] += 1
        if count[0] > after:
            raise KeyboardInterrupt
        return whole(self, img)

    with monkeypatch.context() as patch:
        patch.setattr(Repacking, "__call__", stopping)
        with pytest.raises(KeyboardInterrupt, match="finished; the same command goes on from there") as stop:
            pack(options)
    return str(stop.value)


def test_ctrl_c_keeps_finished_shards(monkeypatch, mixed_set, pack_options, tmp_path):
    output = tmp_path / "packed"
    assert "2 of 6 shards" in interrupted(monkeypatch, pack_options(output, threads=1), after=7)
    assert sorted(path.name for path in (output / "train").iterdir()) == ["0000.tar", "0001.tar"]
    pack(pack_options(output, threads=3))
    assert contents(output) == contents(mixed_set)


def test_finished_shards_that_were_damaged_since_are_made_again(monkeypatch, mixed_set, pack_options, tmp_path):
    output = tmp_path / "packed"
    interrupted(monkeypatch, pack_options(output, threads=1), after=10)
    (output / "train/0000.tar").write_bytes((output / "train/0001.tar").read_bytes())
    (output / "train/0001.tar").unlink()
    pack(pack_options(output))
    assert contents(output) == contents(mixed_set)


@pytest.mark.parametrize(
    "changes",
    [{"quality": 81}, {"seed": 1}, {"channels": "48"}, {"shard_images": 4}, {"on_bad_image": "skip"}],
    ids=str,
)
def test_does_not_go_on_with_other_options(monkeypatch, pack_options, tmp_path, changes):
    output = tmp_path / "packed"
    interrupted(monkeypatch, pack_options(output, threads=1), after=4)
    before = contents(output)
    with pytest.raises(ValueError, match=r"got another run's \(other photos, options or version\)"):
        pack(pack_options(output, **changes))
    assert contents(output) == before


def test_does_not_write_over_anything(mixed_photos, mixed_set, pack_options, tmp_path):
    before = contents(mixed_set)
    with pytest.raises(ValueError, match="new or empty folder, got one with a packed set"):
        pack(pack_options(mixed_set))
    assert contents(mixed_set) == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="got one with other files"):
        pack(pack_options(tmp_path))
    with pytest.raises(ValueError, match="expected a folder to write to, got a file"):
        pack(pack_options(tmp_path / "file"))
    for inside in (mixed_photos, mixed_photos / "packed", mixed_photos.parent):
        with pytest.raises(ValueError, match="one is within the other"):
            pack(pack_options(inside))
    assert not (mixed_photos / "packed").exists()

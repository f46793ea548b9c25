"""Statistics of tar shards, and by several processes: the same bits for any number of them."""

import multiprocessing
import tarfile

import numpy as np
import pytest
import torch
from process_group import in_processes
from shard_files import picture, sample, write_shard, write_shards
from torch import distributed

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines import stats_lists
from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.stats import Stats, stats
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics

SIZES = [5, 1, 7, 3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("shards") / "train", SIZES)


def measured(data, output=None, **options) -> Stats:
    return stats(data, output, size_px=32, resize_px="none", progress=False, **options)


def test_all_samples_are_measured(folder):
    result = measured(folder, channels="24")
    transform = presets.classification_eval(InputSpec.unstandardised(ChannelSet.square(24), 32))
    maps = []
    for shard in range(len(SIZES)):
        with tarfile.open(folder / f"{shard:02}.tar") as tar:
            maps += [transform(tar.extractfile(name).read()) for name in tar.getnames() if name.endswith("jpg")]
    together = torch.cat([one.flatten(1) for one in maps], dim=1).double().numpy()
    assert result.statistics.images == len(maps) == sum(SIZES)
    np.testing.assert_allclose(result.spec.mean, together.mean(axis=1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.spec.std, together.std(axis=1), rtol=1e-9)


@pytest.mark.parametrize("source", ["shards", "pipes", "files"])
def test_processes_and_threads_change_no_bit(folder, two_classes, tmp_path, monkeypatch, source):
    monkeypatch.setattr(stats_lists, "FILES_A_LIST", 5)
    data = {"shards": folder, "pipes": f"pipe:cat {folder}/{{00..03}}.tar", "files": two_classes / "train"}[source]
    alone = measured(data, tmp_path / "1.json", threads=1)
    for world in (2, 3):
        output = tmp_path / f"{world}.json"
        work = in_processes(
            tmp_path / f"work{world}",
            lambda output=output: measured(data, output, threads=2).statistics.to_dict(),
            world=world,
        )
        assert work == [alone.statistics.to_dict()] * world, "all know the result"
        assert output.read_bytes() == (tmp_path / "1.json").read_bytes()
    assert not list(tmp_path.glob("*.partial*"))


def test_lists_change_rounding_only(two_classes, monkeypatch):
    whole = measured(two_classes / "train").statistics
    monkeypatch.setattr(stats_lists, "FILES_A_LIST", 5)
    parts = measured(two_classes / "train").statistics
    assert parts.images == whole.images
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(parts.std, whole.std, rtol=1e-12)


def test_skipped_samples_of_all_processes_are_listed(folder, tmp_path):
    data = write_shards(tmp_path / "data", [3, 3])
    for shard in range(2):
        bad = sample(shard) | {"__key__": "bad", "jpg": picture(shard)[:-30]}
        write_shard(data / f"x{shard}.tar", [sample(20 + shard), bad])
    with pytest.raises(ValueError, match=r"x0\.tar/bad\.jpg: .*--on-bad-image skip"):
        measured(data)
    expected = [f"{data}/x0.tar/bad.jpg", f"{data}/x1.tar/bad.jpg"]
    assert [name for name, _ in measured(data, on_bad_image="skip").skipped] == expected
    work = in_processes(tmp_path / "work", lambda: measured(data, on_bad_image="skip").skipped)
    assert [[name for name, _ in found] for found in work] == [expected] * 2


def test_a_damaged_shard_is_an_error_even_where_images_are_skipped(folder, tmp_path):
    data = write_shards(tmp_path / "data", [3, 3])
    whole = (data / "01.tar").read_bytes()
    (data / "01.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SampleError, match=r"01\.tar: ") as caught:
        measured(data, on_bad_image="skip")
    assert "--on-bad-image" not in str(caught.value)


def test_goes_on_from_what_any_process_has_kept(folder, tmp_path, monkeypatch):
    output = tmp_path / "spec.json"
    decoded = []
    made = presets.classification_eval

    def failing(spec, *, after):
        transform = made(spec)

        def run(data):
            decoded.append(data)
            if len(decoded) > after:
                raise KeyboardInterrupt
            return transform(data)

        return run

    def interrupted():
        monkeypatch.setattr(presets, "classification_eval", lambda spec: failing(spec, after=4))
        with pytest.raises((KeyboardInterrupt, ConnectionError)) as caught:
            measured(folder, output, threads=1)
        return f"{caught.type.__name__} {caught.value}"

    context = multiprocessing.get_context("fork")

    def one(rank):
        store = (tmp_path / "store").as_uri()
        distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
        (tmp_path / f"{rank}.txt").write_text(interrupted())

    processes = [context.Process(target=one, args=(rank,)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        process.kill()
    assert (tmp_path / "0.txt").read_text().startswith("KeyboardInterrupt interrupted after 4 images; ")
    # The other one has measured all of its shards, and waits for the first.
    assert (tmp_path / "1.txt").read_text().startswith("ConnectionError another process has stopped")
    assert (tmp_path / "spec.json.partial").exists()
    assert (tmp_path / "spec.json.partial.1").exists()
    # Killed while it wrote: half a line, which is passed over.
    with open(tmp_path / "spec.json.partial.1", "a") as file:
        file.write('{"format": "freqlearn.partial_st')
    monkeypatch.setattr(presets, "classification_eval", lambda spec: failing(spec, after=99))
    result = measured(folder, output)
    assert len(decoded) == sum(SIZES) - 4 - 4
    assert result.statistics.to_dict() == measured(folder).statistics.to_dict()
    assert not list(tmp_path.glob("*.partial*"))


def test_sample_of_shards(folder, tmp_path):
    def chosen(data=folder, **options):
        return measured(data, sample=4, channels="Y", **options)

    first, again, other = (chosen(seed=seed) for seed in (1, 1, 2))
    assert first.statistics.images == 4
    assert first.spec == again.spec
    assert first.spec != other.spec
    assert "4 images chosen with seed 1" in first.spec.source
    with pytest.raises(ValueError, match=r"a sample can only be chosen of local shards, or with sizes\.json"):
        chosen(f"pipe:cat {folder}/00.tar")


def test_order_is_that_of_shards(folder):
    in_order = ChannelStatistics(192)
    transform = presets.classification_eval(InputSpec.unstandardised(ChannelSet.all(), 32))
    number = 0
    for size in SIZES:
        shard = ChannelStatistics(192)
        for _ in range(size):
            shard.update(transform(picture(number)))
            number += 1
        in_order.merge(shard)
    assert measured(folder).statistics.to_dict() == in_order.to_dict()

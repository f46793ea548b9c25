import json
import pickle
import shutil
import tarfile
from collections import Counter

import pytest
import torch
from process_group import in_processes
from shard_files import CLASSES, picture, sample, write_shard, write_shards

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.data import SampleError, seeded
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.shards import open_shards
from freqlearn.pipelines.shards.loading import ShardLoader
from freqlearn.pipelines.shards.plan import Division, blocks, stream_lengths
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 32)
SIZES = [13, 7, 20, 1, 9]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("shards") / "train", SIZES)


@pytest.fixture(scope="module")
def pipes(folder):
    """The shards as commands, whose sizes nobody knows."""
    return open_shards(f"pipe:cat {folder}" + "/{00..04}.tar", classes=CLASSES, images=50)


@pytest.fixture(scope="module")
def listed(folder, tmp_path_factory):
    """The shards with sizes.json: read from beginning to end."""
    copy = tmp_path_factory.mktemp("listed") / "train"
    shutil.copytree(folder, copy)
    (copy / "sizes.json").write_text(json.dumps({f"{shard:02}.tar": size for shard, size in enumerate(SIZES)}))
    return copy


def loader(data, *, shuffle=True, batch_size=4, num_workers=0, **options) -> ShardLoader:
    made = make_loader(data, SPEC, batch_size=batch_size, shuffle=shuffle, num_workers=num_workers, seed=1, **options)
    assert isinstance(made, ShardLoader)
    return made


def plain(batch):
    """A batch as JSON types: sums tell samples and crops, labels are labels."""
    images, labels = batch
    return [list(pair) for pair in zip(images.double().sum(dim=(1, 2, 3)).tolist(), labels.tolist(), strict=True)]


def run(made, epoch=None):
    if epoch is not None:
        made.set_epoch(epoch)
    return [plain(batch) for batch in made]


def samples(batches):
    return Counter((value, label) for batch in batches for value, label in batch)


@pytest.fixture(scope="module")
def evaluated(folder):
    """Each sample as the evaluation transform gives it; tarfile reads, and one sample is decoded at a time."""
    transform = presets.classification_eval(SPEC)
    found = []
    for shard in range(len(SIZES)):
        with tarfile.open(folder / f"{shard:02}.tar") as tar:
            names = [name for name in tar.getnames() if name.endswith(".jpg")]
            for name in names:
                image = transform(tar.extractfile(name).read())
                found.append((image.double().sum().item(), int(name.partition(".")[0]) % 3))
    assert len(set(found)) == sum(SIZES)
    return Counter(found)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch_size", [4, 50, 64])
def test_evaluation_loads_every_sample_once(folder, evaluated, workers, batch_size):
    made = loader(folder, shuffle=False, batch_size=batch_size, num_workers=workers)
    batches = run(made)
    assert samples(batches) == evaluated
    assert len(batches) == len(made) == -(-50 // batch_size)


def test_listed_shards_are_read_from_beginning_to_end(listed):
    shards = open_shards(listed)
    assert not shards.random_access
    division = Division(shards, True, 0)
    assert division.streams_a_process(1) == 4
    for epoch in range(3):
        streams = division.streams(epoch, 4, 4)
        read = [part for stream in streams for part in stream.parts]
        assert sum(part.samples for part in read) == 50
        assert len(read) <= len(SIZES) + 3, "shards are only cut where streams begin"
    keys = [
        found.members["__key__"] for made in [loader(listed)] for b in made.sampler for found in made.dataset._read(b)
    ]
    assert len(set(keys)) == len(keys) == 48


def test_an_epoch_has_each_sample_at_most_once_and_another_order_each_time(folder):
    made = loader(folder)
    orders = []
    labels = []
    for epoch in range(2):
        keys = [(found.url, found.members["__key__"]) for block in made.sampler for found in made.dataset._read(block)]
        assert len(keys) == len(set(keys)) == 48, "the last batch is dropped"
        orders.append(keys)
        labels.append([key for _, key in keys])
        made.set_epoch(epoch + 1)
    assert orders[0] != orders[1]
    for keys in labels:
        assert keys != sorted(keys)
    # A batch is of several shards, though each has a shard's neighbours in it.
    assert len({url for url, _ in orders[0][:8]}) > 1


@pytest.mark.parametrize("source", ["files", "listed", "pipes"])
def test_workers_change_no_batch(folder, listed, pipes, source):
    data = {"files": folder, "listed": listed, "pipes": pipes}[source]
    alone = run(loader(data), epoch=1)
    assert len(alone) == 12
    for workers in (1, 2):
        assert run(loader(data, num_workers=workers), epoch=1) == alone


def test_crops_derive_from_seed_epoch_and_sample(folder):
    transform = presets.classification_train(SPEC)
    expected = {}
    for number in range(50):
        with seeded(1, 3, number):
            expected[transform(picture(number)).double().sum().item()] = number % 3
    for batch_size in (4, 7):
        batches = run(loader(folder, batch_size=batch_size), epoch=3)
        assert all(expected[value] == label for batch in batches for value, label in batch)


@pytest.mark.parametrize("source", ["files", "listed", "pipes"])
@pytest.mark.parametrize("taken", [0, 5, 12])
def test_resumes_exactly_with_other_workers(folder, listed, pipes, source, taken):
    data = {"files": folder, "listed": listed, "pipes": pipes}[source]
    whole = run(loader(data), epoch=1)
    stopped = loader(data, num_workers=2 if taken == 5 else 0)
    stopped.set_epoch(1)
    iterator = iter(stopped)
    assert [plain(next(iterator)) for _ in range(taken)] == whole[:taken]
    state = json.loads(json.dumps(stopped.state_dict()))
    del iterator
    resumed = loader(data, num_workers=1)
    resumed.load_state_dict(state)
    assert run(resumed) == whole[taken:]
    assert resumed.epoch == 2
    assert run(resumed) == run(loader(data), epoch=2)


def test_resumes_twice_and_with_another_batch_size(folder):
    whole = samples(run(loader(folder, drop_last=False), epoch=1))
    first = loader(folder, drop_last=False)
    first.set_epoch(1)
    iterator = iter(first)
    seen = [plain(next(iterator)) for _ in range(3)]
    second = loader(folder, batch_size=7, drop_last=False)
    second.load_state_dict(first.state_dict())
    iterator = iter(second)
    seen += [plain(next(iterator)) for _ in range(2)]
    third = loader(folder, batch_size=5, drop_last=False)
    third.load_state_dict(second.state_dict())
    assert samples(seen + run(third)) == whole
    assert sum(whole.values()) == 50


def test_states_of_others_are_refused(folder, tmp_path):
    state = loader(folder).state_dict()
    other = write_shards(tmp_path / "other", [5, 1])
    with pytest.raises(ValueError, match="a loader with size 50, and this one has size 6"):
        loader(other, batch_size=2).load_state_dict(state)
    with pytest.raises(ValueError, match="with shuffle True, and this one has shuffle False"):
        loader(folder, shuffle=False).load_state_dict(state)
    for cut in ({"block": 4, "taken": [100]}, {"block": 0, "taken": [0]}, {"taken": []}, 3):
        with pytest.raises(ValueError, match="expected a shard loader's state"):
            loader(folder).load_state_dict({**state, "cut": cut})


def train_and_evaluate(data, workers):
    """Training batches, what is left of them after two and a resume, and evaluation batches."""
    made = loader(data, num_workers=workers)
    whole = run(made, epoch=1)
    stopped = loader(data)
    stopped.set_epoch(1)
    iterator = iter(stopped)
    begun = [plain(next(iterator)) for _ in range(2)]
    state = stopped.state_dict()
    resumed = loader(data)
    resumed.load_state_dict(state)
    evaluation = loader(data, shuffle=False, num_workers=workers)
    return [whole, begun + run(resumed), run(evaluation), len(made), len(evaluation), state]


@pytest.mark.parametrize("shards", ["five", "one"])
def test_two_processes(folder, tmp_path, evaluated, shards):
    data = folder
    if shards == "one":  # fewer than processes, and than workers
        data = write_shards(tmp_path / "one", [50])
    work = in_processes(tmp_path / "work", lambda: train_and_evaluate(str(data), 2 if shards == "one" else 0))
    (whole_0, again_0, evaluation_0, length_0, counted_0, state_0), other = work
    whole_1, again_1, evaluation_1, length_1, counted_1, state_1 = other
    assert len(whole_0) == len(whole_1) == length_0 == length_1 == 6
    assert (again_0, again_1) == (whole_0, whole_1)
    both = samples(whole_0 + whole_1)
    assert len(both) == sum(both.values()) == 48, "no sample twice"
    assert state_0 == state_1
    # Every sample exactly once; 13 batches, of which one process gets one more.
    assert samples(evaluation_0 + evaluation_1) == evaluated
    assert counted_0 == counted_1 == 7
    assert len(evaluation_0) + len(evaluation_1) == 13
    # One process goes on where two stopped: each sample once, the last batch left out as always.
    alone = loader(data, drop_last=False)
    alone.load_state_dict(state_0)
    rest = samples(run(alone))
    assert sum(rest.values()) == 50 - 16
    assert not rest & samples(whole_0[:2] + whole_1[:2])


def test_several_processes_with_shards_of_unknown_size(pipes, tmp_path, evaluated):
    work = in_processes(tmp_path / "work", lambda: train_and_evaluate(pipes, 0))
    assert [len(one[0]) for one in work] == [6, 6]
    assert all(one[0] == one[1] for one in work)
    assert samples(work[0][2] + work[1][2]) == evaluated


def test_more_processes_than_shards_of_unknown_size(pipes):
    division = Division(pipes, True, 0)
    assert division.streams_a_process(2) == 2
    with pytest.raises(ValueError, match=r"5 shards are fewer than 6 processes; only where sizes\.json"):
        division.streams_a_process(6)


def test_blocks_take_turns_and_leave_nothing():
    lengths = stream_lengths(50, 4, 5)
    assert lengths == [15, 15, 10, 10]
    taken = [0] * 4
    order = []
    for block in blocks(lengths, taken, 5):
        order.append([stream for stream, _, _ in block])
        for stream, first, count in block:
            assert first == taken[stream]
            taken[stream] += count
    assert taken == lengths
    assert order == [[0], [1], [2], [3], [0], [1], [2], [3], [0], [1]]
    rest = list(blocks(lengths, [4, 0, 9, 10], 6))
    assert [sum(count for _, _, count in block) for block in rest] == [6, 6, 6, 6, 3]


def test_a_damaged_picture_is_named_or_skipped(folder, tmp_path):
    bad = sample(1) | {"jpg": picture(1)[:-30]}
    write_shard(tmp_path / "x.tar", [sample(0), bad, sample(2), sample(3)])
    for workers in (0, 1):
        with pytest.raises(SampleError, match=rf"^{tmp_path}/x\.tar/0001\.jpg: "):
            run(loader(open_shards(tmp_path, classes=CLASSES), batch_size=2, num_workers=workers))
    shards = open_shards(tmp_path, classes=CLASSES)
    evaluation = loader(shards, shuffle=False, batch_size=2, on_error="skip", num_workers=1)
    assert sum(len(batch) for batch in run(evaluation)) == 3
    assert list(evaluation.bad_images) == [f"{tmp_path}/x.tar/0001.jpg"]
    training = loader(shards, batch_size=2, on_error="skip")
    assert [len(batch) for batch in run(training)] == [2, 2], "another sample takes its place"
    assert list(training.bad_images) == [f"{tmp_path}/x.tar/0001.jpg"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cls": "wolf"}, r"x\.tar/0001\.cls: expected the name of a class"),
        ({"cls": None}, r"x\.tar/0001: expected a label"),
        ({"jpg": None}, r"x\.tar/0001: expected one image .* got \.cls"),
        ({"jpg": b"no picture"}, r"x\.tar/0001\.jpg: "),
    ],
)
def test_bad_samples_are_named(tmp_path, change, message):
    bad = {key: value for key, value in (sample(1) | change).items() if value is not None}
    write_shard(tmp_path / "x.tar", [sample(0), bad])
    with pytest.raises(SampleError, match=message):
        run(loader(open_shards(tmp_path, classes=CLASSES), shuffle=False))


def test_a_shard_that_breaks_off_is_named(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "sizes.json").write_text(json.dumps({f"{shard:02}.tar": size for shard, size in enumerate(SIZES)}))
    whole = (copy / "02.tar").read_bytes()
    (copy / "02.tar").write_bytes(whole[: len(whole) // 2])
    for options in ({}, {"on_error": "skip"}):
        with pytest.raises(SampleError, match=r"02\.tar: "):
            run(loader(copy, num_workers=1, **options))
    shutil.copy(folder / "00.tar", copy / "02.tar")
    with pytest.raises(SampleError, match=r"02\.tar: expected 20 samples, got 13"):
        run(loader(copy))


def test_other_transforms_work_sample_by_sample(folder):
    rgb = InputSpec.preset("imagenet-rgb")
    made = make_loader(folder, rgb, batch_size=25, shuffle=False, num_workers=0)
    transform = presets.classification_eval(rgb)
    expected = torch.stack([transform(picture(number)) for number in range(50)])
    assert torch.equal(torch.cat([images for images, _ in made]), expected)


def test_workers_fit_the_streams(folder, pipes, caplog):
    with caplog.at_level("INFO"):
        assert loader(folder, num_workers=5).num_workers == 4
        assert "4 loader processes instead of 5, since shards are read in 24 streams" in caplog.text
    assert loader(pipes, num_workers=2).num_workers == 2
    assert loader(pipes, num_workers=3).num_workers == 2, "five shards of unknown size: four streams"


def test_fewer_samples_than_a_batch(tmp_path):
    data = write_shards(tmp_path / "few", [3])
    made = loader(data, batch_size=8)
    assert [len(batch) for batch in run(made)] == [3]
    assert len(made) == 1
    with pytest.raises(ValueError, match="drop_last leaves nothing"):
        loader(data, batch_size=8, drop_last=True)


def test_an_epoch_is_a_whole_number_of_steps(folder):
    made = loader(folder, accumulate=5)
    assert len(made) == len(run(made)) == 10


def test_pickles_for_spawned_workers(folder):
    made = loader(folder)
    expected = run(made)
    copy = pickle.loads(pickle.dumps(made.dataset))
    again = [plain(made.collate_fn(copy[block])) for block in loader(folder).sampler]
    assert again == expected

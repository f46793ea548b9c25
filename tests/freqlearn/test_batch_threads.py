"""BatchDecoder in loaders, from several threads, across forks, and interrupted."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

import freqlearn as fl
from freqlearn import presets
from freqlearn.batch import default_num_threads

SPEC = fl.InputSpec.unstandardised(fl.ChannelSet.of((0, 1, 8, 64, 128)), 32, 40)
COUNT = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_jpeg) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for i in range(COUNT):
        path = root / f"class{i % 2}" / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(make_jpeg(50 + i, 70 - i, seed=i, sampling=("4:2:0", "4:4:4", "gray")[i % 3]))
    return root


@pytest.fixture(scope="module")
def files(folder) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*/*.jpg"))]


@pytest.fixture(scope="module")
def train():
    return presets.classification_train(SPEC, brightness=0.2)


@pytest.fixture(scope="module")
def evaluate():
    return presets.classification_eval(SPEC)


LOADERS = {
    "no workers": (2, {"num_workers": 0}),
    "one forked": (2, {"num_workers": 1, "multiprocessing_context": "fork"}),
    "two forked": (2, {"num_workers": 2, "multiprocessing_context": "fork"}),
    "two with the default number of threads": (None, {"num_workers": 2, "multiprocessing_context": "fork"}),
    "one spawned": (2, {"num_workers": 1, "multiprocessing_context": "spawn"}),
}


@pytest.mark.parametrize("loader", LOADERS)
def test_collate_fn_of_a_loader(loader, folder, train):
    """It gives the batches of a loader whose data set applies the transform, whose workers torch seeds alike."""
    num_threads, options = LOADERS[loader]
    decoder = fl.BatchDecoder(train, num_threads=num_threads)
    decoder([fl.read_bytes(folder / "class0" / "0.jpg")])  # its threads are there before the workers
    torch.manual_seed(4)
    got = list(DataLoader(ImageFolder(folder, loader=fl.read_bytes), 3, collate_fn=decoder, shuffle=True, **options))
    torch.manual_seed(4)
    if options["num_workers"]:
        options = {"num_workers": options["num_workers"], "multiprocessing_context": "fork"}
    want = list(DataLoader(ImageFolder(folder, loader=fl.read_bytes, transform=train), 3, shuffle=True, **options))
    assert len(got) == len(want) == 3
    for (images, labels), (want_images, want_labels) in zip(got, want, strict=True):
        assert torch.equal(images, want_images)
        assert torch.equal(labels, want_labels)
        assert images.is_shared() == bool(options["num_workers"])


def test_memory_format_survives_the_way_from_a_worker(folder, evaluate):
    decoder = fl.BatchDecoder(evaluate, memory_format=torch.channels_last, dtype=torch.bfloat16)
    dataset = ImageFolder(folder, loader=fl.read_bytes)
    ((images, _),) = DataLoader(dataset, COUNT, collate_fn=decoder, num_workers=1)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, decoder([file for file, _ in dataset]))


def test_pinning_is_not_for_workers(files, evaluate, monkeypatch):
    monkeypatch.setattr("freqlearn.batch.get_worker_info", object)
    with pytest.raises(RuntimeError, match=r"use DataLoader\(\.\.\., pin_memory=True\)"):
        fl.BatchDecoder(evaluate, pin_memory=True)(files)


def test_default_number_of_threads(monkeypatch):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert default_num_threads() == 6
    for processes, threads in (("2", 3), ("4", 1), ("8", 1), ("0", 6), ("", 6), ("two", 6)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        assert default_num_threads() == threads
    in_workers = DataLoader(range(2), collate_fn=lambda _: default_num_threads(), num_workers=2)
    assert list(in_workers) == [1, 1]


@pytest.mark.parametrize("num_threads", [1, 3])
def test_from_several_threads(num_threads, files, evaluate):
    """Each gets its own batches and its own failures."""
    decoder = fl.BatchDecoder(evaluate, num_threads=num_threads, on_error="replace")
    singles = [evaluate(file) for file in files]

    def work(seed: int) -> bool:
        order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(seed)).tolist()
        batch = [files[i] for i in order]
        bad = seed % 3 == 0
        if bad:
            batch[seed % COUNT] = batch[seed % COUNT][:-50]
        images = decoder(batch)
        reported = [failure.index for failure in decoder.failures]
        same = all(torch.equal(images[k], singles[i]) for k, i in enumerate(order) if k not in reported)
        return same and reported == ([seed % COUNT] if bad else [])

    with ThreadPoolExecutor(5) as threads:
        assert all(threads.map(work, range(100)))


def run_script(script: str, *arguments: str) -> None:
    """Run Python code in a process of its own; a hang is a failure."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SETUP + script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


SETUP = """
import os, signal, sys, threading, time
from pathlib import Path
import torch
import freqlearn as fl
from freqlearn import presets

files = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*/*.jpg"))]
evaluate = presets.classification_eval(fl.InputSpec.unstandardised(fl.ChannelSet.of((0, 1, 8, 64, 128)), 32, 40))
want = fl.BatchDecoder(evaluate, num_threads=1)(files)
decoder = fl.BatchDecoder(evaluate, num_threads=3)


def in_child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def check():
    for _ in range(3):
        assert torch.equal(decoder(files), want)


def wait(pids):
    for pid in pids:
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
"""
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_forks(folder):
    """After use, in a child's child, while other threads decode: nobody waits for threads that are not there."""
    run_script(
        """
check()

def nested():
    check()
    wait([in_child(check), in_child(check)])

wait([in_child(check), in_child(nested)])
wait([in_child(lambda: globals().pop("decoder"))])  # its threads are not there to be joined
check()
stop = threading.Event()
wrong = []

def decode():
    while not stop.is_set():
        if not torch.equal(decoder(files * 4), want.repeat(4, 1, 1, 1)):
            wrong.append(True)

threads = [threading.Thread(target=decode) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(15):
    time.sleep(0.005)
    wait([in_child(check), in_child(lambda: globals().pop("decoder"))])
stop.set()
for thread in threads:
    thread.join()
assert not wrong
check()
""",
        str(folder),
    )


def test_interrupt_ends_a_batch_that_would_take_minutes(folder, photo_like, make_jpeg, tmp_path):
    """The timeout of the process is far below what the batch would take."""
    path = tmp_path / "large.jpg"
    path.write_bytes(make_jpeg(2000, 2000, quality=95, pixels=np.tile(photo_like(500, 500), (4, 4, 1))))
    run_script(
        """
img = fl.read_dct(sys.argv[2])
img = img.with_plan(img.plan.resize(8, 8))
for num_threads in (1, 3):
    decoder = fl.BatchDecoder(fl.transforms.ToFrequencyTensor(fl.ChannelSet.of([0])), num_threads=num_threads)
    for attempt in range(2):
        timer = threading.Timer(0.7, signal.raise_signal, [signal.SIGINT])
        timer.start()
        try:
            decoder([img] * 30000)
        except KeyboardInterrupt:
            pass
        else:
            sys.exit("not interrupted")
        timer.join()
    assert decoder([img] * 5).shape == (5, 1, 1, 1)
""",
        str(folder),
        str(path),
    )


def test_signal_handlers_run_while_a_batch_is_decoded(files, evaluate):
    """What they raise goes through, whenever it comes."""
    decoder = fl.BatchDecoder(evaluate, num_threads=2)

    def decode_for_ever() -> None:
        while True:
            decoder(files)

    def alarm(*_: object) -> None:
        raise InterruptedError("the alarm")

    before = signal.signal(signal.SIGALRM, alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(InterruptedError, match="the alarm"):
            decode_for_ever()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert decoder(files).shape == (COUNT, 5, 4, 4)

"""`freqlearn` in processes of its own that are sent a signal at one moment of a training, and what they have left."""

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

# Forked from a process that has imported everything: a second each instead of five.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["stopped_runs", "freqlearn.pipelines.training", "freqlearn.pipelines.model_commands"])

Moment = tuple[str, int]
"""("step", n): when n optimizer steps are done and the next begins; ("validation", n): in that of epoch n;
("epoch", n): at its end, before the state is saved; ("statistics", 0): while they are measured; ("saving", n): in the
middle of writing the n-th checkpoint."""


def run(argv: Sequence[str], *, signals: Mapping[Moment, int], stderr: Path) -> int:
    """Run a command, send signals, and wait.

    Args:
        argv: What follows `freqlearn`.
        signals: When to send which. SIGKILL goes to the process, others to its loader processes too, as schedulers do.
        stderr: File for what it prints there.

    Returns:
        Exit status; that of a killed process is minus the signal's number.
    """
    return run_together(argv, signals=signals, stderr=stderr, world=1)[0]


def run_together(
    argv: Sequence[str],
    *,
    signals: Mapping[Moment, int],
    stderr: Path,
    world: int = 2,
    to_rank: int = 0,
    prepare: Callable[[], None] | None = None,
) -> list[int]:
    """Run a command in several processes that train together, with the environment that torchrun would give them.

    Args:
        argv: What follows `freqlearn`.
        signals: When to send which to one of the processes.
        stderr: File for what they print there.
        world: Number of processes.
        to_rank: Which process gets the signals.
        prepare: What each process does first; a function of a module that they can import.

    Returns:
        Their exit statuses. If one is killed, the others are too, as by torchrun.
    """
    stderr.write_bytes(b"")
    port = _free_port()
    processes = []
    for rank in range(world):
        environment = {} if world == 1 else _as_of_torchrun(rank, world, port)
        arguments = (list(argv), dict(signals) if rank == to_rank else {}, stderr, environment, prepare)
        processes.append(_CONTEXT.Process(target=_command, args=arguments))
        processes[-1].start()
    deadline = time.monotonic() + 240
    try:
        while any(process.exitcode is None for process in processes):
            if any(process.exitcode == -signal.SIGKILL for process in processes):
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"freqlearn {' '.join(argv)}: still running; it has printed {stderr.read_text()}")
            time.sleep(0.02)
    finally:
        for process in processes:
            process.kill()
            process.join()
    return [process.exitcode or 0 for process in processes]


def seed_everything(seed: int) -> None:
    """Seed the generators that freqlearn neither seeds nor draws from, and only saves."""
    random.seed(seed)
    np.random.seed(seed)


def read_state(folder: Path) -> dict[str, Any]:
    """All of last.ckpt that decides how a training goes on: weights, averages, optimizer, schedule, generators."""
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    decisive = (
        "state_dict",
        "current_model_state",
        "averaging_state",
        "optimizer_states",
        "lr_schedulers",
        "processes",
    )
    return {name: checkpoint[name] for name in decisive if name in checkpoint}


def assert_same(one: Any, other: Any, where: str = "state") -> None:
    """Equal to the last bit, whatever it is made of."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, where
        assert torch.equal(one, other), where
    elif isinstance(one, Mapping):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for position, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_same(left, right, f"{where}[{position}]")
    else:
        assert one == other, where


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _as_of_torchrun(rank: int, world: int, port: int) -> dict[str, str]:
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "GROUP_RANK": 0}
    rest = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
    return {name: str(number) for name, number in numbers.items()} | rest


def _command(
    argv: list[str],
    signals: dict[Moment, int],
    stderr: Path,
    environment: dict[str, str],
    prepare: Callable[[], None] | None,
) -> None:
    os.setpgrp()
    os.environ.update(environment)
    multiprocessing.set_start_method("fork", force=True)  # of loader processes, as where nothing is chosen
    with open(stderr, "ab") as file:
        os.dup2(file.fileno(), 2)
    torch.set_num_threads(1)
    seed_everything(0)
    if prepare is not None:
        prepare()
    for moment, number in signals.items():
        _PATCHES[moment[0]](moment[1], number)
    from freqlearn.pipelines.cli import main

    raise SystemExit(main(argv))


def _send(number: int) -> None:
    if number == signal.SIGKILL:
        os.kill(os.getpid(), number)
    else:  # from another process, as loader processes obey this one
        kill = f"kill -{int(number)} -{os.getpgrp()}"
        subprocess.run(kill, shell=True, check=True, start_new_session=True)


def _patched(owner: Any, name: str, before: Callable[..., None]) -> None:
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        before(*arguments)
        return original(*arguments, **options)

    setattr(owner, name, wrapped)


def _at_step(step: int, number: int) -> None:
    def send(self: Any, *_: Any) -> None:
        if self.global_step == step:
            _send(number)

    for learner in _learners():
        _patched(learner, "training_step", send)


def _in_validation(epoch: int, number: int) -> None:
    def send(self: Any, *_: Any) -> None:
        if self.current_epoch == epoch:
            _send(number)

    for learner in _learners():
        _patched(learner, "validation_step", send)


def _learners() -> list[type]:
    from freqlearn.pipelines.detection.learner import Detector
    from freqlearn.pipelines.module import Classifier

    return [Classifier, Detector]


def _after_epoch(epoch: int, number: int) -> None:
    from freqlearn.pipelines.saving import SaveState

    def send(self: Any, trainer: Any, *_: Any) -> None:
        if trainer.current_epoch == epoch:
            _send(number)

    _patched(SaveState, "on_train_epoch_end", send)


def _in_statistics(_: int, number: int) -> None:
    from freqlearn.pipelines import training

    _patched(training, "measured_spec", lambda *_: _send(number))


def _while_saving(count: int, number: int) -> None:
    from freqlearn.pipelines import checkpoint_files

    saves = iter(range(1, 1_000_000))

    def write(checkpoint: Any, file: Any) -> None:
        if next(saves) == count:
            file.write(b"PK\3\4 half a checkpoint")
            file.flush()
            _send(number)
        torch.save(checkpoint, file)

    checkpoint_files._write = write


_PATCHES: dict[str, Callable[[int, int], None]] = {
    "step": _at_step,
    "validation": _in_validation,
    "epoch": _after_epoch,
    "statistics": _in_statistics,
    "saving": _while_saving,
}

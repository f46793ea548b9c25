"""Work in several processes that torch.distributed connects, over gloo, as torchrun would start them."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed


def in_processes(folder: Path, work: Callable[[], Any], *, world: int = 2) -> list[Any]:
    """What `work` gives in each of several processes of one group.

    Args:
        folder: For what they tell each other; made here.
        work: Is forked with all that it refers to; gives JSON types.
        world: Number of processes.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("needs fork")
    context = multiprocessing.get_context("fork")
    folder.mkdir()

    def one(rank: int) -> None:
        torch.set_num_threads(1)
        distributed.init_process_group("gloo", init_method=(folder / "store").as_uri(), rank=rank, world_size=world)
        (folder / f"{rank}.json").write_text(json.dumps(work()))
        distributed.destroy_process_group()

    processes = [context.Process(target=one, args=(rank,)) for rank in range(world)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        process.kill()  # only if it hangs
    assert [process.exitcode for process in processes] == [0] * world
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(world)]

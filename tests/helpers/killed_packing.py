"""A `freqlearn pack` that dies while it writes a shard."""

import os
import signal
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

_FINISHED = 2


def kill_in_third_shard() -> None:
    """Let kill -9 come in this process when three members of the third shard are written."""
    from freqlearn.pipelines.packing import shards

    write_shard, written = shards.write_shard, []

    def killing(path: Any, members: Iterable[tuple[str, bytes]]) -> Any:
        def cut() -> Iterator[tuple[str, bytes]]:
            yield from islice(members, 3)
            os.kill(os.getpid(), signal.SIGKILL)

        written.append(path)
        return write_shard(path, cut() if len(written) > _FINISHED else members)

    shards.write_shard = killing

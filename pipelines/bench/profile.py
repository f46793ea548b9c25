"""Where the time of a call goes, without a profiler: the same call with less and less left to do."""

from collections.abc import Callable
from typing import Any

import freqlearn as fl
from freqlearn.pipelines.bench.geometry import Geometry
from freqlearn.pipelines.bench.peers import Pass, each
from freqlearn.pipelines.bench.workloads import spec, transform

HEADERS, CHECK, PLAN = "headers", "look through the file to its end", "draw the box, make the plan"
ONE, FULL, DECODE = "training transform to one channel", "training transform to DCT-24", "decode everything"


def steps() -> dict[str, Pass]:
    """Name -> pass, each with more to do than the one before, but for the last."""
    geometry = Geometry(448)
    wanted = spec("DCT-24", geometry)
    full = transform(wanted, geometry)
    first = wanted.channels.indices[0] if wanted.channels else 0
    one = transform(wanted.select(fl.ChannelSet.of([first])), geometry)
    planning = fl.transforms.Compose(
        [fl.transforms.ReadDCT(), fl.transforms.RandomResizedCrop(448), fl.transforms.RandomHorizontalFlip()]
    )
    calls: dict[str, Callable[[bytes], Any]] = {
        HEADERS: fl.read_info,
        CHECK: fl.read_dct,
        PLAN: planning,
        ONE: one,
        FULL: full,
        DECODE: lambda data: fl.read_dct(data, decoder="native").planes,
    }
    return {name: each(lambda photo, call=call: call(photo.data)) for name, call in calls.items()}  # type: ignore[misc]

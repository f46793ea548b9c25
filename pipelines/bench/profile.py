"""Where the time of a call goes, without a profiler: the same call with less and less left to do."""

from collections.abc import Callable
from typing import Any

import torch

import freqlearn as fl
from freqlearn import _native, native_operator
from freqlearn.pipelines.bench.geometry import Geometry
from freqlearn.pipelines.bench.peers import Pass, each
from freqlearn.pipelines.bench.photos import Photo
from freqlearn.pipelines.bench.workloads import CHANNELS, spec, transform
from freqlearn.plan import Plan
from freqlearn.reading import DEFAULT_MAX_PIXELS

HEADERS, CHECK, PLAN = "headers", "look through the file to its end", "draw the box, make the plan"
ONE, NATIVE = "native call alone, one channel", "native call alone, DCT-24"
FULL, DECODE = "training transform to DCT-24", "read_dct: decode and keep everything"
GEOMETRY = Geometry(448)


def steps(seed: int = 0) -> dict[str, Pass]:
    """Name -> pass. Headers, check and plan are parts of the transform, and so is the native call.

    Args:
        seed: Of the boxes that the native calls get, which are the same every time.
    """
    planning = _planning()
    calls: dict[str, Callable[[bytes], Any]] = {HEADERS: fl.read_info, CHECK: fl.read_dct, PLAN: planning}
    passes = {name: each(lambda photo, call=call: call(photo.data)) for name, call in calls.items()}  # type: ignore[misc]
    plans = _Plans(planning, seed)
    passes[ONE] = _native_call(fl.ChannelSet.of([0]), plans)
    passes[NATIVE] = _native_call(CHANNELS["DCT-24"], plans)
    full = transform(spec("DCT-24", GEOMETRY), GEOMETRY)
    passes[FULL] = each(lambda photo: full(photo.data))
    passes[DECODE] = each(lambda photo: fl.read_dct(photo.data, decoder="native").planes)
    return passes


def instruction_sets(seed: int = 0) -> dict[str, Pass]:
    """Decoding, and the native call to DCT-24 and to all channels, with each set of instructions of this processor.

    The names are "WORK, SET"; the readable decoder, which the fast one is tested against, comes first.

    Args:
        seed: Of the boxes.
    """
    passes = {"read_dct, readable decoder": _decode(reference=True)}
    found = _native.instruction_sets()
    passes |= {f"read_dct, {name}": _decode(instruction_set=name) for name in found}
    plans = _Plans(_planning(), seed)
    for channels in ("DCT-24", "DCT-192"):
        passes |= {
            f"{channels}, {name}": _native_call(CHANNELS[channels], plans, instruction_set=name) for name in found
        }
    return passes


def _decode(*, reference: bool = False, instruction_set: str | None = None) -> Pass:
    def work(photo: Photo) -> None:
        _native.decode(
            photo.data,
            strict=True,
            max_pixels=DEFAULT_MAX_PIXELS,
            reference=reference,
            instruction_set=instruction_set,
        )

    return each(work)


class _Plans:
    """The plan of each photo, drawn at first sight."""

    def __init__(self, planning: Callable[[bytes], Any], seed: int) -> None:
        self.planning = planning
        self.seed = seed
        self.drawn: dict[Photo, Plan] = {}

    def __getitem__(self, photo: Photo) -> Plan:
        if photo not in self.drawn:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed + len(self.drawn))
                self.drawn[photo] = self.planning(photo.data).plan
        return self.drawn[photo]


def _native_call(channels: fl.ChannelSet, plans: _Plans, *, instruction_set: str | None = None) -> Pass:
    """From bytes and plan to the tensor, which is always the same one."""
    target = native_operator.target(channels.indices, [0.0] * len(channels), [1.0] * len(channels))
    side = GEOMETRY.size_px // 8
    out = torch.empty(len(channels), side, side)

    def work(photo: Photo) -> None:
        native_operator.execute(
            photo.data, plans[photo], target, out, max_pixels=DEFAULT_MAX_PIXELS, instruction_set=instruction_set
        )

    return each(work)


def _planning() -> fl.transforms.Compose:
    size = GEOMETRY.size_px
    return fl.transforms.Compose(
        [fl.transforms.ReadDCT(), fl.transforms.RandomResizedCrop(size), fl.transforms.RandomHorizontalFlip()]
    )

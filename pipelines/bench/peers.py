"""What a peer is: a way to turn photos into what a network takes, or a reason why it cannot be had here."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeAlias

from freqlearn.pipelines.bench.photos import Photo

Pass: TypeAlias = Callable[[Sequence[Photo]], object]
"""Works through photos once, one after the other; what it returns is thrown away."""

BATCH = 64
"""Photos a batch, for passes that work in batches."""


class UnavailableError(Exception):
    """A peer that cannot be measured here; the message says why, and what to install."""


@dataclass(frozen=True)
class Peer:
    """A row of a table.

    Attributes:
        name: What the table calls it.
        make: Loads what it needs and returns the work; raises UnavailableError where that is missing.
    """

    name: str
    make: Callable[[], Pass]


def require(module: str, package: str, *, extra: str = "bench") -> ModuleType:
    """Import a library that only a peer needs.

    Args:
        module: Its name in Python.
        package: Its name for people.
        extra: Which of freqlearn's extras brings it.

    Raises:
        UnavailableError: If it is not installed or does not load.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "") != module.partition(".")[0]:
            raise UnavailableError(f"{package} does not load: {first_line(error)}") from error
        raise UnavailableError(f"{package} is not installed: pip install 'freqlearn[{extra}]'") from error
    except (ImportError, OSError, RuntimeError) as error:
        raise UnavailableError(f"{package} does not load: {first_line(error)}") from error


def each(work: Callable[[Photo], Any]) -> Pass:
    """A pass that does one photo after the other."""

    def run(photos: Sequence[Photo]) -> None:
        for photo in photos:
            work(photo)

    return run


def made(peers: Sequence[Peer]) -> tuple[dict[str, Pass], dict[str, str]]:
    """The peers that are there, ready to run, and why the others are not; by name."""
    ready: dict[str, Pass] = {}
    missing: dict[str, str] = {}
    for peer in peers:
        try:
            ready[peer.name] = peer.make()
        except UnavailableError as reason:
            missing[peer.name] = str(reason)
        except Exception as error:  # whatever a library does when it starts: the others can still be measured
            missing[peer.name] = f"{type(error).__name__}: {first_line(error)}"
    return ready, missing


def readable(photos: Sequence[Photo], peers: Mapping[str, Pass]) -> tuple[list[Photo], dict[str, str], dict[str, str]]:
    """Run every pass once, which warms it up, and find out what stands in the way of those that fail.

    Args:
        photos: The photos.
        peers: Passes by name.

    Returns:
        The photos that all can read; why others are left out, by path; and why a peer is, by name, for one that cannot
        read a tenth of the photos.
    """
    left_out: dict[Photo, str] = {}
    unfit: dict[str, str] = {}
    for name, work in peers.items():
        failed = _failures(photos, work)
        if 10 * len(failed) > len(photos):
            unfit[name] = f"fails on {len(failed)} of {len(photos)} photos: {next(iter(failed.values()))}"
        else:
            left_out |= {photo: f"{name}: {why}" for photo, why in failed.items()}
    good = [photo for photo in photos if photo not in left_out]
    return good, {str(photo.path): why for photo, why in left_out.items()}, unfit


def _failures(photos: Sequence[Photo], work: Pass) -> dict[Photo, str]:
    """Why a pass fails on the photos that it fails on."""
    try:
        work(photos)
    except Exception:
        failed: dict[Photo, str] = {}
        for photo in photos:
            try:
                work([photo])
            except Exception as error:
                failed[photo] = f"{type(error).__name__}: {first_line(error)}"
        return failed
    return {}


def first_line(error: BaseException) -> str:
    """The beginning of an error's message, for a table's footnote."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]

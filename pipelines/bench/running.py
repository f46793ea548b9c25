"""Run the workloads over a folder of photos; the result is plain data, for JSON and for tables."""

import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import freqlearn as fl
from freqlearn.pipelines.bench import floor, profile, rgb
from freqlearn.pipelines.bench.machine import machine
from freqlearn.pipelines.bench.memory import high_water
from freqlearn.pipelines.bench.networks import measure_networks
from freqlearn.pipelines.bench.peers import BATCH, UnavailableError, first_line, made, readable
from freqlearn.pipelines.bench.photos import Photo, load, mosaics
from freqlearn.pipelines.bench.timing import measure, threads
from freqlearn.pipelines.bench.workloads import DCT_24, DCTNET, Workload, workloads

TIMED = tuple(workload.key for workload in workloads())
PARTS = (*TIMED, "memory", "networks", "profile")
MAX_BYTES = 16_000_000
MOSAIC_BYTES = 3_500_000

Progress = Callable[[str], None]


def run(
    folder: Path,
    *,
    parts: Sequence[str] = PARTS,
    files: int = 100,
    rounds: int = 7,
    large_files: int = 4,
    num_threads: Sequence[int] = (1, 2),
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Measure.

    Args:
        folder: JPEG files, at any depth.
        parts: Of PARTS.
        files: Photos at most; fewer where they are large, 16 MB in all.
        rounds: How often every row is measured.
        large_files: How many 12-megapixel mosaics to make of the photos; they are measured in at most 5 rounds.
        num_threads: Threads of the batches.
        progress: Is told what runs.

    Returns:
        JSON-able: "machine", "photos", "workloads", and what else is asked for.

    Raises:
        ValueError: If the folder holds no JPEG file, or a part does not exist.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"expected parts out of {', '.join(PARTS)}, got {', '.join(unknown)}")
    result: dict[str, Any] = {"machine": machine(), "workloads": {}}
    with tempfile.TemporaryDirectory() as scratch:
        progress("reading photos")
        photos, damaged = whole(load(folder, count=files, max_bytes=MAX_BYTES))
        large: list[Photo] = []
        if "large" in parts or "memory" in parts:
            progress("making 12-megapixel mosaics")
            large = mosaics(photos, Path(scratch), count=large_files, min_bytes=MOSAIC_BYTES)
        result["photos"] = _described(folder.name, photos) | {"left_out": damaged}
        result["large"] = _described("mosaics", large) if large else None
        with threads(1):
            for workload in workloads(threads=num_threads):
                if workload.key not in parts:
                    continue
                if workload.large:
                    found = _timed(workload, large, min(rounds, 5), progress)
                else:
                    found = _timed(workload, whole_batches(photos) if workload.batches else photos, rounds, progress)
                result["workloads"][workload.key] = found
            if "profile" in parts:
                result["profile"] = _profile(photos, rounds, progress)
        if "memory" in parts:
            result["memory"] = _memory(photos, large, progress)
        if "networks" in parts:
            result["networks"] = measure_networks(rounds=min(rounds, 3), progress=progress)
    return result


def whole(photos: Sequence[Photo]) -> tuple[list[Photo], dict[str, str]]:
    """Tell damaged photos apart, which would make every library that is strict look unfit.

    Args:
        photos: The photos.

    Returns:
        Those that we decode in full, and why the others are left out, by path; all photos if we decode none.
    """
    damaged: dict[Photo, str] = {}
    for photo in photos:
        try:
            _ = fl.read_dct(photo.data).planes
        except (ValueError, OSError) as error:
            damaged[photo] = first_line(error)
    if len(damaged) == len(photos):
        return list(photos), {}
    good = [photo for photo in photos if photo not in damaged]
    return good, {str(photo.path): why for photo, why in damaged.items()}


def whole_batches(photos: Sequence[Photo]) -> list[Photo]:
    """The photos over and over, until they fill their last batch."""
    return list(itertools.islice(itertools.cycle(photos), -(-len(photos) // BATCH) * BATCH))


def _timed(workload: Workload, photos: Sequence[Photo], rounds: int, progress: Progress) -> dict[str, Any]:
    progress(f"{workload.key}: trying every peer on every photo")
    passes, missing = made(workload.peers)
    good, left_out, unfit = readable(photos, passes)
    passes = {name: work for name, work in passes.items() if name not in unfit}
    timings = measure(
        passes, good, rounds=rounds if good else 0, progress=lambda text: progress(f"{workload.key}: {text}")
    )
    return {
        "title": workload.title,
        "ours": workload.ours,
        "photos": len(good),
        "rounds": rounds,
        "ms": {name: asdict(timing) for name, timing in timings.items() if timing.wall},
        "missing": missing | unfit,
        "left_out": left_out,
    }


def _profile(photos: Sequence[Photo], rounds: int, progress: Progress) -> dict[str, Any] | None:
    """Of our own calls; None where we cannot read the photos."""
    result: dict[str, Any] = {}
    good = list(photos)
    for key, passes in (("ms", profile.steps()), ("sets_ms", profile.instruction_sets())):
        good, _, unfit = readable(good, passes)
        if unfit or not good:
            return None
        timings = measure(passes, good, rounds=rounds, progress=lambda text: progress(f"profile: {text}"))
        result[key] = {name: asdict(timing) for name, timing in timings.items()}
    result["symbols"] = asdict(floor.count_symbols(good))
    try:
        result["chain_ns"] = floor.nanoseconds()
    except UnavailableError as reason:
        result["chain_ns"], result["chain_missing"] = None, str(reason)
    return result


def _memory(photos: Sequence[Photo], large: Sequence[Photo], progress: Progress) -> dict[str, Any]:
    """High-water marks of the training transform over the photos and of the 12-megapixel mosaics."""
    result: dict[str, Any] = {}
    names = (rgb.PILLOW, rgb.PILLOW_DRAFT, rgb.TORCHVISION, rgb.TORCHCODEC, rgb.SIMPLEJPEG, rgb.DALI)
    for key, some, size_px in (("training", photos[:32], 224), ("large", large, 448)):
        if not some:
            continue
        rows: dict[str, Any] = {}
        missing: dict[str, str] = {}
        for name in (DCT_24, *(rgb.row(name, size_px) for name in names), DCTNET):
            progress(f"memory: {key}: {name}")
            try:
                rows[name] = high_water(key, name, [photo.path for photo in some])
            except UnavailableError as reason:
                missing[name] = str(reason)
        result[key] = {"photos": len(some), "mb": rows, "missing": missing}
    return result


def _described(name: str, photos: Sequence[Photo]) -> dict[str, Any]:
    return {"folder": name, "files": len(photos), "mean_bytes": sum(len(photo.data) for photo in photos) / len(photos)}

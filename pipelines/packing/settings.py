"""From options to what a packed set's index says of its InputSpec and of how it was packed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqlearn.channels import ChannelSet
from freqlearn.encoding import DEFAULT_QUALITY, chosen_tables
from freqlearn.packed_set import Packing
from freqlearn.pipelines.folders import ClassFolder
from freqlearn.pipelines.inputs import chosen_channels, measured_spec, read_spec
from freqlearn.pipelines.packing.options import PackOptions
from freqlearn.planes import checked_table
from freqlearn.reading import read_dct
from freqlearn.repacking import Repacking, check_sizes, file_channels
from freqlearn.spec import InputSpec

_DEFAULT_SIZE = 512
_TABLES = 3  # Y, Cb, Cr


def unmeasured_spec(options: PackOptions) -> tuple[InputSpec, ChannelSet]:
    """The InputSpec that the options ask for, and the channels that the files are to carry.

    Without `options.spec` it has no mean and std yet.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If photos cannot be packed at its sizes, or for its kind; or it has none of the channels.
    """
    channels = chosen_channels(options.channels, options.top)
    if options.spec is None:
        size = _DEFAULT_SIZE if options.size is None else options.size
        crop = 16 * round(size * 7 / 8 / 16) if options.crop is None else options.crop
        check_sizes(size, crop, options.sampling)
        wanted = channels or ChannelSet.all()
        return InputSpec.unstandardised(wanted, crop, size), wanted
    spec = read_spec(options.spec)
    if spec.channels is None:
        raise ValueError(
            f'{options.spec}: expected a spec of frequency channels (kind "dct"), got one of the kind "rgb"'
        )
    if spec.resize_px is None:
        raise ValueError(
            f"{options.spec}: expected a spec that resizes photos for evaluation, got one without resize_px; freqlearn "
            "prune makes photos smaller as they are"
        )
    try:
        check_sizes(spec.resize_px, spec.size_px, options.sampling)
    except ValueError as error:
        raise ValueError(f"{options.spec} (resize_px is the short side, size_px the crop): {error}") from error
    carried = channels or spec.channels
    if not set(spec.channels) <= set(carried):  # a spec of more channels, of which some are wanted
        spec = spec.select(carried)
    return spec, carried


def chosen_packing(options: PackOptions, short_side_px: int, channels: ChannelSet) -> Packing:
    """How the options pack photos.

    Raises:
        OSError: If the file of quantisation tables cannot be read.
        ValueError: If something is out of range.
    """
    tables = None if options.quant_tables is None else read_tables(options.quant_tables)
    quality = (DEFAULT_QUALITY if options.quality is None else options.quality) if tables is None else None
    chosen = chosen_tables(quality, tables, _TABLES)
    file_channels(channels, options.sampling)
    return Packing(
        short_side_px=short_side_px,
        channels=channels,
        quality=quality,
        quant_tables=tuple(tuple(table.ravel().tolist()) for table in chosen),
        sampling=options.sampling,
        shard_images=options.shard_images,
        seed=options.seed,
    )


def standardised_spec(options: PackOptions, spec: InputSpec, train: ClassFolder, output: Path) -> InputSpec:
    """The spec with mean and std, which are measured on training photos where the options bring none."""
    if options.spec is not None:
        return spec
    measured, _ = measured_spec(
        spec,
        train,
        images=options.stats_images,
        seed=options.seed,
        on_bad_image=options.on_bad_image,
        output=output,
    )
    return measured


def repacking_of(spec: InputSpec, packing: Packing) -> Repacking:
    """What makes packed pictures of photos."""
    return Repacking(
        packing.short_side_px,
        spec.size_px,
        channels=packing.channels,
        quant_tables=packing.tables,
        sampling=packing.sampling,
    )


def read_tables(path: Path) -> Sequence[NDArray[np.uint16]]:
    """Three quantisation tables of a JPEG file, or of a JSON file with one, two or three.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds something else.
    """
    try:
        if path.suffix.lower() == ".json":
            listed = json.loads(path.read_text(encoding="utf-8"))
            tables = [_table(entries, number) for number, entries in enumerate(_as_list(listed))]
        else:
            tables = list(read_dct(path, decoder="native").quant_tables)
        if not 1 <= len(tables) <= _TABLES:
            raise ValueError(f"expected one, two or three quantisation tables, got {len(tables)}")
    except (TypeError, ValueError) as error:
        message = str(error)
        raise ValueError(message if message.startswith(str(path)) else f"{path}: {message}") from error
    return [*tables, *[tables[-1]] * (_TABLES - len(tables))]


def _as_list(listed: Any) -> list[Any]:
    if not isinstance(listed, list):
        raise TypeError(f"expected a list of quantisation tables, got {type(listed).__name__}")
    return listed


def _table(entries: Any, number: int) -> NDArray[np.uint16]:
    try:
        array = np.asarray(entries)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"expected 64 entries of quantisation table {number}: {error}") from error
    return checked_table(array.reshape(8, 8) if array.size == 64 else array, number)

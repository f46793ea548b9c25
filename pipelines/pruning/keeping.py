"""What pruning keeps of each picture, from options."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

from freqlearn.image import DCTImage
from freqlearn.pipelines.inputs import read_channels, read_spec
from freqlearn.pipelines.pruning.options import PruneOptions


@dataclass(frozen=True)
class Keeping:
    """What stays of each picture.

    Attributes:
        keep: Image -> the same with fewer coefficients.
        color_spaces: Of images that this can be done with; others stay as they are.
        psnr_blocks: Which blocks the PSNR is over, see `freqlearn.fidelity.luma_psnr`.
        words: What stays, for people.
        facts: The same as JSON types: equal for what gives equal files.
    """

    keep: Callable[[DCTImage], DCTImage]
    color_spaces: Collection[str]
    psnr_blocks: Literal["all", "left"]
    words: str
    facts: dict[str, Any]


def keeping(options: PruneOptions) -> Keeping:
    """What the options keep.

    Raises:
        ValueError: If they name no spec, or no channels.
    """
    return _visible(options, options.for_) if options.for_ is not None else _literal(options)


def _literal(options: PruneOptions) -> Keeping:
    channels = read_channels(str(options.channels), top=options.top)
    return Keeping(
        lambda img: img.keep(channels),
        ("gray", "YCbCr"),
        "all",
        f"Kept of each file: its own channels {channels}",
        {"channels": sorted(channels)},
    )


def _visible(options: PruneOptions, name: str) -> Keeping:
    spec = read_spec(name)
    if spec.kind != "dct":
        raise ValueError(f"{name}: expected a spec of frequency channels, got one of pixels, which weighs everything")
    seen: dict[str, Any] = {
        "tolerance": options.tolerance,
        "negligible": options.negligible,
        "whole_picture": options.whole_picture,
        "exif_orientation": options.exif_orientation,
    }
    blocks = " (outside the centre crop too)" if options.whole_picture else ""
    return Keeping(
        lambda img: img.keep_visible(spec, **seen),
        ("gray", "YCbCr", "RGB"),
        # What the centre crop cuts off is gone altogether: with it every picture would have some 15 dB.
        "all" if options.whole_picture else "left",
        f"Kept of each file: what evaluation weighs{blocks}, tolerance {options.tolerance:g}, negligible "
        f"{options.negligible:g}, of {spec}",
        {"for": spec.to_dict(), **seen},
    )

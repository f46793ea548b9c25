"""What the headers of a JPEG file say."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from freqlearn.quality import estimate_quality

ColorSpace: TypeAlias = Literal["gray", "YCbCr", "RGB", "CMYK", "YCCK", "unknown"]
Process: TypeAlias = Literal["baseline", "extended", "progressive"]
Sampling: TypeAlias = tuple[tuple[int, int], ...]

# Chroma's (horizontal, vertical) reduction -> the usual J:a:b name.
_NAMES: dict[tuple[float, float], str] = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}


def subsampling_name(sampling: Sampling) -> str:
    """A short name for sampling factors.

    Args:
        sampling: (h, v) per component, as in the file.

    Returns:
        "gray" for one component; a J:a:b name where there is one (first component full, all others equally reduced);
        else the factors, as in "2x2,1x2,1x1".
    """
    if len(sampling) == 1:
        return "gray"
    (h, v), *others = sampling
    reductions = {(h / other_h, v / other_v) for other_h, other_v in others}
    name = _NAMES.get(next(iter(reductions))) if len(reductions) == 1 else None
    return name or ",".join(f"{h}x{v}" for h, v in sampling)


def component_size(size_px: tuple[int, int], sampling: Sampling, component: int) -> tuple[int, int]:
    """Size of a component's samples (ITU-T T.81, A.1.1).

    Args:
        size_px: (height, width) of the picture.
        sampling: (h, v) per component.
        component: Its index in `sampling`.

    Returns:
        (height, width) in samples.
    """
    h_max = max(h for h, _ in sampling)
    v_max = max(v for _, v in sampling)
    h, v = sampling[component]
    return -(-size_px[0] * v // v_max), -(-size_px[1] * h // h_max)


@dataclass(frozen=True, repr=False)
class ImageInfo:
    """A JPEG file's headers, up to its first scan.

    Attributes:
        size_px: (height, width), as stored: EXIF orientation is not applied.
        color_space: "gray", "YCbCr", "RGB", "CMYK", "YCCK" or "unknown", by libjpeg's rules.
        sampling: (h, v) per component, as in the file.
        process: "baseline", "extended" or "progressive".
        restart_interval: MCUs between restart markers; 0: none.
        orientation: EXIF orientation, 1 to 8; 1 where the file has none.
        quant_tables: (8, 8) uint16 per component, natural order.
        warnings: What libjpeg would have warned of.
    """

    size_px: tuple[int, int]
    color_space: ColorSpace
    sampling: Sampling
    process: Process
    restart_interval: int
    orientation: int
    quant_tables: tuple[NDArray[np.uint16], ...] = field(compare=False)
    warnings: tuple[str, ...] = ()

    @property
    def progressive(self) -> bool:
        """Whether the file is progressive."""
        return self.process == "progressive"

    @cached_property
    def quality(self) -> int | None:
        """The libjpeg quality, 1 to 100, that Y's quantisation table comes from; None if it is not one of libjpeg's."""
        return estimate_quality(self.quant_tables[0])

    @property
    def subsampling(self) -> str:
        """The sampling's usual name, as in "4:2:0"; see `subsampling_name`."""
        return subsampling_name(self.sampling)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays come back from pickling and deep copying writable.
        self.__dict__.update(state)
        for table in self.quant_tables:
            table.flags.writeable = False

    def __repr__(self) -> str:
        return f"ImageInfo({self.describe()})"

    def describe(self) -> str:
        """One line for a person: width x height, colour, process and what else is not the default."""
        return ", ".join([describe_layout(self.size_px, self.color_space, self.sampling), *self._details()])

    def _details(self) -> list[str]:
        details: list[str] = [self.process]
        if self.quality is not None:
            details.append(f"quality {self.quality}")
        if self.restart_interval:
            details.append(f"restart interval {self.restart_interval}")
        if self.orientation != 1:
            details.append(f"orientation {self.orientation}")
        return details


def describe_layout(size_px: tuple[int, int], color_space: str, sampling: Sampling) -> str:
    """For instance "500x375 px, YCbCr 4:2:0": width first, as people say it."""
    color = color_space if len(sampling) == 1 else f"{color_space} {subsampling_name(sampling)}"
    return f"{size_px[1]}x{size_px[0]} px, {color}"

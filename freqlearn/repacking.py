"""A photo at a model's evaluation size, from its coefficients: resized exactly, on the model's blocks, quantised again.

What evaluation sees of the photo and of the packed picture differs by the rounding of coefficients alone: the packed
picture's short side is what evaluation resizes to, and its centre crop begins on a block. So the file's channels are
the model's, and those that the model does not use can be left out of it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from freqlearn import native_operator
from freqlearn.channels import ChannelSet
from freqlearn.coefficients import Coefficients, Layout
from freqlearn.dct import BLOCK
from freqlearn.decoders import Decoded, frozen
from freqlearn.encoding import chosen_tables
from freqlearn.image import DCTImage
from freqlearn.indexing import integer, label, split_index
from freqlearn.info import Sampling
from freqlearn.packed_index import Sampling as PackedSampling
from freqlearn.plan import Plan
from freqlearn.transforms.cropping import centred
from freqlearn.transforms.resizing import resized_size

_PLACES = BLOCK * BLOCK
# The largest that baseline JPEG codes of 8-bit samples (ITU-T T.81, table F.1); `write_jpeg` checks each for itself.
_LIMIT = 2047
LONGEST_PX = 65500
"""The longest side that libjpeg reads (its JPEG_MAX_DIMENSION), and so most programs; a JPEG file may have 65535."""

PACKED_FACTORS: dict[PackedSampling, Sampling] = {"4:4:4": ((1, 1),) * 3, "4:2:0": ((2, 2), (1, 1), (1, 1))}
"""Sampling factors (h, v) of packed pictures that are not gray."""


class Repacking:
    """Makes packed pictures of photos; made once, for all photos and threads.

    Args:
        short_side_px: What the short side is resized to, as evaluation does: an InputSpec's resize_px.
        crop_px: Side of evaluation's centre crop: an InputSpec's size_px. See `check_sizes`.
        channels: Of the model's channels, those that the packed pictures carry, a ChannelSet or numbers
            64*component + 8*v + u; all others are zero. All by default. See `file_channels`.
        quality: libjpeg's, 1 to 100, with the quantisation tables of JPEG's annex K; 75 if nothing is said.
        quant_tables: Instead of a quality, (8, 8) integers in 1..65535 of Y, Cb and Cr, natural order.
        sampling: "4:4:4", where the file's channels are the model's; or "4:2:0", with chroma planes of half the size,
            made by one more antialiased bilinear resize.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is out of range, the sizes do not fit each other, or quality and tables are both given.
    """

    def __init__(
        self,
        short_side_px: int,
        crop_px: int,
        *,
        channels: Iterable[int] | None = None,
        quality: int | None = None,
        quant_tables: Sequence[NDArray[Any]] | None = None,
        sampling: PackedSampling = "4:4:4",
    ) -> None:
        check_sizes(short_side_px, crop_px, sampling)
        wanted = ChannelSet.all() if channels is None else channels
        self.short_side_px, self.crop_px = short_side_px, crop_px
        self.channels = wanted if isinstance(wanted, ChannelSet) else ChannelSet.of(wanted)
        self.quant_tables = chosen_tables(quality, quant_tables, 3)
        self.sampling: PackedSampling = sampling
        carried = file_channels(self.channels, sampling)
        luma, chroma = (sorted(i for i in carried if (i < _PLACES) is is_luma) for is_luma in (True, False))
        tables: Any = np.stack(self.quant_tables).reshape(-1)
        self._luma = _Values(luma, tables)
        # A file needs no chroma planes for colours without any channel: it is a gray one.
        self._chroma = _Values(chroma, tables) if chroma else None
        self._all = _Values([*luma, *chroma], tables)
        self._full_size = _Values([*luma, *range(_PLACES, 3 * _PLACES)], np.r_[tables[:_PLACES], np.ones(2 * _PLACES)])

    def __call__(self, img: DCTImage) -> DCTImage:
        """The packed picture.

        Args:
            img: Photo, gray, YCbCr or equally sampled RGB; what is pending is carried out too (a crop, turning it
                upright), and must not resize it.

        Returns:
            An image of int16 planes: evaluation's centre crop, and as many whole blocks on all sides as the resized
            photo has. So its short side is short_side_px, and its long side the resized photo's but for at most 15 px.
            Gray photos stay gray. Its EXIF orientation is the photo's, or 1 if that was pending.

        Raises:
            JpegError: If the file turns out to be damaged.
            ValueError: If a resize is pending, the planes have other colours, or a coefficient is larger than those of
                8-bit pixels.
        """
        placed = img.with_plan(aligned(img.plan, self.short_side_px, self.crop_px))
        if img.color_space == "gray" or self._chroma is None:
            planes = self._luma.planes(self._luma.of(placed), [0])
        elif self.sampling == "4:4:4":
            planes = self._all.planes(self._all.of(placed), [0, 1, 2])
        else:
            values = self._full_size.of(placed)
            halved = self._chroma.of(_halved(values[..., -2 * _PLACES :]))
            planes = (*self._luma.planes(values, [0]), *self._chroma.planes(halved, [1, 2]))
        height, width = placed.plan.output_size
        orientation = 1 if img.plan.oriented else img.orientation
        sampling: Sampling = ((1, 1),) if len(planes) == 1 else PACKED_FACTORS[self.sampling]
        layout = Layout((height, width), sampling, "gray" if len(planes) == 1 else "YCbCr", orientation)
        decoded = Decoded(planes, self.quant_tables[: len(planes)], complete=True, warnings=())
        return DCTImage(Coefficients(layout, "planes", decoded=decoded, path=img.path))


def aligned(plan: Plan, short_side_px: int, crop_px: int) -> Plan:
    """A plan with evaluation's resize, and its centre crop extended by whole blocks, on all sides equally.

    Raises:
        ValueError: If a resize is pending already.
    """
    plan = plan.resize(*resized_size(plan.output_size, [short_side_px], None))
    begins, sides = [], []
    for side in plan.output_size:
        before = centred(crop_px, side)
        margin = min(before, side - before - crop_px, (LONGEST_PX - crop_px) // 2) // BLOCK * BLOCK
        begins.append(before - margin)
        sides.append(crop_px + 2 * margin)
    return plan.crop(top=begins[0], left=begins[1], height=sides[0], width=sides[1])


def check_sizes(short_side_px: int, crop_px: int, sampling: str = "4:4:4") -> None:
    """Raise if photos cannot be packed at these sizes.

    Args:
        short_side_px: What the short side is resized to.
        crop_px: Side of the centre crop of that: a multiple of 8, of 16 for 4:2:0. For it to begin on a block, the
            two must differ by a multiple of 16.
        sampling: Of the packed files.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is out of range, or the two do not fit each other.
    """
    if sampling not in get_args(PackedSampling):
        raise ValueError(f"expected sampling as one of {', '.join(get_args(PackedSampling))}, got {sampling!r}")
    unit = BLOCK if sampling == "4:4:4" else 2 * BLOCK
    if integer(crop_px, "crop_px") < unit or crop_px % unit:
        raise ValueError(f"expected crop_px to be a positive multiple of {unit} for {sampling}, got {crop_px}")
    if integer(short_side_px, "short_side_px") > LONGEST_PX:
        raise ValueError(f"expected short_side_px of at most {LONGEST_PX}, which readers take, got {short_side_px}")
    if short_side_px < crop_px or (short_side_px - crop_px) % (2 * BLOCK):
        near = crop_px + max(0, round((short_side_px - crop_px) / (2 * BLOCK))) * 2 * BLOCK
        raise ValueError(
            f"expected short_side_px = crop_px + a multiple of 16, so that the centre crop begins on a block, got "
            f"{short_side_px} with crop_px {crop_px}; use {near}"
        )


def file_channels(channels: ChannelSet, sampling: PackedSampling) -> ChannelSet:
    """The file's channels that carry a model's: the same ones for 4:4:4.

    A chroma block of 4:2:0 covers four of the model's. Its frequencies (2v, 2u) to (2v+1, 2u+1) have the wavelengths of
    the model's (v, u), and those of v or u above 3 are not in such files at all.
    """
    if sampling == "4:4:4":
        return channels
    carried: list[int] = []
    for index in channels:
        component, v, u = split_index(index)
        if component == 0:
            carried.append(index)
        elif v < BLOCK // 2 and u < BLOCK // 2:
            corner = _PLACES * component + 2 * BLOCK * v + 2 * u
            carried += [corner, corner + 1, corner + BLOCK, corner + BLOCK + 1]
    if not carried:
        raise ValueError(f"expected a channel that 4:2:0 files have, with v and u below 4, got {label(channels[0])}")
    return ChannelSet.of(carried)


def _halved(chroma: NDArray[np.float32]) -> DCTImage:
    """Cb and Cr of (rows, cols, 128), to be shown at half their size; Y is of no account."""
    rows, cols = chroma.shape[:2]
    cb, cr = (chroma[..., first : first + _PLACES].reshape(rows, cols, BLOCK, BLOCK) for first in (0, _PLACES))
    img = DCTImage.from_planes([cb, cb, cr], size_px=(BLOCK * rows, BLOCK * cols))
    return img.with_plan(img.plan.resize(BLOCK * rows // 2, BLOCK * cols // 2))


class _Values:
    """Some channels of a plan's picture, divided by quantisation steps."""

    def __init__(self, channels: Sequence[int], steps: NDArray[Any]) -> None:
        """Take channels 64*component + 8*v + u, ascending, and (192,) steps, one for each that there is."""
        self.channels = np.array(channels, np.intp)
        self._target = native_operator.target(
            list(channels), [0.0] * len(channels), [float(steps[index]) for index in channels]
        )

    def of(self, img: DCTImage) -> NDArray[np.float32]:
        """(rows, cols, C) of the image, whose plan is carried out."""
        if not len(self._target):
            return np.empty((*img.plan.output_blocks, 0), np.float32)
        out = native_operator.execute_image(img, self._target, memory_format=torch.channels_last)
        values: NDArray[np.float32] = out.permute(1, 2, 0).numpy()
        return values

    def planes(self, values: NDArray[np.float32], components: Sequence[int]) -> tuple[NDArray[np.int16], ...]:
        """(rows, cols, 8, 8) int16 of some components: the nearest whole numbers; other channels are zero."""
        return tuple(self._plane(values, component) for component in components)

    def _plane(self, values: NDArray[np.float32], component: int) -> NDArray[np.int16]:
        of_component = np.flatnonzero(self.channels // _PLACES == component)
        shape = (*values.shape[:2], BLOCK, BLOCK)
        if not of_component.size:
            return frozen(np.zeros(shape, np.int16))
        rounded = np.rint(values[..., of_component[0] : of_component[-1] + 1])
        least, most = float(rounded.min()), float(rounded.max())
        if not -_LIMIT <= least <= most <= _LIMIT:
            raise ValueError(
                f"expected quantised coefficients of -{_LIMIT} to {_LIMIT}, which 8-bit pictures have, got "
                f"{least:.0f} to {most:.0f}: choose a lower quality, or leave the photo out"
            )
        if of_component.size == _PLACES:
            return frozen(rounded.astype(np.int16).reshape(shape))
        plane = np.zeros((*values.shape[:2], _PLACES), np.int16)
        plane[..., self.channels[of_component] % _PLACES] = rounded
        return frozen(plane.reshape(shape))

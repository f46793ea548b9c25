"""Coefficients with only some channels left."""

from collections.abc import Iterable

import numpy as np

from freqlearn.channels import ChannelSet
from freqlearn.coefficients import Coefficients
from freqlearn.decoders import frozen


def kept(coefficients: Coefficients, channels: Iterable[int]) -> Coefficients:
    """The same picture with every coefficient zero whose channel is not named; see `DCTImage.keep`.

    Raises:
        JpegError: If the file turns out to be damaged.
        TypeError: If a channel is not an integer.
        ValueError: If the planes are neither gray nor Y, Cb and Cr, or the channels are not a valid set.
    """
    chosen = channels if isinstance(channels, ChannelSet) else ChannelSet.of(channels)
    layout = coefficients.layout
    if layout.color_space not in ("gray", "YCbCr"):
        where = f"{coefficients.path}: " if coefficients.path else ""
        raise ValueError(
            f"{where}expected gray or YCbCr planes, whose channels these are, got {layout.color_space}: read the file "
            "with decoder='pixels', or encode its pixels with DCTImage.from_rgb"
        )
    decoded = coefficients.decoded()
    masks = chosen.mask().reshape(3, 8, 8)
    planes = (
        frozen(np.where(mask, plane, plane.dtype.type(0))) for plane, mask in zip(decoded.planes, masks, strict=False)
    )
    return Coefficients(
        layout,
        "planes",
        decoded=decoded._replace(planes=tuple(planes)),
        path=coefficients.path,
        original=coefficients.original,
    )

"""From frequency channels back to a picture that people can look at."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from freqlearn.channels import ChannelSet
from freqlearn.dct import BLOCK, inverse
from freqlearn.image import DCTImage
from freqlearn.indexing import checked_indices
from freqlearn.native_operator import execute_image, target
from freqlearn.rendering import to_uint8_rgb


def planned_rgb(image: DCTImage) -> NDArray[np.uint8]:
    """The picture after an image's plan, from all 192 channels of the operator's result.

    Returns:
        (height, width, 3) uint8.
    """
    height, width = image.plan.output_size
    everything = ChannelSet.all()
    unstandardised = target(everything.indices, (0.0,) * len(everything), (1.0,) * len(everything))
    maps = execute_image(image.with_plan(image.plan.to_whole_blocks()), unstandardised)
    return reconstruct(maps, everything)[:height, :width]


def reconstruct(maps: torch.Tensor | NDArray[np.floating], channels: Iterable[int]) -> NDArray[np.uint8]:
    """The picture that some channels hold; missing channels count as zero.

    Args:
        maps: (C, h, w), dequantised (not standardised).
        channels: the C channels that they are: a ChannelSet or indices 64*component + 8*v + u.

    Returns:
        (8*h, 8*w, 3) uint8, RGB.

    Raises:
        ValueError: if the numbers of maps and channels differ.
    """
    y, cb, cr = np.moveaxis(to_ycbcr(maps, channels), -1, 0) + np.float32(128)
    clamped = tuple(np.clip(plane, 0, 255) for plane in (y, cb, cr))  # as a JPEG decoder does, before the colours
    return to_uint8_rgb(clamped, "YCbCr")


def to_ycbcr(maps: torch.Tensor | NDArray[np.floating], channels: Iterable[int]) -> NDArray[np.float32]:
    """The pixels that some channels hold, not rounded and not clamped; missing channels count as zero.

    Args:
        maps: (C, h, w), dequantised.
        channels: the C channels that they are.

    Returns:
        (8*h, 8*w, 3) float32: Y - 128, Cb, Cr (both around zero).

    Raises:
        ValueError: if the numbers of maps and channels differ.
    """
    values = np.asarray(maps.detach().cpu().float() if isinstance(maps, torch.Tensor) else maps, np.float32)
    indices = checked_indices(channels)
    if values.ndim != 3 or len(values) != len(indices):
        raise ValueError(f"expected maps of shape ({len(indices)}, h, w), one a channel, got shape {values.shape}")
    _, height, width = values.shape
    full = np.zeros((3 * BLOCK * BLOCK, height, width), np.float32)
    full[list(indices)] = values
    planes = full.reshape(3, BLOCK, BLOCK, height, width).transpose(0, 3, 4, 1, 2)  # (3, h, w, 8, 8)
    return np.stack([inverse(plane) for plane in planes], axis=-1)

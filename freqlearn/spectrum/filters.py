"""Pictures with a part of their frequencies: low-pass, high-pass, band-pass, and a picture split into bands."""

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import torch

from freqlearn.spectrum.band import FrequencyBand, Mask, bands_between
from freqlearn.spectrum.checks import check_pictures
from freqlearn.spectrum.fourier import radial_frequencies

Border = Literal["reflect", "periodic"]
"""How a picture goes on beyond its border.

"reflect" mirrors it (the border pixel twice), which is filtering in the DCT-II of the whole picture: no jump at the
border, and nothing of the left border shows at the right one. "periodic" repeats it, which is filtering in its FFT.
"""


class PictureSpectrum:
    """A transformed picture or stack of pictures, of which parts can be taken.

    Transforms once for however many bands are wanted.
    """

    def __init__(self, pictures: torch.Tensor, *, border: Border = "reflect") -> None:
        """Transform pictures.

        Args:
            pictures: (..., H, W) float32 or float64.
            border: How they go on beyond their border.

        Raises:
            TypeError: If the dtype is another.
            ValueError: If there is no pixel, or the border is unknown.
        """
        check_pictures(pictures)
        if border not in get_args(Border):
            raise ValueError(f"expected border to be one of {', '.join(get_args(Border))}, got {border!r}")
        self.size_px = (pictures.shape[-2], pictures.shape[-1])
        if border == "reflect":
            for axis in (-2, -1):
                pictures = torch.cat([pictures, pictures.flip(axis)], dim=axis)
        self._extended_px = (pictures.shape[-2], pictures.shape[-1])
        self._spectrum = torch.fft.rfft2(pictures)
        self._frequency = radial_frequencies(*self._extended_px, half=True)

    def part(self, band: FrequencyBand) -> torch.Tensor:
        """The picture's part in a band: (..., H, W)."""
        return self._with(band.gain(self._frequency))

    def without(self, band: FrequencyBand, *, keep_mean: bool = False) -> torch.Tensor:
        """The picture without a band.

        Args:
            band: What to take out.
            keep_mean: Leave the picture's mean as it is even if the band holds it.

        Returns:
            (..., H, W).
        """
        gain = 1 - band.gain(self._frequency)
        if keep_mean:
            gain[0, 0] = 1
        return self._with(gain)

    def _with(self, gain: torch.Tensor) -> torch.Tensor:
        height, width = self.size_px
        filtered: torch.Tensor = torch.fft.irfft2(self._spectrum * gain.to(self._spectrum.real), s=self._extended_px)
        return filtered[..., :height, :width].contiguous()


def low_pass(
    pictures: torch.Tensor, cutoff: float, *, mask: Mask = "sharp", order: int = 4, border: Border = "reflect"
) -> torch.Tensor:
    """Only what is below a frequency: a blurred picture.

    Args:
        pictures: (..., H, W) float32 or float64.
        cutoff: In cycles per pixel; the grid's highest is 1/2 on an axis, sqrt(1/2) on the diagonal.
        mask: How the gain falls at the cutoff; sharp masks ring at edges.
        order: Of a Butterworth mask.
        border: How the picture goes on beyond its border.

    Returns:
        Same shape and dtype.
    """
    return band_pass(pictures, 0.0, cutoff, mask=mask, order=order, border=border)


def high_pass(
    pictures: torch.Tensor, cutoff: float, *, mask: Mask = "sharp", order: int = 4, border: Border = "reflect"
) -> torch.Tensor:
    """Only what is at a frequency or above: edges and texture, around zero; arguments as of `low_pass`.

    `low_pass` and `high_pass` with the same arguments sum to the picture.
    """
    return band_pass(pictures, cutoff, float("inf"), mask=mask, order=order, border=border)


def band_pass(
    pictures: torch.Tensor,
    low: float,
    high: float,
    *,
    mask: Mask = "sharp",
    order: int = 4,
    border: Border = "reflect",
) -> torch.Tensor:
    """Only what is from one frequency up to another.

    Args:
        pictures: (..., H, W) float32 or float64.
        low: In cycles per pixel; 0 for a low-pass.
        high: In cycles per pixel; infinity for a high-pass.
        mask: How the gain falls at both.
        order: Of a Butterworth mask.
        border: How the picture goes on beyond its border.

    Returns:
        Same shape and dtype.
    """
    band = FrequencyBand(low=low, high=high, mask=mask, order=order)
    return PictureSpectrum(pictures, border=border).part(band)


def split_bands(
    pictures: torch.Tensor,
    edges: Sequence[float],
    *,
    mask: Mask = "sharp",
    order: int = 4,
    border: Border = "reflect",
) -> torch.Tensor:
    """A picture as the sum of its bands.

    Args:
        pictures: (..., H, W) float32 or float64.
        edges: B - 1 rising frequencies in cycles per pixel, where one band ends and the next begins.
        mask: How the gain falls at the edges.
        order: Of a Butterworth mask.
        border: How the picture goes on beyond its border.

    Returns:
        (B, ..., H, W), lowest band first; the sum over B is the picture, but for rounding.
    """
    spectrum = PictureSpectrum(pictures, border=border)
    parts: Iterable[torch.Tensor] = map(spectrum.part, bands_between(edges, mask=mask, order=order))
    return torch.stack(list(parts))

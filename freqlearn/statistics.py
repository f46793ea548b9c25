"""Mean and standard deviation of every channel over any number of images, in one pass."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import torch

from freqlearn.channels import ChannelSet
from freqlearn.documents import Format
from freqlearn.indexing import label
from freqlearn.spec import InputSpec

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Deviation = Literal["coefficients", "image-means"]
Constant = Literal["refuse", "keep"]

# In dequantised units: a channel that deviates by less holds nothing but the rounding of float32 geometry, which is
# exact to about 1e-5 of the picture's contrast; the weakest channels of real photos deviate by more than 1e-2.
_LEAST_STD = 1e-4

_FORMAT = Format(
    "freqlearn.channel_statistics", 1, "channel statistics", ("coefficients", "image_means"), "measure them anew"
)


class Moments:
    """Count, mean and sum of squared deviations of C streams of numbers, mergeable.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979): the
    deviations are always taken from a mean, never as a difference of two large sums, so nothing cancels.

    Args:
        num_channels: C, the number of streams.
    """

    def __init__(self, num_channels: int) -> None:
        self.count = 0
        self.mean: Vector = np.zeros(num_channels)
        self.squares: Vector = np.zeros(num_channels)

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Return the moments of an array's rows.

        Args:
            values: (C, n) float64, n at least 1.
        """
        moments = cls(len(values))
        moments.count = values.shape[1]
        mean = values.mean(axis=1)
        deviations = values - mean[:, None]
        # The mean is rounded, so the deviations do not sum to exactly zero; their mean is the correction (and what the
        # squares contain too much is taken out).
        correction = deviations.mean(axis=1)
        moments.mean = mean + correction
        squares = np.einsum("cn,cn->c", deviations, deviations)
        moments.squares = squares - moments.count * np.square(correction)
        return moments

    def merge(self, other: "Moments") -> None:
        """Add another's numbers to this one's."""
        if other.count == 0:
            return
        count = self.count + other.count
        difference = other.mean - self.mean
        self.mean = self.mean + difference * (other.count / count)
        self.squares = self.squares + other.squares + np.square(difference) * (self.count * other.count / count)
        self.count = count

    @property
    def variance(self) -> Vector:
        """(C,) float64, the population variance."""
        # Rounding may leave a tiny negative number for a constant stream.
        return np.maximum(self.squares, 0.0) / self.count


class ChannelStatistics:
    """Mean and standard deviation of every channel, over all coefficients of any number of images.

    The sums are kept in float64 as means and squared deviations (see ``Moments``), so the result agrees with one
    computed from all coefficients at once to about 12 digits, for any number of images. Merging in the same order gives
    the same bits, whatever thread measured which image.

    Args:
        num_channels: C.

    Raises:
        ValueError: If C is not positive.
    """

    def __init__(self, num_channels: int) -> None:
        if num_channels < 1:
            raise ValueError(f"expected at least one channel, got {num_channels}")
        self.num_channels = num_channels
        self._coefficients = Moments(num_channels)
        self._image_means = Moments(num_channels)

    @classmethod
    def of_image(cls, channels: torch.Tensor | np.ndarray) -> Self:
        """Return the statistics of one image.

        Args:
            channels: (C, h, w) of any real dtype, dequantised.

        Raises:
            ValueError: If the shape is another, a dimension is 0, or a number is not finite.
        """
        values = _as_float64(channels)
        if values.ndim != 3 or values.size == 0:
            raise ValueError(f"expected one image's channels as (C, h, w), got shape {values.shape}")
        statistics = cls(len(values))
        statistics._coefficients = Moments.of(values.reshape(len(values), -1))
        finite = np.isfinite(statistics._coefficients.squares)  # a number that is not finite makes the sums so
        if not finite.all():
            raise ValueError(
                f"expected finite coefficients, got others at position {int(np.argmin(finite))} of (C, h, w)"
            )
        statistics._image_means = Moments.of(statistics._coefficients.mean[:, None])
        return statistics

    def update(self, channels: torch.Tensor | np.ndarray) -> None:
        """Add one image.

        Args:
            channels: (C, h, w) of any real dtype, dequantised; h and w may differ from image to image.

        Raises:
            ValueError: If the shape is another, a dimension is 0, or a number is not finite.
        """
        self.merge(type(self).of_image(channels))

    def merge(self, other: "ChannelStatistics") -> None:
        """Add another's images to this one's.

        Args:
            other: Statistics of the same channels over other images.

        Raises:
            ValueError: If the other has another number of channels.
        """
        if other.num_channels != self.num_channels:
            raise ValueError(f"expected statistics of {self.num_channels} channels, got {other.num_channels}")
        self._coefficients.merge(other._coefficients)
        self._image_means.merge(other._image_means)

    def merged(self, other: "ChannelStatistics") -> "ChannelStatistics":
        """Return new statistics of this one's images and the other's; ``merge`` without changing anything."""
        result = ChannelStatistics(self.num_channels)
        result.merge(self)  # into an empty one this is exact
        result.merge(other)
        return result

    @property
    def images(self) -> int:
        """Number of images."""
        return self._image_means.count

    @property
    def coefficients(self) -> int:
        """Number of coefficients of each channel, over all images."""
        return self._coefficients.count

    @property
    def mean(self) -> Vector:
        """(C,) float64, the mean of every channel's coefficients, dequantised units."""
        return self._measured(self._coefficients).mean.copy()

    @property
    def variance(self) -> Vector:
        """(C,) float64, the population variance of every channel's coefficients."""
        return self._measured(self._coefficients).variance

    @property
    def std(self) -> Vector:
        """(C,) float64, the population standard deviation of every channel's coefficients: what to standardise with."""
        return np.sqrt(self.variance)

    @property
    def std_of_image_means(self) -> Vector:
        """(C,) float64, the population standard deviation of each image's mean, which DCTNet published as its std.

        It is smaller than ``std``, by a factor of about 2 for Y(0,0) and of tens for the other channels. It exists for
        comparison and for reproducing DCTNet's numbers.
        """
        return np.sqrt(self._measured(self._image_means).variance)

    def to_spec(
        self,
        channels: ChannelSet,
        size_px: int,
        resize_px: int | None = None,
        *,
        std: Deviation = "coefficients",
        constant: Constant = "refuse",
        source: str = "",
    ) -> InputSpec:
        """Return the InputSpec that standardises with these statistics.

        Args:
            channels: What the C channels are.
            size_px: Size of the picture that they were measured at, in pixels.
            resize_px: Short side before the centre crop; None if there was no resize.
            std: Which standard deviation; "image-means" is DCTNet's published kind.
            constant: What to do with a channel that never varies, as Cb and Cr of gray images: "refuse" it, or "keep"
                its scale, with a std of 1.
            source: Where the numbers come from, for people.

        Raises:
            ValueError: If the number of channels differs, or a channel never varies and is not to be kept.
        """
        if len(channels) != self.num_channels:
            raise ValueError(f"expected {self.num_channels} channels, got {channels}")
        deviation = self.std if std == "coefficients" else self.std_of_image_means
        varies = (self.std >= _LEAST_STD) & (deviation > 0)
        flat = [index for index, varying in zip(channels, varies, strict=True) if not varying]
        if flat and constant == "refuse":
            some = ", ".join(label(i) for i in flat[:4]) + (", ..." if len(flat) > 4 else "")
            raise ValueError(
                f"expected channels that vary, but {len(flat)} of {len(channels)} do not over "
                f"{self.images} images ({some}); choose channels without them (gray images have no Cb and Cr: "
                "choose channels 0-63) or measure more images"
            )
        mean, scale = tuple(self.mean.tolist()), tuple(np.where(varies, deviation, 1.0).tolist())
        return InputSpec("dct", channels, mean, scale, size_px, resize_px, source=source)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole state as JSON types, exactly, with a format and version field."""
        moments = {"coefficients": self._coefficients, "image_means": self._image_means}
        state = {
            name: {"count": m.count, "mean": m.mean.tolist(), "squares": m.squares.tolist()}
            for name, m in moments.items()
        }
        return _FORMAT.document(**state)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the statistics that ``to_dict`` described.

        Args:
            data: Exactly what ``to_dict`` returned.

        Raises:
            ValueError: If the data are something else or of another version.
        """
        fields = _FORMAT.checked(data)
        statistics = cls(len(fields["coefficients"]["mean"]))
        for name, moments in (("coefficients", statistics._coefficients), ("image_means", statistics._image_means)):
            moments.count = int(fields[name]["count"])
            moments.mean = np.array(fields[name]["mean"], dtype=np.float64)
            moments.squares = np.array(fields[name]["squares"], dtype=np.float64)
        return statistics

    def __repr__(self) -> str:
        return (
            f"ChannelStatistics({self.num_channels} channels, {self.images} images, {self.coefficients} coefficients)"
        )

    def _measured(self, moments: Moments) -> Moments:
        if moments.count == 0:
            raise ValueError("expected at least one image, got none: call update() first")
        return moments


def _as_float64(channels: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(channels, torch.Tensor):
        channels = channels.detach().cpu()
        # NumPy knows no bfloat16. The rest it converts itself: torch would start threads in each of the callers'.
        channels = (channels.float() if channels.dtype == torch.bfloat16 else channels).numpy()
    return np.asarray(channels, dtype=np.float64)

"""The last step: carry out the plan, standardise."""

from typing import Any

import torch

from freqlearn import native_operator
from freqlearn.channels import ChannelSet
from freqlearn.image import DCTImage
from freqlearn.spec import InputSpec
from freqlearn.transforms.base import Transform


class ToFrequencyTensor(Transform):
    """Carry out the image's plan, once and straight from the file, and give the wanted channels as a tensor.

    Native: only what the plan needs of the file is decoded, only the wanted channels are computed.

    Args:
        spec: the channels with their mean and std; or a ChannelSet for the channels as they are, dequantised.
        dtype: of the tensor, floating point; everything is computed in float32.
        memory_format: torch.contiguous_format, or torch.channels_last for channels next to each other in memory.
        tolerance: an AC coefficient (v, u) is taken as zero in all blocks if one step of its quantisation in every
            block changes no value of the result by as much as this, in dequantised units. 0, the default, is exact.
            Pictures that are made much smaller have many such coefficients: docs/performance.md has errors and times.

    Raises:
        TypeError: if `spec` is neither, `dtype` is no torch.dtype or `tolerance` no number.
        ValueError: if the spec is of kind "rgb", or an option is out of range.

    Shape:
        The result is (C, H/8, W/8) for a picture of H x W px, both multiples of 8.
    """

    def __init__(
        self,
        spec: InputSpec | ChannelSet,
        *,
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
        tolerance: float = 0.0,
    ) -> None:
        super().__init__()
        native_operator.check_layout(dtype, memory_format)
        native_operator.check_tolerance(tolerance)
        self.dtype = dtype
        self.memory_format = memory_format
        self.tolerance = tolerance
        self.standardised = isinstance(spec, InputSpec)
        if isinstance(spec, InputSpec):
            if spec.kind != "dct" or spec.channels is None:
                raise ValueError(
                    f"expected an InputSpec of frequency channels (kind 'dct'), got kind {spec.kind!r}; "
                    "freqlearn.presets makes the pipeline of either kind"
                )
            self.channels = spec.channels
            mean, std = spec.mean, spec.std
        elif isinstance(spec, ChannelSet):
            self.channels = spec
            mean, std = (0.0,) * len(spec), (1.0,) * len(spec)
        else:
            raise TypeError(f"expected an InputSpec or a ChannelSet, got {type(spec).__name__}")
        self.target = native_operator.target(self.channels.indices, mean, std, tolerance=tolerance)

    def transform(self, img: DCTImage, params: dict[str, Any]) -> torch.Tensor:
        """(C, H/8, W/8) of `dtype`."""
        return native_operator.execute_image(img, self.target, dtype=self.dtype, memory_format=self.memory_format)

    def extra_repr(self) -> str:
        """Channels, whether standardised, and the options."""
        return (
            f"channels={self.channels.name or len(self.channels)}, standardised={self.standardised}, "
            f"dtype={self.dtype}, memory_format={self.memory_format}, tolerance={self.tolerance}"
        )

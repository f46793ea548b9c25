"""The last step: carry out the plan, standardise."""

from typing import Any

import numpy as np
import torch

from freqlearn.channels import ChannelSet
from freqlearn.image import DCTImage
from freqlearn.operator import execute
from freqlearn.spec import InputSpec
from freqlearn.transforms.base import Transform


class ToFrequencyTensor(Transform):
    """Carry out the image's plan, once and from the coefficients, and give the wanted channels as a tensor.

    Args:
        spec: the channels with their mean and std; or a ChannelSet for the channels as they are, dequantised.
        dtype: of the tensor; everything is computed in float32.
        memory_format: torch.contiguous_format, or torch.channels_last for a tensor whose channels lie side by side in
            memory (as a batch in channels_last has them).

    Shape:
        The result is (C, H/8, W/8) for a picture of H x W px, both multiples of 8.
    """

    def __init__(
        self,
        spec: InputSpec | ChannelSet,
        *,
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        super().__init__()
        if not dtype.is_floating_point:
            raise ValueError(f"expected a floating point dtype, got {dtype}")
        if memory_format not in (torch.contiguous_format, torch.channels_last):
            raise ValueError(f"expected torch.contiguous_format or torch.channels_last, got {memory_format}")
        self.dtype = dtype
        self.memory_format = memory_format
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
        # (C, 1, 1). No buffers: whatever module this is put into, pictures are transformed on the CPU.
        self.mean = np.array(mean, np.float32).reshape(-1, 1, 1)
        self.std = np.array(std, np.float32).reshape(-1, 1, 1)

    def transform(self, img: DCTImage, params: dict[str, Any]) -> torch.Tensor:
        """(C, H/8, W/8) of `dtype`."""
        maps = execute(img, self.channels)
        if self.standardised:
            # On the same memory, by NumPy: torch would start threads for so little (see freqlearn.bands).
            values = maps.numpy()
            values -= self.mean
            values /= self.std
        return maps.to(self.dtype).unsqueeze(0).contiguous(memory_format=self.memory_format).squeeze(0)

    def extra_repr(self) -> str:
        """Channels, whether standardised, dtype."""
        return (
            f"channels={self.channels.name or len(self.channels)}, standardised={self.standardised}, dtype={self.dtype}"
        )

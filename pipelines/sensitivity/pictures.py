"""The picture that a network sees, before it becomes the network's input: where frequencies are taken out.

Both kinds of model are given a square picture by their own evaluation geometry. RGB models take its pixels; DCT models
take channels of its 8x8 DCT. So a band is taken out of the picture itself, and what is left becomes the input as it
always does: an RGB and a DCT model see the same change.
"""

import torch

from freqlearn.channels import ChannelSet
from freqlearn.color import RGB_TO_YCBCR
from freqlearn.indexing import CHANNELS_PER_COMPONENT, COMPONENTS, NUM_CHANNELS
from freqlearn.pipelines.data import Transform
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.spec import InputSpec
from freqlearn.spectrum import block_dct, inverse_block_dct


class PictureInput:
    """From files to pictures, and from pictures to a model's input.

    With the picture unchanged the two together give what `eval_transform(spec)` gives, but for rounding in float32.
    """

    def __init__(self, spec: InputSpec) -> None:
        """Make both steps for what a model assumes of its input."""
        self.spec = spec
        mean, std = (torch.tensor(values).reshape(-1, 1, 1) for values in (spec.mean, spec.std))
        self._mean, self._std = mean, std
        self._channels = None if spec.channels is None else torch.tensor(list(spec.channels.indices))

    def transform(self) -> Transform:
        """Encoded file -> what a loader stacks: the standardised RGB picture, or all 192 channels, dequantised."""
        if self._channels is None:
            return eval_transform(self.spec)
        return eval_transform(InputSpec.unstandardised(ChannelSet.all(), self.spec.size_px, self.spec.resize_px))

    def pictures(self, loaded: torch.Tensor) -> torch.Tensor:
        """(N, 3, size_px, size_px) float32: RGB, standardised; or Y - 128, Cb, Cr, neither rounded nor clamped.

        Standardising shifts and scales whole planes, so that it makes no difference to a filter that keeps the mean.
        """
        if self._channels is None:
            return loaded
        return inverse_block_dct(torch.unflatten(loaded, 1, (len(COMPONENTS), CHANNELS_PER_COMPONENT)))

    def luma(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, size_px, size_px): Y of `pictures`, up to a constant, in levels."""
        if self._channels is not None:
            return pictures[:, 0]
        weights = torch.tensor(RGB_TO_YCBCR[0], dtype=torch.float32)[:, None, None] * self._std * 255
        return (pictures * weights.to(pictures.device)).sum(dim=1)

    def model_input(self, pictures: torch.Tensor) -> torch.Tensor:
        """What the model is given for such pictures: (N, C, h, w) float32."""
        if self._channels is None:
            return pictures
        channels = block_dct(pictures).flatten(1, 2)  # (N, 192, h, w)
        if len(self._channels) < NUM_CHANNELS or not torch.equal(self._channels, torch.arange(NUM_CHANNELS)):
            channels = channels[:, self._channels.to(pictures.device)]
        return (channels - self._mean.to(pictures.device)) / self._std.to(pictures.device)

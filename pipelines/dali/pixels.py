"""From DALI's pixels to a model's input, in one operation on whichever device they are."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn

from freqlearn.color import LEVEL_SHIFT, RGB_TO_YCBCR
from freqlearn.dct import BLOCK, dct_matrix
from freqlearn.spec import InputSpec


class PixelsToInput(nn.Module):
    """Batches of RGB pictures to what a spec describes: one convolution with a stride of its own size.

    For "dct" that is JPEG's full-range matrix to Y, Cb, Cr (BT.601; DALI's own is the limited range 16..235), minus
    128, the 8x8 DCT, the spec's channels of it, minus the mean, divided by the standard deviation. All of these are
    affine, so one (C, 3, 8, 8) weight and a bias hold them, worked out in float64. For "rgb" the weight is
    (3, 3, 1, 1).
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, spec: InputSpec) -> None:
        """Work out weight and bias for a spec."""
        super().__init__()
        self.spec = spec
        weight, bias = _rgb(spec) if spec.channels is None else _dct(spec)
        # DALI's pictures have their colours innermost; so has the weight, and nothing is transposed.
        laid_out = torch.from_numpy(weight).float().contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", laid_out, persistent=False)
        self.register_buffer("bias", torch.from_numpy(bias).float(), persistent=False)

    @torch.no_grad()
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Convert a batch.

        Args:
            pixels: (N, H, W, 3) float32, R, G, B in 0..255, not rounded.

        Returns:
            (N, C, H/8, W/8) float32, standardised; (N, 3, H, W) for "rgb".

        Raises:
            ValueError: If the pictures are not of the spec's size.
        """
        size = self.spec.size_px
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (size, size, 3):
            raise ValueError(
                f"expected pictures of exactly {size}x{size} px where nothing is cropped, got "
                f"{'x'.join(str(side) for side in pixels.shape[1:3])} (height x width); a random resized crop takes "
                'any size: augment="standard"'
            )
        with _full_precision(pixels.device):
            return nn.functional.conv2d(
                pixels.permute(0, 3, 1, 2), self.weight, self.bias, stride=self.weight.shape[2]
            ).contiguous()

    def extra_repr(self) -> str:
        """The spec."""
        return str(self.spec)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Run a block with neither autocast nor TF32, whose 10 bits are too few for a DC of 2040."""
    with ExitStack() as stack:
        stack.enter_context(torch.autocast(device.type, enabled=False))
        if device.type == "cuda":
            cudnn = torch.backends.cudnn
            kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
            stack.enter_context(cudnn.flags(**kept, allow_tf32=False))
        yield


def _dct(spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """Weight (C, 3, 8, 8) and bias (C,), float64."""
    component, place = np.divmod(np.array(spec.channels), BLOCK * BLOCK)
    vertical, horizontal = np.divmod(place, BLOCK)
    dct, mean, std = dct_matrix(), np.array(spec.mean), np.array(spec.std)
    weight = np.einsum("cr,cy,cx->cryx", RGB_TO_YCBCR[component], dct[vertical], dct[horizontal])
    # A block's DC is 8 times its mean.
    shift = np.where(place == 0, BLOCK * LEVEL_SHIFT[component], 0.0)
    return weight / std[:, None, None, None], -(shift + mean) / std


def _rgb(spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """Weight (3, 3, 1, 1) and bias (3,), float64; a spec's mean and std are of pixels in 0..1."""
    mean, std = np.array(spec.mean), np.array(spec.std)
    return np.diag(1 / (255 * std))[:, :, None, None], -mean / std

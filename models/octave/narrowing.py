"""Octave ResNets that take only some of their frequency channels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from freqlearn.channels import ChannelSet
from freqlearn.models.octave.blocks import OctBasicBlock, OctBottleneck
from freqlearn.models.octave.conv import OctConv2d, geometry
from freqlearn.models.octave.frequency_split import FrequencySplit
from freqlearn.models.resnet import FrequencyResNet


def narrow_octave(network: FrequencyResNet, channels: ChannelSet, kept: ChannelSet) -> None:
    """Let an octave network take some of its channels only, as if the others were zeros.

    Args:
        network: Its first block is one of `freqlearn.models.octave`; changed in place, but for ``spec`` and
            ``in_channels``.
        channels: What it takes now.
        kept: The channels to keep, in the order of the new input.

    Raises:
        TypeError: If the network has no octave convolutions.
        ValueError: If only low channels are kept, and the maps are of odd size: their own size would be lost.
    """
    block = network.layer1[0]
    if not isinstance(block, OctBasicBlock | OctBottleneck):
        raise TypeError(f"expected a residual block of pairs, got {type(block).__name__}")
    positions = torch.tensor(channels.positions(kept))
    alpha_in = 0.0
    if isinstance(network.split, FrequencySplit):
        old = network.split
        low_before = {channels[int(position)] for position in old.low}
        new = FrequencySplit(kept, [channel for channel in kept if channel in low_before]).to(old.low.device)
        if len(new.high) == 0 and len(old.high) > 0 and network.spec is not None and network.spec.map_size % 2:
            raise ValueError(
                f"expected at least one channel of the high branch among those to keep, for the maps are of odd size, "
                f"{network.spec.map_size}x{network.spec.map_size}; got {', '.join(kept.labels())}"
            )
        place = torch.empty_like(old.order)  # of each old channel behind the old split
        place[old.order] = torch.arange(len(place), device=place.device)
        positions = place.cpu()[positions[new.order.cpu()]]
        network.split, alpha_in = new, new.alpha
    before = block.conv1
    block.conv1 = _narrowed(before, positions, alpha_in)
    if block.downsample is None or not isinstance(block.downsample, nn.Sequential):
        # ResNet-18 and -34 with 64 channels: the input itself is added, high and low.
        identity = torch.eye(before.in_channels, device=before.weight.device, dtype=before.weight.dtype)
        shortcut = OctConv2d(
            before.in_channels, before.in_channels, 1, bias=False, alpha_in=before.alpha_in, alpha_out=before.alpha_out
        )
        shortcut.weight = nn.Parameter(identity[..., None, None], requires_grad=False)
        block.downsample = _narrowed(shortcut, positions, alpha_in)
    else:
        convolution = block.downsample[0]
        if not isinstance(convolution, OctConv2d):
            raise TypeError(f"expected an octave convolution in the shortcut, got {type(convolution).__name__}")
        block.downsample[0] = _narrowed(convolution, positions, alpha_in)


def _narrowed(convolution: OctConv2d, kept: Sequence[int] | Tensor, alpha_in: float) -> OctConv2d:
    weight = convolution.weight[:, torch.as_tensor(kept, device=convolution.weight.device)]
    narrow = OctConv2d(
        **(geometry(convolution) | {"in_channels": weight.shape[1]}),
        bias=convolution.bias is not None,
        alpha_in=alpha_in,
        alpha_out=convolution.alpha_out,
        device="meta",
    )
    narrow.weight = nn.Parameter(weight.clone(), convolution.weight.requires_grad)
    narrow.bias = convolution.bias
    return narrow.train(convolution.training)

"""Networks that take only some of their channels: what the others would add as zeros is folded into the weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock, Bottleneck

from freqlearn.channels import ChannelSet
from freqlearn.models.mobilenet import FrequencyMobileNetV2
from freqlearn.models.octave.blocks import OctBasicBlock, OctBottleneck
from freqlearn.models.octave.narrowing import narrow_octave
from freqlearn.models.resnet import FrequencyResNet
from freqlearn.models.small import FrequencySmall

Network = FrequencyResNet | FrequencyMobileNetV2 | FrequencySmall


@torch.no_grad()
def narrow(network: nn.Module, channels: ChannelSet) -> None:
    """Let a network take some of its channels only, and compute what it computed with zeros in place of the others.

    That holds in evaluation. In training, a channel of zeros has other statistics than the ones that are folded.

    Args:
        network: A network of this package that was made from a spec, in evaluation mode; changed in place, ``spec`` and
            ``in_channels`` too.
        channels: The channels to keep, in the order of the new input.

    Raises:
        TypeError: If it is another network, or normalises by something else than BatchNorm2d where that matters.
        ValueError: If it is in training mode, has no spec, or lacks one of the channels.
    """
    if not isinstance(network, Network):
        raise TypeError(f"expected a network of freqlearn.models, got {type(network).__name__}")
    if network.training:
        raise ValueError("expected a network in evaluation mode; call eval() first")
    if network.spec is None or network.spec.channels is None:
        raise ValueError("expected a network that was made from a spec, which says what its channels are")
    spec = network.spec.select(channels)
    kept = list(network.spec.channels.positions(channels))
    if isinstance(network, FrequencySmall):
        _narrow_input(_convolution(network.get_submodule("features.0.0")), kept)
    elif isinstance(network, FrequencyResNet) and isinstance(network.layer1[0], OctBasicBlock | OctBottleneck):
        narrow_octave(network, network.spec.channels, channels)
    elif isinstance(network, FrequencyResNet):
        _narrow_residual(network.layer1[0], kept)
    else:
        _narrow_mobilenet(network, kept)
    network.spec, network.in_channels = spec, spec.in_channels


def _narrow_input(convolution: nn.Conv2d, kept: Sequence[int]) -> None:
    convolution.weight = nn.Parameter(convolution.weight[:, kept].clone(), convolution.weight.requires_grad)
    convolution.in_channels = len(kept)


def _narrow_residual(block: nn.Module, kept: Sequence[int]) -> None:
    if not isinstance(block, BasicBlock | Bottleneck):
        raise TypeError(f"expected torchvision's residual blocks, got {type(block).__name__}")
    channels = block.conv1.in_channels
    _narrow_input(block.conv1, kept)
    if block.downsample is None:  # ResNet-18 and -34 with 64 channels: the input itself is added
        block.downsample = _spread(kept, channels, block.conv1.weight)
    else:
        _narrow_input(_convolution(block.get_submodule("downsample.0")), kept)


def _narrow_mobilenet(network: FrequencyMobileNetV2, kept: Sequence[int]) -> None:
    block = network.features[1]
    if not isinstance(block, InvertedResidual):
        raise TypeError(f"expected an inverted residual as the first block, got {type(block).__name__}")
    depthwise, projection = (_convolution(block.get_submodule(name)) for name in ("conv.0.0", "conv.1"))
    if block.use_res_connect:  # 16 channels: the input itself is added to the block's 16 outputs
        network.features[0] = _spread(kept, network.in_channels, projection.weight)
        return
    norm, last_norm = (_batch_norm(block.get_submodule(name)) for name in ("conv.0.1", "conv.2"))
    # A channel of zeros stays one in its depthwise convolution, which has no bias; then it is a constant.
    activation = block.get_submodule("conv.0.2")
    constants = activation(norm(depthwise.weight.new_zeros(1, network.in_channels, 1, 1)))
    constants[:, kept] = 0
    last_norm.get_buffer("running_mean").sub_(projection(constants).flatten())  # (16,)
    depthwise.weight = nn.Parameter(depthwise.weight[kept].clone(), depthwise.weight.requires_grad)
    depthwise.in_channels = depthwise.out_channels = depthwise.groups = len(kept)
    _narrow_norm(norm, kept)
    _narrow_input(projection, kept)


def _narrow_norm(norm: nn.BatchNorm2d | nn.SyncBatchNorm, kept: Sequence[int]) -> None:
    for name in ("weight", "bias"):
        values: Tensor = getattr(norm, name)
        setattr(norm, name, nn.Parameter(values[kept].clone(), values.requires_grad))
    for name in ("running_mean", "running_var"):
        setattr(norm, name, getattr(norm, name)[kept].clone())
    norm.num_features = len(kept)


def _spread(kept: Sequence[int], channels: int, like: Tensor) -> nn.Conv2d:
    """A convolution that puts the kept channels into their old places and zeros into the others."""
    spread = nn.Conv2d(len(kept), channels, kernel_size=1, bias=False)
    weight = like.new_zeros(channels, len(kept), 1, 1)
    weight[list(kept), range(len(kept))] = 1
    spread.weight = nn.Parameter(weight, requires_grad=False)
    return spread.eval()


def _batch_norm(module: nn.Module) -> nn.BatchNorm2d | nn.SyncBatchNorm:
    if not isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm) or not (module.track_running_stats and module.affine):
        raise TypeError(
            f"expected BatchNorm2d in the first block, got {type(module).__name__}, which does not turn a channel of "
            "zeros into a constant that the next layer could take over; train a network on the channels to keep"
        )
    return module


def _convolution(module: nn.Module) -> nn.Conv2d:
    if not isinstance(module, nn.Conv2d):
        raise TypeError(f"expected a convolution as the first layer, got {type(module).__name__}")
    return module

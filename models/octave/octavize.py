"""Octave convolutions in place of the convolutions of a ResNet that is there already."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops import SqueezeExcitation

from freqlearn.models.octave.blocks import OctBasicBlock, OctBottleneck
from freqlearn.models.octave.conv import OctConv2d
from freqlearn.models.octave.frequency_split import FrequencySplit
from freqlearn.models.resnet import FrequencyResNet

_Model = TypeVar("_Model", bound=nn.Module)
_STAGES = ("layer1", "layer2", "layer3", "layer4")


def octavize(model: _Model, alpha: float, *, low_input: Iterable[int] = ()) -> _Model:
    """Replace the convolutions of a ResNet's stages by octave convolutions, as the authors of OctConv build theirs.

    The stem stays as it is; the first block takes a Tensor and gives a pair; the last stage has alpha 0 (its maps would
    be 4x4), so that its first block takes a pair and gives a Tensor. Weights and normalisation statistics are carried
    over, and the state dict of the plain network still loads, at any alpha (but a ResNeXt's should be loaded before:
    the channels of its groups are sorted here). With alpha 0 the network computes what it did before, bit for bit.

    ``low_input`` is for both at once, DCT input and octave features: those channels come to the first block in its low
    branch, averaged to half the resolution. The first block's weights are then in the order of the split, which is part
    of the state (``split.high``, ``split.low``).
    A shortcut that adds the input itself (ResNet-18 and -34 of 64 channels) adds it in that order, to outputs in the
    old one: nothing to a network that will be trained, but a trained one is not carried over then.

    Args:
        model: A ResNet, ResNeXt or Wide ResNet of torchvision, or a `FrequencyResNet`; changed in place, unless an
            error is raised. An optimizer must be made after this, not before.
        alpha: Fraction of the features' channels that is low, 0..1.
        low_input: Of a FrequencyResNet made from a spec, the channels that are low already in the input, for instance
            ``split_by_frequency(spec.channels, alpha)[1]``.

    Returns:
        The model.

    Raises:
        TypeError: If it is no ResNet, or has other blocks than torchvision's.
        ValueError: If alpha is outside 0..1 or leaves a branch without channels, ``low_input`` has channels that the
            model's spec lacks, or it is given for a model without such a spec.
    """
    if not isinstance(model, ResNet):
        raise TypeError(f"expected a ResNet of torchvision or freqlearn.models, got {type(model).__name__}")
    split = _split(model, tuple(low_input))
    alpha_in = 0.0 if split is None else split.alpha
    stages: dict[str, nn.Sequential] = {}
    for name in _STAGES:
        alpha_out = 0.0 if name == "layer4" else alpha
        blocks = []
        for block in cast(nn.Sequential, getattr(model, name)):
            blocks.append(_octave_block(block, alpha_in, alpha_out, model))
            alpha_in = alpha_out
        stages[name] = nn.Sequential(*blocks)
    for name, stage in stages.items():
        setattr(model, name, stage)
    if split is not None:
        model.split = split.to(model.fc.weight.device)
        _reorder_input(model.layer1[0], split.order)
    return model


def _split(model: ResNet, low: Sequence[int]) -> FrequencySplit | None:
    if not low:
        return None
    channels = model.spec.channels if isinstance(model, FrequencyResNet) and model.spec is not None else None
    if channels is None:
        raise ValueError(
            "low_input is for a network of freqlearn.models that was made from a spec, which says what its channels are"
        )
    return FrequencySplit(channels, low)


def _octave_block(block: nn.Module, alpha_in: float, alpha_out: float, model: ResNet) -> nn.Module:
    """Return the block with octave convolutions, on its device, with its weights and in its mode."""
    if not isinstance(block, BasicBlock | Bottleneck):
        raise TypeError(
            f"expected torchvision's BasicBlock or Bottleneck, got {type(block).__name__}"
            + (
                "; the model has octave convolutions already"
                if isinstance(block, OctBasicBlock | OctBottleneck)
                else ""
            )
        )
    squeeze = getattr(block, "se", None)
    shared: dict[str, Any] = {
        "alpha_in": alpha_in,
        "alpha_out": alpha_out,
        "downsample": block.downsample is not None,
        "norm_layer": _norm_layer(block.bn1, model),
        "squeeze_channels": squeeze.fc1.out_channels if isinstance(squeeze, SqueezeExcitation) else None,
    }
    octave: OctBasicBlock | OctBottleneck
    with torch.device("meta"):  # what is drawn here would be overwritten
        if isinstance(block, BasicBlock):
            octave = OctBasicBlock(block.conv1.in_channels, block.conv2.out_channels, stride=block.stride, **shared)
        else:
            octave = OctBottleneck(
                block.conv1.in_channels,
                block.conv2.out_channels,
                block.conv3.out_channels,
                stride=block.stride,
                groups=block.conv2.groups,
                dilation=block.conv2.dilation[0],
                **shared,
            )
    weight = block.conv1.weight
    octave = octave.to_empty(device=weight.device).to(weight.dtype)
    octave.load_state_dict(_grouped_state(block, octave))
    for name, parameter in block.named_parameters():
        layer, _, kind = name.rpartition(".")
        for part, own in octave.get_submodule(layer).named_parameters():  # of a normalisation one for each branch
            if part.rpartition(".")[2] == kind:
                own.requires_grad_(parameter.requires_grad)
    return octave.train(block.training)


def _grouped_state(block: BasicBlock | Bottleneck, octave: nn.Module) -> dict[str, Tensor]:
    """Return a block's state; where its 3x3 convolution has groups, with each group's last channels moved to the end.

    A plain group is a run of channels, and an octave convolution's is a run of the high and one of the low channels.
    """
    state: dict[str, Tensor] = block.state_dict()
    if block.conv2.groups == 1 or not isinstance(octave, OctBottleneck) or octave.conv2.low_in == 0:
        return state
    width, groups = octave.conv2.in_channels, octave.conv2.groups
    runs = torch.arange(width, device=block.conv2.weight.device).reshape(groups, -1)
    high = (width - octave.conv2.low_in) // groups
    order = torch.cat((runs[:, :high].flatten(), runs[:, high:].flatten()))
    for name, value in state.items():
        if name.startswith(("conv1.", "bn1.", "conv2.", "bn2.")) and value.dim() > 0 and len(value) == width:
            state[name] = value[order]
    state["conv3.weight"] = state["conv3.weight"][:, order]
    return state


def _norm_layer(norm: nn.Module, model: ResNet) -> Callable[..., nn.Module]:
    """What makes layers like a given one."""
    if isinstance(norm, _BatchNorm):  # also where SyncBatchNorm took its place, or somebody changed eps
        return partial(
            type(norm),
            eps=norm.eps,
            momentum=norm.momentum,
            affine=norm.affine,
            track_running_stats=norm.track_running_stats,
        )
    made_by: Callable[..., nn.Module] = model._norm_layer
    return made_by


@torch.no_grad()
def _reorder_input(block: nn.Module, order: Tensor) -> None:
    """Sort the input side of a block's weights by positions in the old order."""
    for name in ("conv1", "downsample.0"):
        try:
            convolution = block.get_submodule(name)
        except AttributeError:  # ResNet-18 and -34 with 64 channels: no convolution in the shortcut
            continue
        weight = cast(OctConv2d, convolution).weight
        weight.copy_(weight[:, order])

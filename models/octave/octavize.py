"""Octave convolutions in place of the convolutions of a ResNet that is there already."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar, cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops import SqueezeExcitation

from freqlearn.models.octave.blocks import OctBasicBlock, OctBottleneck
from freqlearn.models.octave.conv import OctConv2d
from freqlearn.models.octave.frequency_split import FrequencySplit
from freqlearn.models.resnet import FrequencyResNet

_Model = TypeVar("_Model", bound=ResNet)
_STAGES = ("layer1", "layer2", "layer3", "layer4")


def octavize(model: _Model, alpha: float, *, low_input: Iterable[int] = ()) -> _Model:
    """Replace the convolutions of a ResNet's stages by octave convolutions, as the authors of OctConv build theirs.

    The stem stays as it is; the first block takes a Tensor and gives a pair; the last stage has alpha 0 (its maps would
    be 4x4), so that its first block takes a pair and gives a Tensor. Weights and normalisation statistics are carried
    over, and the state dict keeps its names and shapes: the state of a plain ResNet loads at any alpha. With alpha 0
    the network computes what it did before, bit for bit.

    ``low_input`` is for both at once, DCT input and octave features: those channels come to the first block in its low
    branch, averaged to half the resolution. The first block's weights are then in the order of the split, which is part
    of the state (``split.high``, ``split.low``).

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
    split = _split_of(model, ChannelsOf(low_input))
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
    return model

"""Folding a trained network for inference: normalisation into convolutions, octave convolutions into fewer."""

import copy
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models.densenet import _DenseLayer
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from freqlearn.models.octave.blocks import OctBasicBlock, OctBottleneck
from freqlearn.models.octave.conv import OctConv2d, geometry
from freqlearn.models.octave.densenet import OctDenseLayer
from freqlearn.models.octave.inference import FoldedOctConv2d, PointwiseConv2d
from freqlearn.models.octave.layers import OctNorm2d
from freqlearn.models.octave.resnet import SEBottleneck

_Model = TypeVar("_Model", bound=nn.Module)

# Modules whose forward runs these two one after the other; in an nn.Sequential neighbours are.
_RESIDUAL = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))
_FOLLOWS: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    ResNet: _RESIDUAL[:1],
    BasicBlock: _RESIDUAL,
    Bottleneck: _RESIDUAL,
    SEBottleneck: _RESIDUAL,
    OctBasicBlock: _RESIDUAL,
    OctBottleneck: _RESIDUAL,
    _DenseLayer: (("conv1", "norm2"),),
    OctDenseLayer: (("conv1", "norm2"),),
}


def fold(model: _Model) -> _Model:
    """Return a copy for inference that computes the same to float rounding, faster on a CPU.

    Batch normalisation with running statistics goes into the convolution before it; each `OctConv2d` becomes a
    `FoldedOctConv2d`, each 1x1 convolution of stride 1 a `PointwiseConv2d`. For a plain network too, so that the two
    can be compared. Other normalisation layers stay. The state dict is another: fold after loading.

    Pairs of convolution and normalisation are found in nn.Sequential and in the blocks of torchvision's and our
    ResNets, DenseNets and MobileNets; a network of other blocks is right too, with what is not recognised unfolded.

    Args:
        model: Any network of `freqlearn.models` or torchvision; unchanged. The copy is in evaluation mode, its
            parameters need no gradient.

    Returns:
        The copy. It must stay in evaluation mode.
    """
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    places = Counter(id(module) for _, module in folded.named_modules(remove_duplicate=False))
    for module in list(folded.modules()):
        for conv, norm in _pairs(module):
            first, second = module.get_submodule(conv), module.get_submodule(norm)
            # A convolution that is also somewhere else has no normalisation behind it there, or another.
            if places[id(first)] == 1 and _fold_norm(first, second):
                setattr(module, norm, nn.Identity())
    for module in list(folded.modules()):
        for name, child in module.named_children():
            setattr(module, name, _for_inference(child))
    return cast(_Model, _for_inference(folded))


def _pairs(module: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of children of which the second takes nothing but the first one's output."""
    if isinstance(module, nn.Sequential) and _runs_as(module, nn.Sequential):
        yield from pairwise(name for name, _ in module.named_children())
        return
    for kind, pairs in _FOLLOWS.items():
        if isinstance(module, kind) and _runs_as(module, kind):
            children = dict(module.named_children())
            yield from (pair for pair in pairs if pair[0] in children and pair[1] in children)


def _runs_as(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a module is called as its base class is: another forward may have another order."""
    return type(module).forward is kind.forward


@torch.no_grad()
def _fold_norm(conv: nn.Module, norm: nn.Module) -> bool:
    """Take a normalisation into a convolution, in place; return whether it could be."""
    norms = [norm] if not isinstance(norm, OctNorm2d) else [part for part in (norm.high, norm.low) if part is not None]
    # Subclasses may compute with another weight than theirs.
    if type(conv) not in (nn.Conv2d, OctConv2d) or not all(_is_constant(part) for part in norms):
        return False
    conv = cast(nn.Conv2d | OctConv2d, conv)
    channels = [cast(_BatchNorm, part).num_features for part in norms]
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    # High channels first, in the weight as in the normalisation.
    for part, rows, bias in zip(
        cast(list[_BatchNorm], norms),
        torch.split(_weight(conv), channels),
        [None] * len(norms) if conv.bias is None else torch.split(conv.bias, channels),
        strict=True,
    ):
        mean, variance = cast(Tensor, part.running_mean), cast(Tensor, part.running_var)
        fused = fuse_conv_bn_weights(rows, bias, mean, variance, part.eps, part.weight, part.bias)
        weights.append(fused[0])
        biases.append(fused[1])
    _set(conv, torch.cat(weights), torch.cat(biases))
    return True


def _is_constant(norm: nn.Module) -> bool:
    return isinstance(norm, _BatchNorm) and norm.running_mean is not None


def _set(conv: nn.Conv2d | OctConv2d, weight: Tensor, bias: Tensor) -> None:
    conv.bias = nn.Parameter(bias, requires_grad=False)
    if isinstance(conv, OctConv2d) and conv.separate:
        for name, path in conv.layout.cut(weight)._asdict().items():
            if path is not None:
                getattr(conv, f"weight_{name}").copy_(path)
    else:
        conv.weight = nn.Parameter(weight, requires_grad=False)


def _for_inference(module: nn.Module) -> nn.Module:
    """Return what takes a module's place; itself for all but convolutions."""
    if isinstance(module, OctConv2d):
        return _plain(module) if module.vanilla else FoldedOctConv2d(module)
    # Subclasses may convolve in another way.
    return _plain(module) if type(module) is nn.Conv2d and _is_pointwise(module) else module


def _plain(conv: nn.Conv2d | OctConv2d) -> nn.Conv2d:
    """The same without octaves, as a product if it can be one."""
    kind = PointwiseConv2d if _is_pointwise(conv) else nn.Conv2d
    with torch.device("meta"):  # what is drawn here is replaced
        plain = kind(**geometry(conv), bias=False)
    plain.weight = nn.Parameter(_weight(conv).detach(), requires_grad=False)
    plain.bias = conv.bias
    return plain.eval()


def _is_pointwise(conv: nn.Conv2d | OctConv2d) -> bool:
    unpadded = conv.padding in ((0, 0), "same", "valid")
    return conv.kernel_size == conv.stride == (1, 1) and unpadded and conv.groups == 1


def _weight(conv: nn.Conv2d | OctConv2d) -> Tensor:
    return conv.layout.join(conv.path_weights()) if isinstance(conv, OctConv2d) else conv.weight

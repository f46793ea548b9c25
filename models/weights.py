"""Weights of RGB networks for the layers that a stem-less network shares with them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Mismatch(NamedTuple):
    """A tensor that both have, in different shapes."""

    key: str
    expected: tuple[int, ...]
    got: tuple[int, ...]


class NotLoaded(NamedTuple):
    """What ``load_rgb_weights`` did not load; the first two fields as of ``Module.load_state_dict``.

    Attributes:
        missing_keys: In the model only; they keep their values.
        unexpected_keys: In the state dict only, for instance the stem's.
        mismatched_keys: In both, with other shapes: the first block's input side, or ``fc`` for another number of
            classes.
    """

    missing_keys: list[str]
    unexpected_keys: list[str]
    mismatched_keys: list[Mismatch]


def load_rgb_weights(model: nn.Module, state_dict: Mapping[str, Any]) -> NotLoaded:
    """Copy every tensor of an RGB network's state dict that the model has under the same name and in the same shape.

    Args:
        model: A network of this package (or any other); changed in place.
        state_dict: Of the torchvision network of the same name; also a checkpoint with it under "state_dict", also with
            the "module." prefix of DataParallel.

    Returns:
        What was not loaded. For ``resnet50(in_channels=24)`` and torchvision's ResNet-50: nothing missing, the stem
        (``conv1``, ``bn1``) unexpected, and two mismatches (``layer1.0.conv1``, ``layer1.0.downsample.0``).

    Raises:
        TypeError: If ``state_dict`` is not a mapping of names to tensors.
        ValueError: If not one tensor fits.
    """
    source = unwrapped_state_dict(state_dict)
    own = model.state_dict()
    mismatched = [
        Mismatch(key, tuple(own[key].shape), tuple(tensor.shape))
        for key, tensor in source.items()
        if key in own and own[key].shape != tensor.shape
    ]
    fitting = {key: tensor for key, tensor in source.items() if key in own and own[key].shape == tensor.shape}
    if not fitting:
        raise ValueError(
            f"expected a state dict that shares layers with the model, got none of {_some(own)}; "
            f"it has {_some(source)}: is it of the same architecture?"
        )
    missing = model.load_state_dict(fitting, strict=False).missing_keys
    other_shape = {mismatch.key for mismatch in mismatched}
    return NotLoaded(
        missing_keys=[key for key in missing if key not in other_shape],
        unexpected_keys=[key for key in source if key not in own],
        mismatched_keys=mismatched,
    )


def unwrapped_state_dict(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a state dict or of a checkpoint that contains one, without "module." prefixes.

    Args:
        checkpoint: A state dict, or a mapping with one under "state_dict".

    Raises:
        TypeError: If it is not a mapping of names to tensors.
    """
    if not isinstance(checkpoint, Mapping):
        raise TypeError(f"expected a state dict (a mapping of names to tensors), got {type(checkpoint).__name__}")
    tensors = checkpoint.get("state_dict", checkpoint)
    if not isinstance(tensors, Mapping):
        raise TypeError(f'expected a mapping under "state_dict", got {type(tensors).__name__}')
    for key, tensor in tensors.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor):
            raise TypeError(f"expected a state dict of tensors, got {type(tensor).__name__} for {key!r}")
    return {key.removeprefix("module."): tensor for key, tensor in tensors.items()}


def _some(names: Mapping[str, Any]) -> str:
    shown = ", ".join(list(names)[:3])
    return f"{shown}, ... ({len(names)} names)" if len(names) > 3 else shown or "no names"

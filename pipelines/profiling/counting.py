"""Counting what a model costs: one image goes through a copy of it on the meta device, where nothing is computed.

torch's FlopCounterMode counts the operations; hooks say which module ran them and what it handed on.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from freqlearn.pipelines.profiling.layers import Profile
from freqlearn.pipelines.profiling.recording import Recorder
from freqlearn.spec import InputSpec


def profile(model: nn.Module, image: InputSpec | Sequence[int], *, title: str = "") -> Profile:
    """Count multiply-accumulates, parameters and activation memory of a model, layer by layer, for one image.

    The model is not changed and nothing is computed: its cost is that of evaluation mode, and the same whatever the
    picture holds.

    - A multiply-accumulate (MAC) is a multiplication and an addition of a convolution, a linear layer, a matrix product
      or attention, as torch.utils.flop_counter counts them (two of its FLOPs). Padding counts as pixels do; biases,
      normalisation, activation functions, pooling and additions count nothing, and are listed in `not_counted`.
    - Activation memory is that of all distinct tensors that enter or leave a module, in the model's own dtype, without
      the image itself. What is written in place, or is a view, takes no memory again. It is about what training keeps
      for the backward pass; inference needs less at a time, and what a module makes and drops inside counts nothing.

    Args:
        model: Any module that takes one tensor with a batch axis; on any device.
        image: What one image is: an InputSpec, or a shape without the batch axis, such as (3, 224, 224).
        title: Which model and which input, for people; by default its class and the shape.

    Returns:
        The costs. They are exact integers, and those of the layers sum to the totals.

    Raises:
        ValueError: If the model does not take such an image, or needs to compute with it to know what to do.
    """
    shape = (image.in_channels, image.map_size, image.map_size) if isinstance(image, InputSpec) else tuple(image)
    title = title or f"{type(model).__name__} on {'x'.join(map(str, shape))}"
    copied = _on_meta(model).eval()
    dtype = next((p.dtype for p in copied.parameters() if p.is_floating_point()), torch.float32)
    batch = torch.empty(1, *shape, dtype=dtype, device="meta")
    counter = FlopCounterMode(display=False)
    recorder = Recorder(copied, counter, batch)
    try:
        with torch.no_grad(), recorder, counter:
            copied(batch)
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError) as error:  # torchvision's are assertions
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise ValueError(
            f"{title}: expected a model that takes such images and needs no values of them to know what to do: {reason}"
        ) from error
    return Profile(
        title=title,
        input_shape=shape,
        input_bytes=math.prod(shape) * dtype.itemsize,
        layers=recorder.layers(),
        not_counted=recorder.not_counted(),
    )


def _on_meta(model: nn.Module) -> nn.Module:
    """A copy whose tensors have shapes and no values; nothing is copied that takes memory."""
    shapes = {id(p): nn.Parameter(torch.empty_like(p, device="meta"), requires_grad=False) for p in model.parameters()}
    with _ShapesOnly():
        return copy.deepcopy(model, dict[int, object](shapes))


class _ShapesOnly(TorchFunctionMode):
    """Within it `copy.deepcopy` of a tensor gives one on the meta device, wherever a module keeps it."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.Tensor.__deepcopy__:
            return torch.empty_like(args[0], device="meta", requires_grad=False)
        return func(*args, **(kwargs or {}))

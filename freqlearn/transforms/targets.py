"""A picture's plan, carried out on what belongs to the picture: boxes, masks and key points.

By torchvision's own kernels. The results are those of torchvision's transforms of the same names in the same order: of
boxes and key points to float32 rounding, of masks to the pixel.
"""

from typing import Any, TypeAlias, TypeVar, cast

import torch
from torch.utils._pytree import tree_map
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from freqlearn.geometry import Box, Geometry
from freqlearn.plan import Plan

Target = TypeVar("Target", tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)

# torchvision types its kernels for plain tensors: what is a Target comes back as one.
_Value: TypeAlias = Any
_Turned: TypeAlias = tuple[bool, bool, bool]
_FORMATS = tv_tensors.BoundingBoxFormat
_KINDS = (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)
# x and y exchanged; corners go round the other way then, from the same one.
_TRANSPOSED_CORNERS = [1, 0, 7, 6, 5, 4, 3, 2]


def is_target(value: Any) -> bool:
    """Whether a value is what `carry_out` takes: BoundingBoxes, a Mask or KeyPoints."""
    return isinstance(value, _KINDS)


def carry_out(plan: Plan, value: Target) -> Target:
    """Do to boxes, masks or key points what a plan does to their picture.

    Args:
        plan: of the picture, in its own px.
        value: on the stored picture: `canvas_size`, or the mask's last two sizes, is (height, width) of the stored
            picture.

    Returns:
        The same kind, on the plan's output. Boxes are clipped as their `clamping_mode` says; none is left out. Masks
        are zero in the padding.

    Raises:
        ValueError: if it belongs to a picture of another size.
    """
    if (size := tuple(F.get_size(value))) != plan.size_px:
        raise ValueError(
            f"expected {type(value).__name__} of the stored picture's size (height, width) = {plan.size_px}, got "
            f"{size}: boxes, masks and key points are to be in pixels of the picture as it is in its file"
        )
    geometry = plan.geometry
    carried = _crop(value, geometry.box)
    if geometry.is_resampled:
        carried = _resized(carried, geometry.scaled_px, plan.resized_turned)
    carried = _turned(_window(carried, geometry), plan.turned)
    return cast(Target, carried)


def carry_out_within(plan: Plan, sample: Any) -> Any:
    """Do so to all boxes, masks and key points in nested lists, tuples and dicts; everything else stays as it is.

    Args:
        plan: as in `carry_out`.
        sample: what they are in.

    Raises:
        ValueError: as `carry_out`.
    """
    return tree_map(lambda leaf: carry_out(plan, leaf) if is_target(leaf) else leaf, sample)


def _resized(value: _Value, size_px: tuple[int, int], turned: _Turned) -> _Value:
    """Resized to a size of the stored frame, as the picture was turned at that point, and turned back."""
    transposed, flip_horizontal, flip_vertical = turned
    value = F.resize(_turned(value, turned), list(size_px[::-1] if transposed else size_px))
    value = _turned(value, (False, flip_horizontal, flip_vertical))
    return _transposed(value) if transposed else value


def _turned(value: _Value, turned: _Turned) -> _Value:
    transposed, flip_horizontal, flip_vertical = turned
    if transposed:
        value = _transposed(value)
    if flip_horizontal:
        value = F.horizontal_flip(value)
    return F.vertical_flip(value) if flip_vertical else value


def _window(value: _Value, geometry: Geometry) -> _Value:
    """What the window shows; of several crops, an earlier one may have cut away what a later one would reach."""
    window, visible = geometry.window, geometry.visible
    if visible.height == 0 or visible.width == 0:
        # Below the picture, where nothing of it is either: right or below is all that torchvision's crop can do.
        return _crop(value, Box(geometry.scaled_px[0], 0, *window.size_px))
    if visible != Box(0, 0, *geometry.scaled_px).intersection(window):
        value, window = _crop(value, visible), window.shifted(-visible.top, -visible.left)
    return _crop(value, window)


def _crop(value: _Value, box: Box) -> _Value:
    if box == Box(0, 0, *F.get_size(value)):
        return value
    return F.crop(value, box.top, box.left, box.height, box.width)


def _transposed(value: _Value) -> _Value:
    """Rows and columns exchanged, for which torchvision has no kernel."""
    plain = value.as_subclass(torch.Tensor)
    if isinstance(value, tv_tensors.Mask):
        return tv_tensors.wrap(plain.transpose(-2, -1), like=value)
    canvas_size = tuple(value.canvas_size)[::-1]
    if isinstance(value, tv_tensors.KeyPoints):
        return tv_tensors.wrap(plain.flip(-1), like=value, canvas_size=canvas_size)
    if not tv_tensors.is_rotated_bounding_format(value.format):
        return tv_tensors.wrap(plain[..., [1, 0, 3, 2]], like=value, canvas_size=canvas_size)
    corners = F.convert_bounding_box_format(plain, old_format=value.format, new_format=_FORMATS.XYXYXYXY)
    turned = F.convert_bounding_box_format(
        corners[..., _TRANSPOSED_CORNERS], old_format=_FORMATS.XYXYXYXY, new_format=value.format
    )
    return tv_tensors.wrap(turned, like=value, canvas_size=canvas_size)

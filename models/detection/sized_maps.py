"""The maps of several pictures with what torchvision's detectors have no argument for, and checks of both."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from torch import Tensor

from freqlearn.indexing import integer

Size: TypeAlias = tuple[int, int]
"""(height, width)."""
Target: TypeAlias = dict[str, Tensor]
Detection: TypeAlias = dict[str, Tensor]


class SizedMaps(list[Tensor]):
    """A list of maps (C, h, w) that knows the pictures' sizes, and what each picture is padded with.

    torchvision's detectors take the sizes from the tensors' shapes, and hand the list that they were given on to their
    transform: so a list can carry more past them.

    Args:
        maps: One (C, h, w) per picture.
        picture_sizes: (height, width) of each, in picture pixels.
        padding: (N, C), what the maps are padded with.
    """

    def __init__(self, maps: Iterable[Tensor], picture_sizes: list[Size], padding: Tensor) -> None:
        super().__init__(maps)
        self.picture_sizes = picture_sizes
        self.padding = padding

    def select(self, positions: Sequence[int]) -> "SizedMaps":
        """Some of the pictures."""
        sizes = [self.picture_sizes[position] for position in positions]
        return SizedMaps([self[position] for position in positions], sizes, self.padding[list(positions)])


def check_images(images: Sequence[Tensor], in_channels: int) -> None:
    """Refuse anything but one or more stacks of maps.

    Args:
        images: Expected (C, h, w) each, floating point, of any sizes.
        in_channels: C.

    Raises:
        ValueError: If there are none, or a shape or dtype is another.
    """
    if len(images) == 0:
        raise ValueError("expected the maps of at least one picture, got an empty list")
    for position, maps in enumerate(images):
        if not isinstance(maps, Tensor) or maps.dim() != 3 or maps.shape[0] != in_channels:
            got = f"shape {tuple(maps.shape)}" if isinstance(maps, Tensor) else type(maps).__name__
            raise ValueError(
                f"expected a list of tensors ({in_channels}, h, w), one per picture, got {got} at position {position}"
            )
        if not maps.is_floating_point():
            raise ValueError(f"expected standardised floating-point values, got {maps.dtype} at position {position}")


def resolve_picture_sizes(
    images: Sequence[Tensor], image_sizes: Sequence[Sequence[int]] | None, px_per_cell: int
) -> list[Size]:
    """Return the pictures' sizes in pixels.

    Args:
        images: (C, h, w) each.
        image_sizes: (height, width) of each picture; None where they end with their maps' last cells.
        px_per_cell: Picture pixels per cell of the maps.

    Raises:
        ValueError: If there are not as many as images, or a picture of that size has maps of another shape.
    """
    shapes = [(maps.shape[-2], maps.shape[-1]) for maps in images]
    if image_sizes is None:
        return [(h * px_per_cell, w * px_per_cell) for h, w in shapes]
    sizes = as_sizes(image_sizes, len(images), "image_sizes")
    for position, (size, shape) in enumerate(zip(sizes, shapes, strict=True)):
        if _cells(size, px_per_cell) != shape:
            raise ValueError(
                f"image_sizes[{position}] = {size} does not fit maps of {shape[0]}x{shape[1]} cells: expected (height, "
                f"width) of the resized picture, {_range(shape[0], px_per_cell)} x {_range(shape[1], px_per_cell)} px"
            )
    return sizes


def as_sizes(sizes: Sequence[Sequence[int]], count: int, name: str) -> list[Size]:
    """Return sizes as a list of (height, width), checked.

    Args:
        sizes: Pairs of integers.
        count: Expected number of them.
        name: What to call them in an error.

    Raises:
        TypeError: If one is no integer.
        ValueError: If the number is another, or one is not two positive numbers.
    """
    if len(sizes) != count:
        raise ValueError(f"expected {name} for {count} pictures, got {len(sizes)}")
    return [_as_size(size, f"{name}[{position}]") for position, size in enumerate(sizes)]


def check_targets(
    targets: Sequence[Target] | None, sizes: Sequence[Size], px_per_cell: int, *, classes: int, masks: bool
) -> None:
    """Refuse targets that a detector cannot be trained on; what they may hold besides is left to torchvision.

    Args:
        targets: A dict per picture with boxes (K, 4) in picture pixels, labels (K,), and masks (K, height, width).
        sizes: (height, width) of the pictures.
        px_per_cell: Picture pixels per cell of the maps.
        classes: Number of classes, with the background.
        masks: Whether masks are needed.

    Raises:
        ValueError: If they are missing, not as many as pictures, lack something, are of other sizes, or have values
            that torchvision would train on without a word: boxes that are nowhere in the picture, labels of no class,
            masks of other values than 0 and 1.
    """
    if targets is None:
        raise ValueError("expected targets in training mode, got none; call eval() first to get detections")
    if len(targets) != len(sizes):
        raise ValueError(f"expected targets for {len(sizes)} pictures, got {len(targets)}")
    for position, (target, size) in enumerate(zip(targets, sizes, strict=True)):
        _check_target(target, size, px_per_cell, masks, f"targets[{position}]")
        if len(target["boxes"]):
            _check_values(target, size, classes, masks, f"targets[{position}]")


def _check_target(target: Target, size: Size, px_per_cell: int, masks: bool, name: str) -> None:
    for key in ("boxes", "labels", *(["masks"] if masks else [])):
        if key not in target:
            raise ValueError(f"expected {name} with boxes and labels{' and masks' * masks}, got none under {key!r}")
    boxes, labels = target["boxes"], target["labels"]
    if boxes.dim() != 2 or boxes.shape[1] != 4 or labels.shape != boxes.shape[:1]:
        raise ValueError(
            f"expected boxes (K, 4) and labels (K,) in {name}, got shapes {tuple(boxes.shape)}, {tuple(labels.shape)}"
        )
    canvas: Size | None = getattr(boxes, "canvas_size", None)  # of a tv_tensors.BoundingBoxes
    if canvas is not None and _cells(canvas, px_per_cell) != _cells(size, px_per_cell):
        raise ValueError(
            f"expected the boxes of {name} in pixels of the resized picture, of {size[0]}x{size[1]} (height x width), "
            f"got them for {canvas[0]}x{canvas[1]}; transform them together with the picture"
        )
    if masks and target["masks"].shape != (len(boxes), *size):
        raise ValueError(
            f"expected masks ({len(boxes)}, {size[0]}, {size[1]}) in {name}, as many as boxes and of the resized "
            f"picture's size, got {tuple(target['masks'].shape)}; give image_sizes= for pictures that end within a cell"
        )


def _check_values(target: Target, size: Size, classes: int, masks: bool, name: str) -> None:
    boxes, labels = target["boxes"].as_subclass(Tensor), target["labels"].as_subclass(Tensor)
    height, width = size
    left, top, right, bottom = boxes.unbind(dim=1)
    # NaN is not within anything.
    inside = (left < width) & (top < height) & (right > 0) & (bottom > 0) & boxes.isfinite().all(dim=1)
    if not inside.all():
        raise ValueError(
            f"expected the boxes of {name} in pixels of the resized picture, of {height}x{width} (height x width), got "
            f"{boxes[~inside][0].tolist()}"
        )
    if ((labels < 1) | (labels >= classes)).any():
        raise ValueError(
            f"expected labels of 1 to {classes - 1} in {name} (0 is the background), got them from {labels.min()} to "
            f"{labels.max()}"
        )
    if masks and target["masks"].max() > 1:
        raise ValueError(f"expected masks of 0 and 1 in {name}, got values up to {target['masks'].max()}")


def _as_size(size: Sequence[int], name: str) -> Size:
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"expected {name} as two positive integers (height, width), got {size}")
    return integer(size[0], name), integer(size[1], name)


def _cells(size: Size, px_per_cell: int) -> Size:
    return -(-size[0] // px_per_cell), -(-size[1] // px_per_cell)


def _range(cells: int, px_per_cell: int) -> str:
    last = cells * px_per_cell
    return str(last) if px_per_cell == 1 else f"{last - px_per_cell + 1}..{last}"

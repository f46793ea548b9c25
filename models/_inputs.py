"""What the networks of this package take: stacks of frequency maps, and how many."""

from torch import Tensor

from freqlearn.indexing import integer
from freqlearn.spec import InputSpec


def resolve_in_channels(in_channels: int | None, spec: InputSpec | None) -> int:
    """Return the number of maps a network takes, from either way of saying it.

    Args:
        in_channels: Number of frequency channels.
        spec: The input's description; its ``in_channels`` counts.

    Raises:
        TypeError: If ``in_channels`` is not an integer.
        ValueError: If neither is given, they disagree, the number is not positive, or the spec describes RGB.
    """
    if spec is not None and spec.kind != "dct":
        raise ValueError(
            f"expected a spec of kind 'dct', got kind {spec.kind!r}; "
            "for RGB input take the network of the same name from torchvision.models"
        )
    if in_channels is None:
        if spec is None:
            raise ValueError("expected in_channels= (an int) or spec= (an InputSpec), got neither")
        return spec.in_channels
    in_channels = integer(in_channels, "in_channels")
    if in_channels < 1:
        raise ValueError(f"expected in_channels of at least 1, got {in_channels}")
    if spec is not None and spec.in_channels != in_channels:
        raise ValueError(
            f"in_channels={in_channels} and spec.in_channels={spec.in_channels} disagree; give one of them"
        )
    return in_channels


def check_maps(maps: Tensor, in_channels: int) -> None:
    """Refuse anything but a batch of ``in_channels`` frequency maps.

    Args:
        maps: Expected (N, in_channels, h, w), floating point.
        in_channels: Number of channels that the module was built for.

    Raises:
        ValueError: If the shape or dtype is another.
    """
    if maps.dim() != 4:
        raise ValueError(
            f"expected a batch (N, {in_channels}, h, w) of frequency maps, got shape {tuple(maps.shape)}"
            + ("; add the batch axis with maps[None]" if maps.dim() == 3 else "")
        )
    if maps.shape[1] != in_channels:
        raise ValueError(
            f"expected {in_channels} frequency channels, (N, {in_channels}, h, w), "
            f"got {maps.shape[1]} in shape {tuple(maps.shape)}; "
            "the ChannelSet of the transform and of the model must be the same"
        )
    if not maps.is_floating_point():
        raise ValueError(f"expected standardised floating-point maps, got {maps.dtype}")

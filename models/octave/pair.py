"""Feature maps in two frequency groups: how many channels are low, what a pair is, halving and doubling a grid."""

from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Pair: TypeAlias = tuple[Tensor, Tensor]
"""(high, low): (N, C_high, h, w) and (N, C_low, ceil(h/2), ceil(w/2))."""

Features: TypeAlias = Tensor | Pair
"""A pair, or a Tensor where alpha is 0 (all channels high) or 1 (all low: a map of half the resolution)."""

# alpha * channels is rounded down, as the authors do; 0.29 * 100 = 28.999999999999996 still means 29.
_ROUNDING_ERROR = 1e-6


def low_channels(channels: int, alpha: float, name: str = "alpha") -> int:
    """Return how many of ``channels`` are low: alpha * channels, rounded down.

    Args:
        channels: Number of channels of both branches together.
        alpha: Fraction of them that is low, 0..1.
        name: What to call alpha in an error.

    Raises:
        ValueError: If alpha is not within 0..1, or lies between and leaves a branch without channels.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"expected {name} within 0..1, got {alpha}")
    low = int(alpha * channels + _ROUNDING_ERROR)
    if low == 0 and alpha > 0:
        raise ValueError(
            f"{name}={alpha} of {channels} channels leaves no low channel; take {name}=0 or at least {1 / channels:.3g}"
        )
    if low == channels and alpha < 1:
        raise ValueError(f"{name}={alpha} of {channels} channels leaves no high channel; take {name}=1")
    return low


def cut(x: Tensor, channels: int, low: int, *, dim: int) -> tuple[Tensor | None, Tensor | None]:
    """Cut a Tensor with high channels first into views of its high and low part; None where it has none.

    Args:
        x: Any Tensor.
        channels: Its size in ``dim``.
        low: How many of them are low.
        dim: The dimension of the channels.
    """
    if low == 0:
        return x, None
    if low == channels:
        return None, x
    high_part, low_part = torch.split(x, [channels - low, low], dim=dim)
    return high_part, low_part


def halve(x: Tensor) -> Tensor:
    """Average 2x2 pixels; a last odd row or column averages the pixels it has.

    Args:
        x: (N, C, h, w) float.

    Returns:
        (N, C, ceil(h/2), ceil(w/2)), so that maps of any size have a low grid (7x7 has 4x4), as the authors'.
    """
    return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def double(x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Repeat every pixel 2x2 and cut to ``size``: back to the grid that `halve` came from.

    Args:
        x: (N, C, h, w).
        size: Height and width to cut to, 2h or 2h - 1 and 2w or 2w - 1; None keeps 2h and 2w.
    """
    # Nearest of 2h - 1 pixels is the doubled map cut by one: floor(i * h / (2h - 1)) = floor(i / 2) for i < 2h - 1
    # (in float32 up to some 2000 pixels). A slice instead would tie an exported graph to even or to odd sizes.
    if size is None:
        return functional.interpolate(x, scale_factor=2.0, mode="nearest")
    return functional.interpolate(x, size=size, mode="nearest")


def branches(x: Features, channels: int, low: int) -> tuple[Tensor | None, Tensor | None]:
    """Return the high and the low branch, None where alpha leaves none, refusing what does not fit.

    Args:
        x: The features: a pair if ``0 < low < channels``, else a Tensor.
        channels: Number of channels of both branches together.
        low: How many of them are low.

    Raises:
        TypeError: If a Tensor came in place of a pair, or a pair in place of a Tensor.
        ValueError: If a number of channels is another, or low is not half of high.
    """
    if low in (0, channels):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected a Tensor of {channels} channels, for alpha is {low // channels} here, got {_described(x)}; "
                "an alpha of the module before is another"
            )
        _check_channels(x, channels, "")
        return (x, None) if low == 0 else (None, x)
    if not (isinstance(x, tuple) and len(x) == 2 and all(isinstance(branch, Tensor) for branch in x)):
        raise TypeError(
            f"expected a pair (high, low) of {channels - low} and {low} channels, got {_described(x)}; "
            "the module before must give as many low channels, or alpha be 0 here"
        )
    high_x, low_x = x
    _check_channels(high_x, channels - low, "high ")
    _check_channels(low_x, low, "low ")
    (h, w), (low_h, low_w) = high_x.shape[-2:], low_x.shape[-2:]
    if (low_h, low_w) != ((h + 1) // 2, (w + 1) // 2):
        raise ValueError(
            f"expected low maps of half the size, {(h + 1) // 2}x{(w + 1) // 2} for high maps of {h}x{w}, "
            f"got {low_h}x{low_w}; `halve` rounds odd sizes up"
        )
    return high_x, low_x


def joined(high: Tensor | None, low: Tensor | None) -> Features:
    """Return the features of two branches: a pair, or the Tensor that there is.

    Raises:
        ValueError: If there is neither.
    """
    if high is not None and low is not None:
        return high, low
    if high is not None:
        return high
    if low is not None:
        return low
    raise ValueError("expected a high or a low branch, got neither")


def add(a: Features, b: Features, *, inplace: bool = False) -> Features:
    """Add two features branch by branch: the residual connection.

    Args:
        a: A pair or a Tensor.
        b: The same of the same shapes.
        inplace: Write the sum into ``a``, as torchvision's residual blocks do.

    Raises:
        TypeError: If one is a pair and the other a Tensor.
    """
    plus = torch.Tensor.add_ if inplace else torch.add
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return plus(a, b)
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        raise TypeError(f"expected two pairs or two Tensors to add, got {_described(a)} and {_described(b)}")
    return plus(a[0], b[0]), plus(a[1], b[1])


def concatenate(features: list[Features]) -> Features:
    """Concatenate channels branch by branch: the dense connection.

    Raises:
        TypeError: If some are pairs and others Tensors.
        ValueError: If the list is empty.
    """
    if not features:
        raise ValueError("expected at least one Tensor or pair to concatenate, got none")
    tensors = [x for x in features if isinstance(x, Tensor)]
    pairs = [x for x in features if not isinstance(x, Tensor)]
    if tensors and pairs:
        raise TypeError(f"expected pairs or Tensors to concatenate, got {len(pairs)} and {len(tensors)} of them")
    if tensors:
        return torch.cat(tensors, dim=1)
    return torch.cat([high for high, _ in pairs], dim=1), torch.cat([low for _, low in pairs], dim=1)


def merge(x: Features) -> Tensor:
    """Return one Tensor at the high branch's resolution, high channels first; a Tensor is returned as it is.

    The authors' "adapter", for layers that know no pairs.

    Args:
        x: A pair, or a Tensor.

    Returns:
        (N, C_high + C_low, h, w).
    """
    if isinstance(x, Tensor):
        return x
    high, low = x
    return torch.cat((high, double(low, (high.shape[-2], high.shape[-1]))), dim=1)


def _check_channels(x: Tensor, channels: int, branch: str) -> None:
    if x.dim() != 4 or x.shape[1] != channels:
        raise ValueError(f"expected {branch}maps (N, {channels}, h, w), got shape {tuple(x.shape)}")


def _described(x: object) -> str:
    if isinstance(x, Tensor):
        return f"a Tensor of shape {tuple(x.shape)}"
    if isinstance(x, tuple):
        if all(isinstance(part, Tensor) for part in x):
            return f"{len(x)} of shapes " + ", ".join(str(tuple(part.shape)) for part in x)
        return f"({', '.join(type(part).__name__ for part in x)})"
    return f"a {type(x).__name__}"

"""Arithmetic of channel indices: 64*component + 8*v + u, their labels, zigzag order, and checks of what people pass.

``v`` is the vertical and ``u`` the horizontal frequency of the 8x8 block ("natural order", not JPEG's zigzag order).
"""

from collections.abc import Iterable, Sequence
from operator import index as as_index
from typing import Any

import numpy as np

COMPONENTS = ("Y", "Cb", "Cr")
CHANNELS_PER_COMPONENT = 64
NUM_CHANNELS = len(COMPONENTS) * CHANNELS_PER_COMPONENT


def _zigzag_order() -> tuple[int, ...]:
    """Return the natural indices 8*v + u in JPEG's zigzag order (ITU-T T.81, figure A.6)."""

    def key(i: int) -> tuple[int, int]:
        v, u = divmod(i, 8)
        diagonal = u + v
        return diagonal, v if diagonal % 2 else u

    return tuple(sorted(range(CHANNELS_PER_COMPONENT), key=key))


ZIGZAG = _zigzag_order()
"""ZIGZAG[k] is the natural index 8*v + u of the k-th coefficient in a JPEG file's order."""


def channel_index(component: int | str, v: int, u: int) -> int:
    """Return the channel's index, 64*component + 8*v + u.

    Args:
        component: 0, 1, 2 or "Y", "Cb", "Cr".
        v: Vertical frequency, 0..7.
        u: Horizontal frequency, 0..7.

    Raises:
        TypeError: If a frequency is not an integer.
        ValueError: If the component does not exist or a frequency is not in 0..7.
    """
    return CHANNELS_PER_COMPONENT * component_number(component) + 8 * _frequency(v, "v") + _frequency(u, "u")


def label(index: int) -> str:
    """Return a channel's name for people, for instance "Y(0,3)": component, then (v, u).

    Args:
        index: Channel, 0..191.

    Raises:
        ValueError: If there is no such channel.
    """
    component, v, u = split_index(index)
    return f"{COMPONENTS[component]}({v},{u})"


def split_index(index: int) -> tuple[int, int, int]:
    """Return a channel's (component, v, u).

    Args:
        index: Channel, 0..191.

    Raises:
        ValueError: If there is no such channel.
    """
    checked = checked_index(index)
    component, rest = divmod(checked, CHANNELS_PER_COMPONENT)
    v, u = divmod(rest, 8)
    return component, v, u


def as_ranges(indices: Sequence[int]) -> str:
    """Return indices as text, runs of three and more as ranges: "0-3,8,9"; it means the same indices in that order."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)


def grids_as_text(mask: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> str:
    """Draw the three 8x8 grids of a (192,) bool mask: v downwards, u to the right, # where it is True."""
    grids = mask.reshape(len(COMPONENTS), 8, 8)
    heads = [f"{name} ({grid.sum()})" for name, grid in zip(COMPONENTS, grids, strict=True)]
    lines = ["    ".join(f"{head:<17}" for head in heads).rstrip()]
    lines.append("    ".join("  " + " ".join(str(u) for u in range(8)) for _ in COMPONENTS))
    for v in range(8):
        rows = (" ".join("#" if on else "." for on in grid[v]) for grid in grids)
        lines.append("    ".join(f"{v} {row}" for row in rows))
    return "\n".join(lines)


def component_number(component: int | str) -> int:
    """Return 0, 1 or 2 for a component given as that number or as "Y", "Cb", "Cr"; a ValueError for anything else."""
    if isinstance(component, str):
        if component in COMPONENTS:
            return COMPONENTS.index(component)
    elif not isinstance(component, bool) and component in range(len(COMPONENTS)):
        return int(component)
    raise ValueError(f"expected a component 0, 1, 2 or one of {COMPONENTS}, got {component!r}")


def integer(value: Any, what: str) -> int:
    """Return a Python or NumPy integer as int; a TypeError that says what it should have been for anything else."""
    # bool is an int for Python; as a channel or a count it is a mistake (a mask passed for a list of indices).
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"expected {what} as an integer, got {value!r}")
    try:
        return as_index(value)
    except TypeError as error:
        raise TypeError(f"expected {what} as an integer, got {value!r} ({type(value).__name__})") from error


def _frequency(value: Any, name: str) -> int:
    number = integer(value, f"a frequency {name}")
    if not 0 <= number <= 7:
        raise ValueError(f"expected a frequency {name} in 0..7, got {number}")
    return number


def checked_index(index: Any) -> int:
    """Return a channel index as int; a TypeError if it is not an integer, a ValueError if it is not in 0..191."""
    number = integer(index, "a channel index")
    if not 0 <= number < NUM_CHANNELS:
        raise ValueError(f"expected a channel index in 0..{NUM_CHANNELS - 1}, got {number}")
    return number


def checked_indices(indices: Iterable[Any]) -> tuple[int, ...]:
    """Return channel indices as ints; errors as ``checked_index``, and a ValueError for none or one given twice."""
    checked = tuple(checked_index(i) for i in as_tuple(indices))
    if not checked:
        raise ValueError("expected at least one channel, got none")
    seen: set[int] = set()
    for i in checked:
        if i in seen:
            raise ValueError(f"expected every channel once, got {i} = {label(i)} more than once")
        seen.add(i)
    return checked


def as_tuple(indices: Iterable[Any]) -> tuple[Any, ...]:
    """Return the elements of an iterable, NumPy array or tensor; a TypeError for text and for what is not iterable."""
    if isinstance(indices, str | bytes):
        raise TypeError(f"expected channel indices as integers, got the text {indices!r}")
    if not isinstance(indices, Iterable):
        raise TypeError(f"expected an iterable of channel indices, got {indices!r} ({type(indices).__name__})")
    # Arrays and tensors iterate into zero-dimensional elements; tolist() gives Python numbers, and keeps floats floats.
    tolist = getattr(indices, "tolist", None)
    values = tolist() if callable(tolist) else indices
    return tuple(values)

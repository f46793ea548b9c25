"""Ordered, named choices of the 192 frequency channels.

A JPEG file has three components (Y, Cb, Cr) with 64 frequencies each. Channel ``64*component + 8*v + u`` holds the
coefficients of vertical frequency ``v`` and horizontal frequency ``u`` of all blocks of that component.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, SupportsFloat, overload

import numpy as np

from freqlearn.documents import Format
from freqlearn.importances import HasValues, importance_values
from freqlearn.indexing import (
    CHANNELS_PER_COMPONENT,
    COMPONENTS,
    NUM_CHANNELS,
    ZIGZAG,
    as_ranges,
    as_tuple,
    channel_index,
    checked_indices,
    component_number,
    grids_as_text,
    integer,
    label,
)
from freqlearn.published import DCTNET_ROW_LENGTHS

_FORMAT = Format("freqlearn.channels", 1, "a channel set", ("name", "indices"), "write the set anew")


@dataclass(frozen=True)
class ChannelSet:
    """An ordered choice of channels with a name.

    The order is the order of the channel axis in a tensor, so two sets with the same channels in different order are
    not equal. The name is for people and does not take part in equality or hashing.

    Args:
        indices: Channels, each 64*component + 8*v + u in 0..191, no duplicates, at least one.
        name: Name for people, e.g. "DCT-24"; "custom-N" when empty.

    Raises:
        TypeError: If an index is not an integer.
        ValueError: If there is no index, one is out of range, or one occurs twice.
    """

    indices: tuple[int, ...]
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        indices = checked_indices(self.indices)
        if not isinstance(self.name, str):
            raise TypeError(f"expected the channel set's name as a string, got {self.name!r}")
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "name", self.name or f"custom-{len(indices)}")

    @classmethod
    def all(cls) -> Self:
        """Return all 192 channels in index order."""
        return cls(tuple(range(NUM_CHANNELS)), "all-192")

    @classmethod
    def of(cls, indices: Iterable[int], *, name: str = "") -> Self:
        """Return the given channels in the given order.

        Args:
            indices: Channels in 0..191 (Python or NumPy integers, or a one-dimensional integer tensor).
            name: Name for people; "custom-N" when empty.

        Raises:
            TypeError: If an index is not an integer.
            ValueError: If there is no index, one is out of range, or one occurs twice.
        """
        return cls(as_tuple(indices), name)

    @classmethod
    def square(cls, n: Literal[24, 32, 48, 64]) -> Self:
        """Return DCTNet's published set of n channels: (nearly) square low-frequency corners.

        Args:
            n: Number of channels over all three components.

        Raises:
            ValueError: If n is not one of the published sizes.
        """
        if n not in DCTNET_ROW_LENGTHS:
            raise ValueError(
                f"expected one of the published sizes {sorted(DCTNET_ROW_LENGTHS)}, got {n!r}; "
                "for other sizes use ChannelSet.zigzag(y, cb, cr), .top(importance, k) or .of(indices)"
            )
        luma, chroma = DCTNET_ROW_LENGTHS[n]
        indices = [
            channel_index(component, v, u)
            for component, rows in enumerate((luma, chroma, chroma))
            for v, length in enumerate(rows)
            for u in range(length)
        ]
        return cls(tuple(indices), f"DCT-{n}")

    @classmethod
    def zigzag(cls, y: int, cb: int, cr: int) -> Self:
        """Return each component's first coefficients in JPEG's zigzag order.

        The order of the set is Y, then Cb, then Cr, each in zigzag order; the indices are natural ones.

        Args:
            y: How many of Y, 0..64.
            cb: How many of Cb, 0..64.
            cr: How many of Cr, 0..64.

        Raises:
            TypeError: If a count is not an integer.
            ValueError: If a count is not in 0..64 or all are 0.
        """
        indices: list[int] = []
        for component, count in enumerate((y, cb, cr)):
            number = integer(count, f"the number of {COMPONENTS[component]} channels")
            if not 0 <= number <= CHANNELS_PER_COMPONENT:
                raise ValueError(f"expected 0..64 channels of {COMPONENTS[component]}, got {number}")
            indices += [CHANNELS_PER_COMPONENT * component + i for i in ZIGZAG[:number]]
        return cls(tuple(indices), f"zigzag-{y}-{cb}-{cr}")

    @classmethod
    def top(cls, importance: Sequence[SupportsFloat] | np.ndarray | HasValues, k: int) -> Self:
        """Return the k most important channels, ordered by channel index (not by importance).

        Index order makes models trained with similar sets comparable weight by weight. Of equally important channels
        the one with the lower index is taken, so the result does not depend on a sorting algorithm.

        Args:
            importance: 192 finite numbers in channel order: a sequence, array or tensor, or an object that has them as
                ``.values``.
            k: How many, 1..192.

        Raises:
            TypeError: If k is not an integer.
            ValueError: If there are not 192 finite numbers or k is not in 1..192.
        """
        values = importance_values(importance)
        number = integer(k, "k")
        if not 1 <= number <= NUM_CHANNELS:
            raise ValueError(f"expected k in 1..{NUM_CHANNELS}, got {number}")
        best = np.argsort(-values, kind="stable")[:number]
        return cls(tuple(sorted(int(i) for i in best)), f"top-{number}")

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __contains__(self, index: object) -> bool:
        return index in self.indices

    @overload
    def __getitem__(self, position: int) -> int: ...
    @overload
    def __getitem__(self, position: slice) -> "ChannelSet": ...
    def __getitem__(self, position: int | slice) -> "int | ChannelSet":
        """Return the channel at a position, or the set of the channels at a slice of positions."""
        if isinstance(position, slice):
            return ChannelSet(self.indices[position])
        return self.indices[position]

    def __or__(self, other: "ChannelSet") -> "ChannelSet":
        """Return the channels of both: this set's in order, then the other's that are new."""
        if not isinstance(other, ChannelSet):
            return NotImplemented
        return ChannelSet(self.indices + tuple(i for i in other.indices if i not in self), f"{self.name}|{other.name}")

    def __and__(self, other: "ChannelSet") -> "ChannelSet":
        """Return the channels that are in both, in this set's order; a ValueError if there is none."""
        if not isinstance(other, ChannelSet):
            return NotImplemented
        return self._derived(tuple(i for i in self.indices if i in other), f"{self.name}&{other.name}")

    def __sub__(self, other: "ChannelSet") -> "ChannelSet":
        """Return the channels that the other lacks, in this set's order; a ValueError if there is none."""
        if not isinstance(other, ChannelSet):
            return NotImplemented
        return self._derived(tuple(i for i in self.indices if i not in other), f"{self.name}-{other.name}")

    def issubset(self, other: Iterable[int]) -> bool:
        """Return whether every channel of this set is in the other, in whatever order."""
        return set(self.indices) <= set(other)

    def issuperset(self, other: Iterable[int]) -> bool:
        """Return whether every channel of the other is in this set, in whatever order."""
        return set(self.indices) >= set(other)

    def isdisjoint(self, other: Iterable[int]) -> bool:
        """Return whether the two have no channel in common."""
        return set(self.indices).isdisjoint(other)

    def component(self, component: int | str) -> tuple[int, ...]:
        """Return the natural indices 8*v + u (0..63) that the set has of one component, in the set's order.

        Args:
            component: 0, 1, 2 or "Y", "Cb", "Cr".

        Raises:
            ValueError: If there is no such component.
        """
        number = component_number(component)
        return tuple(i % CHANNELS_PER_COMPONENT for i in self.indices if i // CHANNELS_PER_COMPONENT == number)

    def mask(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Return (192,) bool, True where the set has the channel; ``reshape(3, 8, 8)`` gives the grids [c, v, u]."""
        mask = np.zeros(NUM_CHANNELS, dtype=np.bool_)
        mask[list(self.indices)] = True
        return mask

    def positions(self, channels: Iterable[int]) -> tuple[int, ...]:
        """Return where the given channels are in this set: what to index a tensor's channel axis with.

        Args:
            channels: Channels, each in this set.

        Raises:
            ValueError: If this set lacks one of them.
        """
        place = {index: position for position, index in enumerate(self.indices)}
        wanted = as_tuple(channels)
        missing = [i for i in wanted if i not in place]
        if missing:
            names = ", ".join(f"{i} = {label(i)}" for i in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise ValueError(f"expected channels of {self.name} ({len(self)} channels), which lacks {names}{more}")
        return tuple(place[i] for i in wanted)

    def labels(self) -> tuple[str, ...]:
        """Return every channel's label, e.g. "Y(0,3)", in order."""
        return tuple(label(i) for i in self.indices)

    def describe(self) -> str:
        """Draw the three 8x8 grids as text: v downwards, u to the right, # a channel of the set, . one that is not."""
        plural = "channel" if len(self) == 1 else "channels"
        return f"{self.name}: {len(self)} {plural}\n{grids_as_text(self.mask())}"

    def to_dict(self) -> dict[str, Any]:
        """Return the set as JSON types, with a format and version field."""
        return _FORMAT.document(name=self.name, indices=list(self.indices))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the set that ``to_dict`` described.

        Args:
            data: Exactly the fields that ``to_dict`` writes.

        Raises:
            TypeError: If a field has the wrong type.
            ValueError: If the data are something else, of another version, or not a valid set.
        """
        fields = _FORMAT.checked(data)
        if not isinstance(fields["indices"], list):
            raise TypeError(f"expected a channel set's indices as a list, got {fields['indices']!r}")
        return cls(tuple(fields["indices"]), fields["name"])

    def to_json(self) -> str:
        """Return the set as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the set that ``to_json`` wrote.

        Args:
            text: JSON text.

        Raises:
            TypeError: If a field has the wrong type.
            ValueError: If the text is not JSON or not a channel set of a version that is understood.
        """
        return cls.from_dict(_FORMAT.parsed(text))

    def __repr__(self) -> str:
        return f"ChannelSet({self.name!r}, {len(self)} channels: {as_ranges(self.indices)})"

    def __str__(self) -> str:
        return f"{self.name} ({len(self)} channels)"

    def _derived(self, indices: tuple[int, ...], name: str) -> "ChannelSet":
        if not indices:
            raise ValueError(f"{name} is empty: a channel set needs at least one channel")
        return ChannelSet(indices, name)

"""Choosing files by a hash of seed and name: the same names give the same choice, on any machine and in any order."""

import hashlib
import os
from collections.abc import Iterable, Sequence


def by_hash(names: Sequence[str | bytes], seed: int) -> list[int]:
    """Return the positions of all names in an order that is random, but the same for the same names and seed.

    Args:
        names: Paths relative to their common root, so that it does not matter where that lies.
        seed: Another seed gives another order.
    """
    return sorted(range(len(names)), key=lambda i: digest([f"{seed}/".encode() + os.fsencode(names[i])]))


def digest(parts: Iterable[bytes]) -> bytes:
    """Return an 8-byte hash of some bytes, which a zero byte keeps apart."""
    return hashlib.blake2b(b"\0".join(parts), digest_size=8).digest()

"""What the files ask of an entropy decoder, and how fast this machine can follow its chain of look-ups."""

import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import freqlearn as fl
from freqlearn.pipelines.bench.compiling import compile_c
from freqlearn.pipelines.bench.photos import Photo

_ZIGZAG = np.array(fl.ChannelSet.zigzag(64, 0, 0).indices)


@dataclass(frozen=True)
class Symbols:
    """What a sequential Huffman scan of the coefficients holds, per file on average.

    Attributes:
        bytes: The file's size.
        blocks: 8x8 blocks, without padding.
        symbols: Codes: one a block for DC, one for each AC coefficient that is not zero, for each run of 16 zeros
            before one, and for each end of block.
    """

    bytes: float
    blocks: float
    symbols: float

    @property
    def bits_per_symbol(self) -> float:
        """With everything that the file holds besides."""
        return 8 * self.bytes / self.symbols


def count_symbols(photos: Sequence[Photo]) -> Symbols:
    """Count over photos, from their coefficients."""
    counted = [_symbols(photo) for photo in photos]
    blocks, symbols = (float(np.mean(values)) for values in zip(*counted, strict=True))
    return Symbols(float(np.mean([len(photo.data) for photo in photos])), blocks, symbols)


def _symbols(photo: Photo) -> tuple[int, int]:
    blocks = symbols = 0
    for plane in fl.read_dct(photo.data, decoder="native").planes:
        zigzag = plane.reshape(-1, 64)[:, _ZIGZAG]
        blocks += len(zigzag)
        row, place = np.nonzero(zigzag[:, 1:])
        # Zeros before each coefficient: from the one before in its block, or from the block's start.
        fresh = np.diff(row, prepend=-1) != 0
        zeros = np.where(fresh, place, np.diff(place, prepend=0) - 1)
        ends = int(np.count_nonzero(zigzag[:, 63] == 0))
        symbols += len(zigzag) + len(row) + int((zeros // 16).sum()) + ends
    return blocks, symbols


def nanoseconds() -> dict[str, float]:
    """One link of a chain of additions and of one of look-ups: "addition" and "lookup", the best of several runs.

    Raises:
        UnavailableError: If there is no C compiler.
    """
    library = compile_c("chain")
    library.additions.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
    library.lookups.argtypes = [ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64]
    library.additions.restype = library.lookups.restype = ctypes.c_uint64
    generator = np.random.default_rng(0)
    lengths = generator.integers(3, 9, 1024, np.uint8)
    words = generator.integers(0, 2**63, 512, np.uint64)
    links = 1 << 20
    return {
        "addition": _best(lambda: library.additions(links, 3)) / links * 1e9,
        "lookup": _best(lambda: library.lookups(links, lengths.ctypes.data, words.ctypes.data, len(words)))
        / links
        * 1e9,
    }


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of twenty calls."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)

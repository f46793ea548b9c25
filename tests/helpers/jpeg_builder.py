"""Writes JPEG files from given coefficients, byte by byte, so that tests can make what no encoder writes.

The encoder follows ITU-T T.81 and shares nothing with the decoder under test: plain Python, one bit at a time.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
# (h, v) per component, by the names that photographers use.
NAMED_SAMPLINGS = {
    "4:4:4": ((1, 1), (1, 1), (1, 1)),
    "4:2:2": ((2, 1), (1, 1), (1, 1)),
    "4:2:0": ((2, 2), (1, 1), (1, 1)),
    "4:4:0": ((1, 2), (1, 1), (1, 1)),
    "4:1:1": ((4, 1), (1, 1), (1, 1)),
    "4:1:0": ((4, 2), (1, 1), (1, 1)),
    "3x1": ((3, 1), (1, 1), (1, 1)),
    "2x2,1x2": ((2, 2), (1, 2), (1, 2)),
    "gray": ((1, 1),),
}


def _zigzag() -> list[int]:
    """Place 8 * v + u of each coefficient of the zigzag sequence (T.81 figure A.6), by walking the diagonals."""
    order = []
    for diagonal in range(15):
        places = [(v, diagonal - v) for v in range(8) if 0 <= diagonal - v < 8]
        order += [8 * v + u for v, u in (places if diagonal % 2 else reversed(places))]
    return order


ZIGZAG = _zigzag()


def segment(code: int, payload: bytes) -> bytes:
    """A marker segment with its length."""
    return bytes([0xFF, code]) + struct.pack(">H", len(payload) + 2) + payload


def dqt(table: np.ndarray, *, index: int = 0, bits: int = 8) -> bytes:
    """Quantisation table, (8, 8) in natural order, as a DQT segment."""
    values = np.asarray(table).reshape(64)[ZIGZAG]
    packed = values.astype(np.uint8 if bits == 8 else ">u2").tobytes()
    return segment(0xDB, bytes([(bits // 16) << 4 | index]) + packed)


@dataclass(frozen=True)
class Huffman:
    """A canonical prefix code: how many codes each length has, and the symbols in order."""

    counts: tuple[int, ...]
    symbols: tuple[int, ...]

    @classmethod
    def flat(cls, symbols: Iterable[int], length: int) -> Huffman:
        """All codes of one length, but the last half of the symbols one bit longer (a count must fit in a byte)."""
        symbols = tuple(symbols)
        half = len(symbols) // 2
        counts = {length: len(symbols) - half, length + 1: half}
        return cls(tuple(counts.get(n, 0) for n in range(1, 17)), symbols)

    @classmethod
    def skewed(cls, symbols: Iterable[int]) -> Huffman:
        """One code each of 2 to 7 bits, the rest of 16: short and long codes in one table."""
        symbols = tuple(symbols)
        return cls((0, *[1] * 6, *[0] * 8, len(symbols) - 6), symbols)

    def codes(self) -> dict[int, tuple[int, int]]:
        """(code, length) of each symbol."""
        table, code, rest = {}, 0, iter(self.symbols)
        for length, count in enumerate(self.counts, 1):
            for symbol in itertools.islice(rest, count):
                table[symbol] = (code, length)
                code += 1
            code <<= 1
        return table

    def dht(self, *, ac: bool, index: int = 0) -> bytes:
        """As a DHT segment."""
        return segment(0xC4, bytes([ac << 4 | index, *self.counts, *self.symbols]))


DC_FLAT, AC_FLAT = Huffman.flat(range(16), 5), Huffman.flat(range(256), 9)
DC_SKEWED, AC_SKEWED = Huffman.skewed(range(16)), Huffman.skewed(range(256))


@dataclass
class Bits:
    """Entropy-coded data being written: bits in, stuffed bytes out."""

    done: bytearray = field(default_factory=bytearray)
    pending: list[str] = field(default_factory=list)

    def put(self, value: int, length: int) -> None:
        """The low `length` bits of `value`."""
        if length:
            self.pending.append(format(value & ((1 << length) - 1), f"0{length}b"))

    def put_signed(self, value: int, size: int) -> None:
        """A value of `size` bits as T.81 F.1.2.1 codes it: negative ones minus one."""
        self.put(value if value >= 0 else value - 1, size)

    def flush(self) -> None:
        """Fills the last byte with ones and stuffs."""
        text = "".join(self.pending)
        text += "1" * (-len(text) % 8)
        raw = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
        self.done += raw.replace(b"\xff", b"\xff\x00")
        self.pending.clear()


@dataclass(frozen=True)
class Scan:
    """Components (indices), band and bits of one scan; tables 0 unless told."""

    components: tuple[int, ...]
    begin: int = 0
    end: int = 63
    high: int = 0
    low: int = 0
    dc_table: int = 0
    ac_table: int = 0
    restart_interval: int | None = None  # a DRI segment before the scan


class _Encoder:
    """One scan's entropy coding; predictors and runs start anew at every restart."""

    def __init__(self, scan: Scan, dc: Huffman, ac: Huffman, bits: Bits) -> None:
        self.scan, self.bits = scan, bits
        self.dc, self.ac = dc.codes(), ac.codes()
        self.predictors: dict[int, int] = {}
        self.run, self.run_bits = 0, []

    def block(self, component: int, values: list[int], *, progressive: bool) -> None:
        """`values`: the block in zigzag order."""
        scan = self.scan
        if scan.begin == 0 and scan.high == 0:
            self._dc(component, values[0] >> scan.low)
        elif scan.begin == 0:
            self.bits.put(values[0] >> scan.low, 1)
        if not progressive:
            self._ac_sequential(values)
        elif scan.begin > 0 and scan.high == 0:
            self._ac_first(values)
        elif scan.begin > 0:
            self._ac_refinement(values)

    def restart(self) -> None:
        self.flush_run()
        self.bits.flush()
        self.predictors = {}

    def _dc(self, component: int, value: int) -> None:
        difference = value - self.predictors.get(component, 0)
        self.predictors[component] = value
        size = abs(difference).bit_length()
        self.bits.put(*self.dc[size])
        self.bits.put_signed(difference, size)

    def _coefficient(self, zeros: int, value: int) -> None:
        for _ in range(zeros // 16):
            self.bits.put(*self.ac[0xF0])
        size = abs(value).bit_length()
        self.bits.put(*self.ac[zeros % 16 << 4 | size])
        self.bits.put_signed(value, size)

    def _ac_sequential(self, values: list[int]) -> None:
        zeros = 0
        for value in values[1:]:
            if value == 0:
                zeros += 1
                continue
            self._coefficient(zeros, value)
            zeros = 0
        if zeros:
            self.bits.put(*self.ac[0])

    def flush_run(self) -> None:
        """The pending run of blocks whose band has ended, and their correction bits."""
        if self.run:
            size = self.run.bit_length() - 1
            self.bits.put(*self.ac[size << 4])
            self.bits.put(self.run, size)
            for bit in self.run_bits:
                self.bits.put(bit, 1)
        self.run, self.run_bits = 0, []

    def _end_band(self, corrections: list[int]) -> None:
        self.run += 1
        self.run_bits += corrections
        if self.run == 0x7FFF:
            self.flush_run()

    def _ac_first(self, values: list[int]) -> None:
        zeros = 0
        for value in values[self.scan.begin : self.scan.end + 1]:
            shifted = (abs(value) >> self.scan.low) * (1 if value >= 0 else -1)
            if shifted == 0:
                zeros += 1
                continue
            self.flush_run()
            self._coefficient(zeros, shifted)
            zeros = 0
        if zeros:
            self._end_band([])

    def _ac_refinement(self, values: list[int]) -> None:
        band = values[self.scan.begin : self.scan.end + 1]
        magnitudes = [abs(value) >> self.scan.low for value in band]
        last_new = max((k for k, m in enumerate(magnitudes) if m == 1), default=-1)
        zeros, corrections = 0, []
        for k, magnitude in enumerate(magnitudes):
            if magnitude == 0:
                zeros += 1
                continue
            while zeros > 15 and k <= last_new:
                self.flush_run()
                self.bits.put(*self.ac[0xF0])
                self._put_all(corrections)
                zeros -= 16
            if magnitude > 1:
                corrections.append(magnitude & 1)
                continue
            self.flush_run()
            self.bits.put(*self.ac[zeros << 4 | 1])
            self.bits.put(band[k] > 0, 1)
            self._put_all(corrections)
            zeros = 0
        if zeros or corrections:
            self._end_band(corrections)

    def _put_all(self, corrections: list[int]) -> None:
        for bit in corrections:
            self.bits.put(bit, 1)
        corrections.clear()


def ceil_div(a: int, b: int) -> int:
    """A / b, rounded up."""
    return -(-a // b)


def block_counts(size_px: tuple[int, int], sampling: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(rows, cols) of each component: ceil(ceil(size * factor / largest factor) / 8), T.81 A.1.1 and A.2.4."""
    (height, width), h_max, v_max = size_px, max(h for h, _ in sampling), max(v for _, v in sampling)
    return [(ceil_div(ceil_div(height * v, v_max), 8), ceil_div(ceil_div(width * h, h_max), 8)) for h, v in sampling]


def random_planes(
    rng: np.random.Generator, size_px: tuple[int, int], sampling: Sequence[tuple[int, int]], *, largest: int = 1023
) -> list[np.ndarray]:
    """Sparse coefficients of all magnitudes up to `largest`: (rows, cols, 8, 8) int16 per component."""
    planes = []
    for rows, cols in block_counts(size_px, sampling):
        shape = (rows, cols, 8, 8)
        magnitude = np.exp(rng.uniform(0, np.log(largest + 1), shape)).astype(np.int16)
        density = rng.choice([0.0, 0.02, 0.2, 1.0], (rows, cols, 1, 1))
        planes.append(magnitude * rng.choice([-1, 1], shape).astype(np.int16) * (rng.random(shape) < density))
    return [plane.astype(np.int16) for plane in planes]


def _block_order(scan: Scan, planes: Sequence[np.ndarray], sampling: Sequence[tuple[int, int]], mcus: tuple[int, int]):
    """The blocks (component, row, col) of every MCU of the scan, in order."""
    if len(scan.components) == 1:
        component = scan.components[0]
        rows, cols = planes[component].shape[:2]
        yield from ([(component, row, col)] for row in range(rows) for col in range(cols))
        return
    for mcu_row, mcu_col in itertools.product(range(mcus[0]), range(mcus[1])):
        yield [
            (component, mcu_row * sampling[component][1] + y, mcu_col * sampling[component][0] + x)
            for component in scan.components
            for y in range(sampling[component][1])
            for x in range(sampling[component][0])
        ]


def scan_data(
    scan: Scan,
    planes: Sequence[np.ndarray],
    sampling: Sequence[tuple[int, int]],
    size_px: tuple[int, int],
    *,
    dc: Huffman,
    ac: Huffman,
    progressive: bool,
    restart_interval: int = 0,
    padding: Sequence[int] = (0,) * 64,
) -> bytes:
    """Entropy-coded data. Blocks that pad the last MCUs hold `padding`, which a reader must throw away."""
    h_max, v_max = max(h for h, _ in sampling), max(v for _, v in sampling)
    mcus = ceil_div(size_px[0], 8 * v_max), ceil_div(size_px[1], 8 * h_max)
    bits = Bits()
    encoder = _Encoder(scan, dc, ac, bits)
    for number, mcu in enumerate(_block_order(scan, planes, sampling, mcus)):
        if restart_interval and number and number % restart_interval == 0:
            encoder.restart()
            bits.done += bytes([0xFF, 0xD0 + (number // restart_interval - 1) % 8])
        for component, row, col in mcu:
            rows, cols = planes[component].shape[:2]
            inside = row < rows and col < cols
            values = planes[component][row, col].reshape(64)[ZIGZAG].tolist() if inside else list(padding)
            encoder.block(component, values, progressive=progressive)
    encoder.restart()
    return bytes(bits.done)


def frame_header(code: int, size_px: tuple[int, int], sampling: Sequence[tuple[int, int]], ids: Sequence[int]) -> bytes:
    """SOF segment; components 1, 2 and 3 use quantisation table 1, if there are so many."""
    parts = [bytes([i, h << 4 | v, min(n, 1)]) for n, (i, (h, v)) in enumerate(zip(ids, sampling, strict=True))]
    return segment(code, struct.pack(">BHHB", 8, *size_px, len(parts)) + b"".join(parts))


def scan_header(scan: Scan, ids: Sequence[int]) -> bytes:
    """SOS segment."""
    chosen = b"".join(bytes([ids[c], scan.dc_table << 4 | scan.ac_table]) for c in scan.components)
    band = bytes([scan.begin, scan.end, scan.high << 4 | scan.low])
    return segment(0xDA, bytes([len(scan.components)]) + chosen + band)


def build(
    planes: Sequence[np.ndarray],
    tables: Sequence[np.ndarray],
    *,
    size_px: tuple[int, int],
    sampling: Sequence[tuple[int, int]],
    scans: Sequence[Scan],
    process: int = BASELINE,
    ids: Sequence[int] | None = None,
    dc: Huffman = DC_FLAT,
    ac: Huffman = AC_FLAT,
    table_bits: int = 8,
    restart_interval: int = 0,
    fill: int = 0,
    padding: Sequence[int] = (0,) * 64,
    head: bytes = b"",
) -> bytes:
    """A whole file.

    Args:
        planes: (rows, cols, 8, 8) int16 per component, quantised.
        tables: One or two (8, 8) tables: of component 0, and of the others.
        size_px: (height, width).
        sampling: (h, v) per component.
        scans: In order.
        process: BASELINE, EXTENDED or PROGRESSIVE.
        ids: Component identifiers; 1, 2, ... unless given.
        dc: DC code, table 0.
        ac: AC code, table 0.
        table_bits: 8 or 16, of the quantisation tables.
        restart_interval: In MCUs, for scans that do not bring their own.
        fill: Fill bytes before every marker segment.
        padding: Contents of padding blocks, zigzag order.
        head: Segments directly after SOI.
    """
    ids = list(ids) if ids is not None else list(range(1, len(planes) + 1))
    parts = [dqt(table, index=i, bits=table_bits) for i, table in enumerate(tables)]
    parts += [frame_header(process, size_px, sampling, ids), dc.dht(ac=False), ac.dht(ac=True)]
    if restart_interval:
        parts.append(segment(0xDD, struct.pack(">H", restart_interval)))
    for scan in scans:
        if scan.restart_interval is not None:
            restart_interval = scan.restart_interval
            parts.append(segment(0xDD, struct.pack(">H", restart_interval)))
        data = scan_data(
            scan,
            planes,
            sampling,
            size_px,
            dc=dc,
            ac=ac,
            progressive=process == PROGRESSIVE,
            restart_interval=restart_interval,
            padding=padding,
        )
        parts.append(scan_header(scan, ids) + data)
    return SOI + head + b"".join(b"\xff" * fill + part for part in parts) + b"\xff" * fill + EOI

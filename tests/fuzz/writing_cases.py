"""Random arguments for `from_planes`, `from_rgb`, `keep` and `write_jpeg`: good ones, and good ones with one fault.

A fault is known to be one, so that what is refused and what is not can both be checked.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from jpeg_builder import block_counts, random_planes

import freqlearn as fl

Random = np.random.Generator
COLOR_SPACES = {1: ("gray",), 2: ("unknown",), 3: ("YCbCr", "YCbCr", "YCbCr", "RGB"), 4: ("CMYK", "YCCK")}
SAMPLINGS = ["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0", ((1, 2), (1, 1), (1, 2)), ((4, 4), (2, 1), (1, 4))]


@dataclass
class Case:
    """What is called, and whether it must be refused.

    Attributes:
        make: Makes the image.
        options: For `write_jpeg`.
        fault: What is wrong with it, "" for nothing.
        change: Done with the image before it is written.
        channels: For `keep`; None: not called.
        damaged: It comes from a damaged file: its coefficients may be beyond what the format holds.
    """

    make: Callable[[], fl.DCTImage]
    options: dict[str, Any]
    fault: str = ""
    change: Callable[[fl.DCTImage], fl.DCTImage] = field(default=lambda image: image)
    channels: Any = None
    damaged: bool = False


def pick(rng: Random, choices: Any) -> Any:
    """One of them, as it is (rng.choice makes arrays)."""
    return choices[int(rng.integers(len(choices)))]


def write_options(rng: Random) -> dict[str, Any]:
    progressive = bool(rng.random() < 0.4)
    return {
        "progressive": progressive,
        "optimise": progressive or bool(rng.random() < 0.7),
        "restart_interval": pick(rng, [0, 0, 1, 2, np.int64(5), 1000, 65535]),
        "metadata": pick(rng, ["keep", "orientation", "none"]),
    }


def _bad_option(rng: Random, case: Case) -> None:
    name, value = pick(
        rng,
        [
            ("restart_interval", -1),
            ("restart_interval", 65536),
            ("restart_interval", 2**70),
            ("restart_interval", 1.5),
            ("restart_interval", "2"),
            ("restart_interval", None),
            ("metadata", "some"),
            ("metadata", None),
            ("metadata", ["keep"]),
            ("standard tables", None),
        ],
    )
    if name == "standard tables":
        case.options |= {"progressive": True, "optimise": False}
    else:
        case.options[name] = value
    case.fault = f"{name}={value!r}"


def _pending(case: Case) -> None:
    case.change = lambda image: image.with_plan(image.plan.hflip())
    case.fault = "a pending plan"


def strided(rng: Random, array: np.ndarray) -> np.ndarray:
    """The same values with other strides."""
    axis = int(rng.integers(array.ndim))
    turned = [
        lambda: array,
        lambda: np.asfortranarray(array),
        lambda: np.flip(np.flip(array, axis).copy(), axis),
        lambda: np.repeat(array, 2, axis).take(range(0, 2 * array.shape[axis], 2), axis),
        lambda: np.repeat(array, 2, axis)[(slice(None),) * axis + (slice(None, None, 2),)],
    ]
    return pick(rng, turned)()


def planes_case(rng: Random) -> Case:
    """Coefficients that a caller brings along."""
    count = pick(rng, [1, 2, 3, 3, 3, 4])
    most = pick(rng, [1, 2, 2, 4])
    sampling = [(int(rng.integers(1, most + 1)), int(rng.integers(1, most + 1))) for _ in range(count)]
    size_px = (int(rng.integers(1, 80)), int(rng.integers(1, 80)))
    if rng.random() < 0.02:
        size_px = pick(rng, [(1, 65535), (65535, 3), (65534, 9)])
    arguments: dict[str, Any] = {
        "planes": [strided(rng, p) for p in random_planes(rng, size_px, sampling, largest=pick(rng, [1, 20, 1023]))],
        "quant_tables": [rng.integers(1, pick(rng, [2, 100, 256, 65536]), (8, 8)) for _ in range(count)],
        "size_px": size_px,
        "sampling": sampling,
        "color_space": pick(rng, COLOR_SPACES[count]),
        "orientation": int(rng.integers(1, 9)),
    }
    case = Case(lambda: fl.DCTImage.from_planes(**arguments), write_options(rng))
    if rng.random() < 0.4:
        pick(rng, [_bad_planes, _bad_planes, _bad_layout, _bad_tables, lambda r, c, _: _bad_option(r, c)])(
            rng, case, arguments
        )
    elif rng.random() < 0.05:
        _pending(case)
    return case


def _bad_planes(rng: Random, case: Case, arguments: dict[str, Any]) -> None:
    i = int(rng.integers(len(arguments["planes"])))
    plane = np.array(arguments["planes"][i])
    block = tuple(int(rng.integers(n)) for n in plane.shape[:2])
    ac = divmod(int(rng.integers(1, 64)), 8)
    value = pick(rng, [1024, -1024, 32767, -32768])
    case.fault = pick(rng, ["AC", "DC", "float32", "NaN", "float64", "int32", "another shape", "no array", "missing"])
    if case.fault == "AC":
        plane[(*block, *ac)] = value
    elif case.fault == "DC":  # further from zero than any difference may be, whatever comes before
        plane[(*block, 0, 0)] = pick(rng, [32767, -32768])
    elif case.fault in ("float32", "float64", "int32"):
        plane = plane.astype(case.fault)
    elif case.fault == "NaN":
        plane = np.full(plane.shape, np.nan, np.float32)
    elif case.fault == "another shape":
        plane = pick(rng, [plane[:, :, :, :4], plane[0], plane.reshape(-1, 64), np.zeros((0, 0, 8, 8), np.int16)])
    elif case.fault == "no array":
        plane = pick(rng, [None, "plane", [[1]], object()])
    arguments["planes"][i] = plane
    if case.fault == "missing":
        del arguments["planes"][i]


def _bad_layout(rng: Random, case: Case, arguments: dict[str, Any]) -> None:
    count = len(arguments["planes"])
    name, value = pick(
        rng,
        [
            ("size_px", (0, 5)),
            ("size_px", (-8, 8)),
            ("size_px", (1000, 8)),
            ("size_px", (2**70, 8)),
            ("size_px", (8.5, 8)),
            ("size_px", (8,)),
            ("size_px", None),
            ("size_px", 8),
            ("sampling", [(0, 1)] * count),
            ("sampling", [(5, 1)] * count),
            ("sampling", [(1.5, 1)] * count),
            ("sampling", [(1, 1)] * (count + 1)),
            ("sampling", [(1,)] * count),
            ("sampling", 5),
            ("color_space", "Lab"),
            ("color_space", COLOR_SPACES[count % 4 + 1][0]),
            ("orientation", 0),
            ("orientation", 9),
            ("orientation", "up"),
            ("orientation", None),
            ("65,536 px", None),
        ],
    )
    case.fault = f"{name}={value!r}"
    if name == "65,536 px":
        size_px = pick(rng, [(65536, 1), (1, 65536)])
        counts = block_counts(size_px, [(1, 1)])
        planes = [np.zeros((*counts[0], 8, 8), np.int16) for _ in range(count)]
        arguments |= {"size_px": size_px, "sampling": None, "planes": planes}
    else:
        arguments[name] = value


def _bad_tables(rng: Random, case: Case, arguments: dict[str, Any]) -> None:
    tables, case.fault = _faulty_tables(rng, arguments["quant_tables"])
    arguments["quant_tables"] = tables


def _faulty_tables(rng: Random, tables: list[np.ndarray]) -> tuple[list[Any], str]:
    fault = pick(rng, ["missing", "one too many", "zero", "65,536", "negative", "float", "another shape", "no array"])
    i, place = int(rng.integers(len(tables))), tuple(int(n) for n in rng.integers(0, 8, 2))
    changed: list[Any] = [np.array(table) for table in tables]
    values = {"zero": 0, "65,536": 65536, "negative": -1}
    if fault in values:
        changed[i][place] = values[fault]
    elif fault == "float":
        changed[i] = changed[i] * 1.0
    elif fault == "another shape":
        changed[i] = pick(rng, [changed[i].reshape(64), changed[i][:7], np.zeros((0, 0), int)])
    elif fault == "no array":
        changed[i] = pick(rng, [None, "table", {}])
    elif fault == "missing":
        del changed[i]
    else:
        changed.append(changed[i])
    return changed, f"tables: {fault}"


def pixels_case(rng: Random) -> Case:
    """Pixels that are encoded, with some channels or all; any result can be written."""
    height, width = (int(n) for n in rng.integers(1, 90, 2))
    shape = (height, width, 3) if rng.random() < 0.8 else (height, width)
    pixels = rng.integers(0, 256, shape, np.uint8)
    if rng.random() < 0.3:  # as large as coefficients get
        pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
    arguments: dict[str, Any] = {"pixels": strided(rng, pixels), "channels": good_channels(rng)}
    if len(shape) == 3:
        arguments["sampling"] = pick(rng, SAMPLINGS)
    tables = [rng.integers(1, pick(rng, [2, 100, 65536]), (8, 8)) for _ in range(3 if len(shape) == 3 else 1)]
    if rng.random() < 0.4:
        arguments["quant_tables"] = tables
    elif rng.random() < 0.9:
        arguments["quality"] = int(rng.integers(1, 101))
    case = Case(lambda: fl.DCTImage.from_rgb(**arguments), write_options(rng))
    if rng.random() < 0.4:
        pick(rng, [_bad_pixels, _bad_encoding])(rng, case, arguments, tables)
    elif rng.random() < 0.3:
        _keep(rng, case)
    return case


def _keep(rng: Random, case: Case) -> None:
    case.channels = good_channels(rng)
    if rng.random() < 0.3:
        case.channels, case.fault = bad_channels(rng)


def good_channels(rng: Random) -> Any:
    """None, a published set, or any channels in any order."""
    if rng.random() < 0.4:
        return None
    if rng.random() < 0.2:
        return fl.ChannelSet.square(pick(rng, [24, 32, 48, 64]))
    chosen = rng.permutation(192)[: int(rng.integers(1, 193))]
    return pick(rng, [chosen, chosen.tolist(), tuple(chosen), iter(chosen.tolist()), fl.ChannelSet.of(chosen)])


def bad_channels(rng: Random) -> tuple[Any, str]:
    """Channels that are none, and what they are."""
    channels = pick(rng, [[], [192], [-1], [0, 0], [1.5], ["Y"], "all", 24, [2**70], [None], np.zeros((2, 2), int)])
    return channels, f"channels={channels!r}"


def _bad_pixels(rng: Random, case: Case, arguments: dict[str, Any], _: list[np.ndarray]) -> None:
    pixels = np.asarray(arguments["pixels"])
    case.fault = pick(rng, ["dtype", "list", "4 colours", "empty", "1 axis", "4 axes", "nothing"])
    arguments["pixels"] = {
        "dtype": pixels.astype(pick(rng, [np.uint16, np.int8, np.float32, bool, object])),
        "list": pixels.tolist(),
        "4 colours": np.zeros((*pixels.shape[:2], pick(rng, [1, 2, 4])), np.uint8),
        "empty": pixels[: pick(rng, [0, 1]), :0],
        "1 axis": pixels.ravel(),
        "4 axes": np.zeros((1, *pixels.shape[:2], 3), np.uint8),
        "nothing": None,
    }[case.fault]


def _bad_encoding(rng: Random, case: Case, arguments: dict[str, Any], tables: list[np.ndarray]) -> None:
    gray = np.ndim(arguments["pixels"]) == 2
    kind = pick(rng, ["quality", "tables", "both", "channels"] + ([] if gray else ["sampling"] * 2))
    if kind == "quality":
        value = pick(rng, [0, 101, -1, 2**70, 75.5, "75"])
        arguments.pop("quant_tables", None)
        arguments["quality"], case.fault = value, f"quality={value!r}"
    elif kind == "tables":
        arguments.pop("quality", None)
        arguments["quant_tables"], case.fault = _faulty_tables(rng, tables)
    elif kind == "both":
        arguments |= {"quality": 50, "quant_tables": tables}
        case.fault = "quality and tables"
    elif kind == "channels":
        arguments["channels"], case.fault = bad_channels(rng)
    else:
        choices = ["4:3:3", "", None, 5, [(2, 2)], [(0, 1)] * 3, [(5, 1)] * 3, [(3, 1), (2, 1), (1, 1)], [(1.5, 1)] * 3]
        arguments["sampling"] = pick(rng, choices)
        case.fault = f"sampling={arguments['sampling']!r}"


def damaged_case(rng: Random, files: list[bytes]) -> Case | None:
    """What strict=False reads of a damaged file with its metadata; None if nothing."""
    data = bytearray(pick(rng, files))
    for _ in range(int(rng.integers(0, 5))):
        at = int(rng.integers(2, len(data)))
        if rng.random() < 0.7:
            data[at] = int(rng.integers(256))
        elif rng.random() < 0.5:
            del data[at : at + int(rng.integers(1, 20))]
        else:
            data[at:at] = rng.bytes(int(rng.integers(1, 20)))
    try:
        image = fl.read_dct(bytes(data), decoder="native", strict=False, max_pixels=1 << 20)
    except fl.JpegError:
        return None
    case = Case(lambda: image, write_options(rng), damaged=True)
    if rng.random() < 0.3 and image.color_space in ("gray", "YCbCr"):
        _keep(rng, case)
    return case

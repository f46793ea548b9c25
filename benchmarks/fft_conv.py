"""From which kernel size on convolution by FFT is faster than `torch.nn.functional.conv2d` here.

    python -m benchmarks.fft_conv [--kernels 3,5,7,...] [--rounds 5]

One image, one thread, float32, padding that keeps the size. Each kernel size is measured three ways in turn, round by
round, in one process: F.conv2d, `fft_conv2d`, and `fft_conv2d` with a kernel that was transformed beforehand, as in
inference. Times are the processor's for this thread, so that other programs do not count; the least of some rounds.
Reported is the speed-up, F.conv2d's time by the other's: above 1 the FFT is faster. Another processor, another library
of convolutions have other crossovers.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F

from benchmarks.report import table, write
from freqlearn.spectrum import fft_conv2d, kernel_spectrum

KERNELS = (3, 5, 7, 8, 11, 15, 21, 31)


@dataclass(frozen=True)
class Layer:
    """A convolution but for its kernel size."""

    channels: int
    outputs: int
    groups: int
    size_px: int

    def __str__(self) -> str:
        kind = "depthwise" if self.groups > 1 else f"to {self.outputs}"
        return f"{self.channels} {kind}, {self.size_px} px"


LAYERS = (
    Layer(1, 1, 1, 256),
    Layer(3, 64, 1, 112),
    Layer(16, 16, 1, 56),
    Layer(64, 64, 1, 56),
    Layer(256, 256, 1, 14),
    Layer(64, 64, 64, 56),
)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One kernel size of one layer.

    Attributes:
        layer: The layer, in words.
        kernel: Height and width of the kernel.
        conv2d_ms: Least time of F.conv2d.
        fft_ms: Least time of fft_conv2d.
        prepared_ms: The same without the kernel's transform.
        speed_up: conv2d_ms by fft_ms.
        speed_up_prepared: conv2d_ms by prepared_ms.
        error: Largest difference by the largest value of the result.
    """

    layer: str
    kernel: int
    conv2d_ms: float
    fft_ms: float
    prepared_ms: float
    speed_up: float
    speed_up_prepared: float
    error: float


@torch.inference_mode()
def measure(layer: Layer, kernel: int, *, rounds: int) -> Measurement:
    """Measure one kernel size."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, layer.channels, layer.size_px, layer.size_px, generator=generator)
    weight = torch.randn(layer.outputs, layer.channels // layer.groups, kernel, kernel, generator=generator)
    # An even kernel cannot keep the size with the same padding on both sides: one pixel more, for all three.
    padding = kernel // 2
    side = layer.size_px + 2 * padding
    spectrum = kernel_spectrum(weight, (side, side))
    ways: list[Callable[[], torch.Tensor]] = [
        lambda: F.conv2d(image, weight, padding=padding, groups=layer.groups),
        lambda: fft_conv2d(image, weight, padding=padding, groups=layer.groups),
        lambda: fft_conv2d(image, weight, padding=padding, groups=layer.groups, spectrum=spectrum),
    ]
    expected, found = ways[0](), ways[1]()  # also what oneDNN and the FFT plan at first use
    least = [float("inf")] * len(ways)
    for _ in range(rounds):
        for index, way in enumerate(ways):
            start = time.thread_time()
            way()
            least[index] = min(least[index], time.thread_time() - start)
    conv2d, fft, prepared = least
    return Measurement(
        layer=str(layer),
        kernel=kernel,
        conv2d_ms=1e3 * conv2d,
        fft_ms=1e3 * fft,
        prepared_ms=1e3 * prepared,
        speed_up=conv2d / fft,
        speed_up_prepared=conv2d / prepared,
        error=float((found - expected).abs().max() / expected.abs().max()),
    )


def crossover(speed_ups: dict[int, float]) -> int | None:
    """The kernel size from which on the FFT is faster; None if it is not at the largest."""
    sizes = sorted(speed_ups, reverse=True)
    slower = next((place for place, size in enumerate(sizes) if speed_ups[size] <= 1), len(sizes))
    return sizes[slower - 1] if slower else None


def summary(found: list[Measurement], kernels: list[int]) -> list[dict[str, object]]:
    """A row a layer: the speed-up at every kernel size, with the kernel transformed beforehand in brackets."""
    rows: list[dict[str, object]] = []
    for layer in dict.fromkeys(entry.layer for entry in found):
        of_layer = {entry.kernel: entry for entry in found if entry.layer == layer}
        row: dict[str, object] = {"channels, map": layer}
        for kernel in kernels:
            row[str(kernel)] = f"{of_layer[kernel].speed_up:.2f} ({of_layer[kernel].speed_up_prepared:.2f})"
        faster = crossover({kernel: entry.speed_up for kernel, entry in of_layer.items()})
        prepared = crossover({kernel: entry.speed_up_prepared for kernel, entry in of_layer.items()})
        row["faster from"] = f"{faster or 'never'} ({prepared or 'never'})"
        rows.append(row)
    return rows


def main() -> None:
    """Print the table and write runs/benchmarks/fft_conv.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", default=",".join(map(str, KERNELS)), help="kernel sizes (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="times to measure each (default: %(default)s)")
    options = parser.parse_args()
    kernels = sorted({int(part) for part in options.kernels.split(",")})
    torch.set_num_threads(1)
    found = []
    for layer in LAYERS:
        for kernel in kernels:
            found.append(measure(layer, kernel, rounds=options.rounds))
            print(f"{layer}, kernel {kernel}: {found[-1].speed_up:.2f} x", flush=True)
    print()
    print(table(summary(found, kernels)))
    print(f"(speed-up of fft_conv2d; in brackets with the kernel transformed beforehand; least of {options.rounds})")
    print(f"largest difference by largest value: {max(entry.error for entry in found):.1e}")
    print(f"written: {write('fft_conv', {'rows': [asdict(entry) for entry in found]})}")


if __name__ == "__main__":
    main()

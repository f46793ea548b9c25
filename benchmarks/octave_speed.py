"""Inference of Oct-ResNet-50 on the CPU: alpha 0 beside 0.25 and 0.5, folded alike, by turns in one process.

    python -m benchmarks.octave_speed [--modes eager compiled] [--formats contiguous channels-last] [--batches 1 8]
                                      [--alphas 0.25 0.5] [--rounds 20] [--unfolded]

One thread, float32, 224 px. Both sides are `freqlearn.models.octave.fold` of a network, torchvision's ResNet-50 at
alpha 0; "compiled" is torch.compile with frozen weights on both sides. A ratio is the plain network's time over the
octave one's in the same round; computed time leaves out what the process had to wait for a busy machine. The last
column is the ratio of multiply-accumulates: what it would be if nothing else cost time.
"""

import argparse
import functools
import statistics
from collections.abc import Callable, Mapping

import torch
import torchvision
from torch import Tensor, nn

from benchmarks.report import table, write
from freqlearn.models import octave
from freqlearn.pipelines.bench.timing import Ratio, Timing, clocked, threads
from freqlearn.pipelines.costs import macs

FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
MODES = ("eager", "compiled")
SIZE_PX = 224
# On the authors' machine, with TVM, 1 picture: Table 2 of arXiv 1904.05049 (alpha: ms).
PUBLISHED_MS = {0.0: 115.0, 0.25: 99.0, 0.5: 74.0}


def network(alpha: float) -> nn.Module:
    """ResNet-50 at this alpha, with random weights: they change no time."""
    torch.manual_seed(0)
    return torchvision.models.resnet50() if alpha == 0 else octave.oct_resnet50(alpha)


@functools.cache
def count(alpha: float) -> int:
    """Multiply-accumulates of one picture, unfolded."""
    with torch.device("meta"):
        return macs(network(alpha).eval(), torch.empty(1, 3, SIZE_PX, SIZE_PX))


def ready(alpha: float, *, mode: str, memory_format: torch.memory_format, folded: bool) -> Callable[[Tensor], Tensor]:
    """The network as it is timed."""
    model = network(alpha).eval()
    model = (octave.fold(model) if folded else model).to(memory_format=memory_format)
    return torch.compile(model) if mode == "compiled" else model


def alternate(calls: Mapping[float, Callable[[], object]], rounds: int) -> dict[float, Timing]:
    """Milliseconds a call, every round each once, in an order that turns."""
    timings = {name: Timing() for name in calls}
    names = list(calls)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            wall, cpu = clocked(calls[name])
            timings[name].wall.append(1e3 * wall)
            timings[name].cpu.append(1e3 * cpu)
    return timings


def measure(
    alphas: list[float], *, mode: str, format_name: str, batch: int, rounds: int, folded: bool
) -> list[dict[str, object]]:
    """Time one setting; a row for each alpha, 0 first."""
    memory_format = FORMATS[format_name]
    pictures = torch.randn(batch, 3, SIZE_PX, SIZE_PX).contiguous(memory_format=memory_format)
    torch.compiler.reset()
    calls: dict[float, Callable[[], object]] = {}
    for alpha in [0.0, *alphas]:
        model = ready(alpha, mode=mode, memory_format=memory_format, folded=folded)
        calls[alpha] = functools.partial(model, pictures)
        for _ in range(2):  # compile, and fill caches
            calls[alpha]()
    timings = alternate(calls, rounds)
    rows: list[dict[str, object]] = []
    for alpha, timing in timings.items():
        wall, cpu = Ratio.of(timings[0.0], timing), Ratio.of_cpu(timings[0.0], timing)
        rows.append(
            {
                "mode": mode,
                "format": format_name,
                "batch": batch,
                "folded": folded,
                "alpha": alpha,
                "macs": count(alpha),
                "wall_ms": timing.wall,
                "cpu_ms": timing.cpu,
                "ratio_wall": wall.median,
                "ratio_wall_spread": [min(wall.rounds), max(wall.rounds)],
                "ratio_cpu": cpu.median,
                "ratio_cpu_spread": [min(cpu.rounds), max(cpu.rounds)],
                "ratio_of_minima": min(timings[0.0].cpu) / min(timing.cpu),
                "ratio_macs": count(0.0) / count(alpha),
                "ratio_published": PUBLISHED_MS[0.0] / PUBLISHED_MS[alpha] if alpha in PUBLISHED_MS else None,
            }
        )
    return rows


def row(result: Mapping[str, object]) -> dict[str, object]:
    """The same for people, times for one picture."""
    batch, published = result["batch"], result["ratio_published"]
    wall, cpu = ([ms / batch for ms in result[f"{clock}_ms"]] for clock in ("wall", "cpu"))
    low, high = result["ratio_cpu_spread"]
    return {
        "mode": result["mode"] + ("" if result["folded"] else ", unfolded"),
        "format": result["format"],
        "batch": batch,
        "alpha": f"{result['alpha']:g}",
        "wall ms": f"{statistics.median(wall):.1f}",
        "computed ms": f"{statistics.median(cpu):.1f}",
        "least": f"{min(cpu):.1f}",
        "times as fast": f"{result['ratio_cpu']:.2f} ({low:.2f}-{high:.2f})",
        "of least": f"{result['ratio_of_minima']:.2f}",
        "published": "" if published is None else f"{published:.2f}",
        "by MACs": f"{result['ratio_macs']:.2f}",
    }


def main() -> None:
    """Print the table and write runs/benchmarks/octave_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=list(FORMATS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8], help="pictures a call")
    parser.add_argument("--alphas", nargs="+", type=float, default=[0.25, 0.5], help="compared with alpha 0")
    parser.add_argument("--rounds", type=int, default=20, help="calls of each network")
    parser.add_argument("--unfolded", action="store_true", help="also without folding, on both sides")
    arguments = parser.parse_args()
    results: list[dict[str, object]] = []
    with (
        threads(1),
        torch.inference_mode(),
        # The weights are constants: the compiler may lay them out as its convolutions want them.
        torch._inductor.config.patch(freezing=True),
    ):
        for mode in arguments.modes:
            for format_name in arguments.formats:
                for batch in arguments.batches:
                    for folded in (True, False) if arguments.unfolded else (True,):
                        results += measure(
                            arguments.alphas,
                            mode=mode,
                            format_name=format_name,
                            batch=batch,
                            rounds=arguments.rounds,
                            folded=folded,
                        )
                        path = write("octave_speed", {"rows": results})
        print(table([row(result) for result in results]))
    print(f"written: {path}")


if __name__ == "__main__":
    main()

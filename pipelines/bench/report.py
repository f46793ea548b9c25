"""Tables of what was measured, as text or as Markdown."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from freqlearn.pipelines.bench import coefficients, profile, rgb
from freqlearn.pipelines.bench.floor import Symbols
from freqlearn.pipelines.bench.timing import Ratio, Timing
from freqlearn.pipelines.bench.workloads import DCTNET, batch_row, dali_row
from freqlearn.pipelines.tables import table

# The pipeline starts anew; what docs/performance.md assumes of this machine.
_MISPREDICTED_CYCLES = 18

# What is compared, of which {ours} is the row; workload; row that it is compared with; row of ours, if not the usual.
_SUMMARY = (
    ("read_dct against libjpeg's jpeg_read_coefficients in C", "coefficients", coefficients.LIBJPEG),
    ("read_dct against jpeg2dct.loads", "coefficients", coefficients.JPEG2DCT),
    ("training transform to DCT-24 against torchvision tensors RGB 224", "training", rgb.row(rgb.TORCHVISION, 224)),
    ("the same against torchvision tensors RGB 448", "training", rgb.row(rgb.TORCHVISION, 448)),
    ("the same against TorchCodec RGB 224", "training", rgb.row(rgb.TORCHCODEC, 224)),
    ("the same against simplejpeg + OpenCV RGB 224", "training", rgb.row(rgb.SIMPLEJPEG, 224)),
    ("the same against the Pillow recipe RGB 224", "training", rgb.row(rgb.PILLOW, 224)),
    ("the same against DALI on the CPU RGB 224", "training", rgb.row(rgb.DALI, 224)),
    ("the same against DCTNet's recipe", "training", DCTNET),
    ("the same against our own DCT-192", "training", "freqlearn, DCT-192"),
    ("evaluation transform to DCT-24 against torchvision tensors RGB 224", "evaluation", rgb.row(rgb.TORCHVISION, 224)),
    ("{ours} against 1", "batches", batch_row(1)),
    ("{ours}, against DALI's", "batches", dali_row(1), batch_row(1)),
    ("12 megapixels to DCT-24 against torchvision decode + resize 448", "large", rgb.row(rgb.TORCHVISION, 448)),
    ("the same against Pillow with draft", "large", rgb.row(rgb.PILLOW_DRAFT, 448)),
)


@dataclass(frozen=True)
class Section:
    """A table with its title and what a reader must know of it."""

    key: str
    title: str
    rows: list[dict[str, object]]
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For a terminal."""
        return "\n".join([self.title, "", table(self.rows), *(f"  {note}" for note in self.notes)])

    def markdown(self) -> str:
        """For a page; without the title."""
        if not self.rows:
            return "\n\n".join(self.notes)
        head = list(self.rows[0])
        lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
        lines += ["| " + " | ".join(str(row[key]) for key in head) + " |" for row in self.rows]
        return "\n\n".join(["\n".join(lines), *(f"{note[0].upper()}{note[1:]}." for note in self.notes)])


def sections(result: Mapping[str, Any]) -> list[Section]:
    """Tables of a result of `running.run`, the summary first."""
    timed = [_times(key, found) for key, found in result["workloads"].items()]
    return [
        *_summary(result["workloads"]),
        *timed,
        *(_memory(result["memory"]) if "memory" in result else ()),
        *(_networks(result["networks"]) if "networks" in result else ()),
        *(_profile(result["profile"], result["workloads"]) if result.get("profile") else ()),
    ]


def heading(result: Mapping[str, Any]) -> str:
    """One paragraph: photos and machine; then a line for each photo that is damaged, if there are any."""
    machine, photos = result["machine"], result["photos"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items() if name != "libjpeg")
    libjpeg = machine["versions"].get("libjpeg")
    gpu = f", {machine['gpu']}" if "gpu" in machine else ""
    return (
        f"{photos['files']} photos of {photos['folder']}, {photos['mean_bytes'] / 1e3:.0f} kB on average; "
        f"{machine['cpu']}, {machine['cores']} cores{gpu}, {machine['system']}, Python {machine['python']}; {versions}"
        + (f", {libjpeg}" if libjpeg else "")
        + "".join(f"\nphoto left out: {path}: {why}" for path, why in photos.get("left_out", {}).items())
    )


def _timings(found: Mapping[str, Any]) -> dict[str, Timing]:
    return {name: Timing(**times) for name, times in found["ms"].items()}


def _summary(found: Mapping[str, Any]) -> list[Section]:
    rows: list[dict[str, object]] = []
    for what, key, other, *other_ours in _SUMMARY:
        if key in found:
            timings = _timings(found[key])
            row_of_ours = other_ours[0] if other_ours else found[key]["ours"]
            ours = timings.get(row_of_ours)
            if ours is not None and other in timings and ours is not timings[other]:
                rows.append(
                    {
                        "how many times as fast": what.format(ours=row_of_ours),
                        "median (least-most)": str(Ratio.of(timings[other], ours)),
                        "by processor time": "-" if key == "batches" else str(Ratio.of_cpu(timings[other], ours)),
                    }
                )
    return [Section("summary", "Summary", rows)] if rows else []


def _times(key: str, found: Mapping[str, Any]) -> Section:
    timings = _timings(found)
    ours = timings.get(found["ours"])
    rows: list[dict[str, object]] = [
        {
            "": name,
            "ms a photo": f"{timing.median:.2f}",
            "least-most": f"{min(timing.wall):.2f}-{max(timing.wall):.2f}",
            "times ours": "1" if timing is ours else str(Ratio.of(timing, ours)) if ours is not None else "-",
        }
        for name, timing in timings.items()
    ]
    notes = [f"{found['photos']} photos, median of {found['rounds']} rounds; ours is the row '{found['ours']}'"]
    notes += [f"left out: {name}: {why}" for name, why in found["missing"].items()]
    notes += [f"photo left out: {path}: {why}" for path, why in found["left_out"].items()]
    notes += _doubts(key, timings)
    return Section(key, found["title"], rows, notes)


def _doubts(key: str, timings: Mapping[str, Timing]) -> Iterator[str]:
    """What the processor's clock says of the wall's."""
    if key == "batches" or not timings:
        return
    for name, timing in timings.items():
        used = sum(timing.cpu) / sum(timing.wall)
        if used > 1.1:
            yield f"{name} used {used:.1f} cores"
    waited = 1 - sum(sum(t.cpu) for t in timings.values()) / sum(sum(t.wall) for t in timings.values())
    if waited > 0.1:
        yield f"the machine was busy with other work for {100 * waited:.0f} % of the time: trust ratios, not times"


def _memory(found: Mapping[str, Any]) -> Iterator[Section]:
    titles = {
        "training": "Memory, training transform: what the process needs at most above what it has before",
        "large": "Memory, 12-megapixel photos: likewise",
    }
    for key, one in found.items():
        rows: list[dict[str, object]] = [
            {"": name, "MB added": f"{mb['added']:.1f}", "MB before": f"{mb['before']:.0f}"}
            for name, mb in one["mb"].items()
        ]
        notes = [f"{one['photos']} photos one after the other, each row in a process of its own"]
        notes += [f"left out: {name}: {why}" for name, why in one["missing"].items()]
        yield Section(f"memory-{key}", titles[key], rows, notes)


def _networks(found: Sequence[Mapping[str, Any]]) -> Iterator[Section]:
    rows: list[dict[str, object]] = []
    for row in found:
        rows.append(
            {
                "": f"{row['network']}, {row['device']}",
                "GMACs": f"{row['gmacs']:.2f}",
                "forward, ms an image": _spread(row["forward_ms"]),
                "training step, ms an image": _spread(row["step_ms"]),
            }
        )
    if found:
        cpu = found[0]
        yield Section(
            "networks",
            "ResNet-50: forward pass and training step",
            rows,
            [f"batches of {cpu['batch_size']} and {cpu['threads']} threads on the CPU; synthetic input, no loading"],
        )


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def _profile(found: Mapping[str, Any], timed: Mapping[str, Any]) -> Iterator[Section]:
    timings = {name: Timing(**times) for name, times in found["ms"].items()}
    yield _steps(timings)
    yield _instruction_sets({name: Timing(**times) for name, times in found["sets_ms"].items()})
    libjpeg = timed.get("coefficients", {}).get("ms", {}).get(coefficients.LIBJPEG)
    decoders = {"read_dct": timings[profile.DECODE]} | ({"libjpeg": Timing(**libjpeg)} if libjpeg else {})
    yield _floor(Symbols(**found["symbols"]), decoders, found["chain_ns"], found.get("chain_missing"))


def _steps(timings: Mapping[str, Timing]) -> Section:
    whole = timings[profile.FULL].median
    rows: list[dict[str, object]] = [
        {"": name, "ms a photo": f"{timing.median:.3f}", "of the transform": f"{100 * timing.median / whole:.0f} %"}
        for name, timing in timings.items()
    ]
    return Section(
        "profile",
        "Where the time goes: the same call with less left to do",
        rows,
        ["the transform is the plan, made from headers and check, and the native call; the rest of it is Python"],
    )


def _instruction_sets(timings: Mapping[str, Timing]) -> Section:
    first: dict[str, Timing] = {}
    rows: list[dict[str, object]] = []
    for name, timing in timings.items():
        slowest = first.setdefault(name.partition(", ")[0], timing)
        rows.append(
            {
                "": name,
                "ms a photo": f"{timing.median:.2f}",
                "times as fast as the first": str(Ratio.of(slowest, timing)),
            }
        )
    return Section("instruction-sets", "The native code by instruction set, chosen at run time", rows)


def _floor(
    symbols: Symbols, decoders: Mapping[str, Timing], chain_ns: Mapping[str, float] | None, missing: str | None
) -> Section:
    facts = {
        "bytes a file": f"{symbols.bytes:,.0f}",
        "blocks a file": f"{symbols.blocks:,.0f}",
        "symbols a file": f"{symbols.symbols:,.0f}",
        "bits a symbol": f"{symbols.bits_per_symbol:.2f}",
    }
    for name, timing in decoders.items():
        facts[f"{name}, ns a symbol"] = f"{timing.median * 1e6 / symbols.symbols:.2f}"
    if chain_ns:
        cycle, link = chain_ns["addition"], chain_ns["lookup"]
        look_ups_ms = symbols.symbols * link / 1e6
        mispredicted_ms = symbols.blocks * _MISPREDICTED_CYCLES * cycle / 1e6
        facts |= {
            "one cycle here, ns (a chain of additions)": f"{cycle:.3f}",
            "one link of shift, load, shift here, ns": f"{link:.2f}",
            "floor with one symbol a look-up, ms a file": f"{look_ups_ms:.3f}",
            "floor with two symbols a look-up": f"{look_ups_ms / 2:.3f}",
            f"one symbol a look-up and one mispredicted branch ({_MISPREDICTED_CYCLES} cycles) a block": (
                f"{look_ups_ms + mispredicted_ms:.3f}"
            ),
        }
    notes = [] if chain_ns else [f"no floor: {missing}"]
    rows: list[dict[str, object]] = [{"": name, "value": value} for name, value in facts.items()]
    return Section("floor", "What the files ask for, and the floor", rows, notes)

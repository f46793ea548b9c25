"""Whether boxes and masks go where torchvision's RGB pipeline puts them, and where the picture has them.

    python -m benchmarks.boxes [--plans N]

Random plans (resizes, crops, flips, jitter, EXIF orientation, odd sizes) on generated pictures and, where
$FREQLEARN_DATA/coco-seg is, on its photos with their own boxes and masks. Two questions:

1. The largest deviation of a box's coordinate, and the share of mask pixels that differ, from torchvision's v2
   transforms of tv_tensors with the same seed.
2. Each picture has a rectangle in a frame drawn into it. Its edges are measured, to a fraction of a pixel, in the
   picture that our frequency tensor holds and in torchvision's RGB picture: how far from the transformed box?
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchmarks.box_cases import CHANNELS, OUTER, RECTANGLE, Case, Scene, annotated, cases, generated, scene
from benchmarks.edges import Edge, measure
from benchmarks.report import table, write
from freqlearn.color import RGB_TO_YCBCR
from freqlearn.detection_presets import UPSCALE
from freqlearn.reconstruction import to_ycbcr

MEASURED = {"Y": 0, "Cb": 1}


@dataclass
class Agreement:
    """What came of the plans of one kind."""

    plans: int = 0
    boxes: int = 0
    mask_pixels: int = 0
    mask_pixels_differing: int = 0
    largest_px: float = 0.0
    deviations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def largest(self, what: str) -> float:
        """The largest deviation measured, px; NaN if there was none."""
        return max(self.deviations[what], default=float("nan"))

    def edges(self) -> list[dict[str, object]]:
        """For the screen: a line for each thing measured."""
        return [
            {
                "": what,
                "edges": len(values),
                "rms px": f"{np.sqrt(np.mean(np.square(values))):.3f}",
                "max px": f"{max(values):.3f}",
            }
            for what, values in sorted(self.deviations.items())
            if values
        ]

    def summary(self) -> dict[str, object]:
        """For the JSON."""
        return {
            "plans": self.plans,
            "boxes": self.boxes,
            "boxes_largest_px": self.largest_px,
            "mask_pixels": self.mask_pixels,
            "mask_pixels_differing": self.mask_pixels_differing,
            "edges": self.edges(),
        }


def summed(results: Iterable[Agreement]) -> Agreement:
    """All plans together."""
    total = Agreement()
    for result in results:
        total.plans += result.plans
        total.boxes += result.boxes
        total.mask_pixels += result.mask_pixels
        total.mask_pixels_differing += result.mask_pixels_differing
        total.largest_px = max(total.largest_px, result.largest_px)
        for what, values in result.deviations.items():
            total.deviations[what] += values
    return total


def compare(case: Case, picture: Scene, seed: int, result: Agreement) -> None:
    """Run both pipelines with one seed and add what came of it."""
    torch.manual_seed(seed)
    maps, ours = case.ours(picture.jpeg, picture.target())
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    pixels, theirs = case.theirs(picture.jpeg, picture.target())
    if not torch.equal(state, torch.get_rng_state()):
        raise RuntimeError(f"{case.name}: the pipelines drew different random numbers")
    size_px = ours["boxes"].canvas_size
    if size_px != theirs["boxes"].canvas_size or ours["labels"].tolist() != theirs["labels"].tolist():
        raise RuntimeError(f"{case.name}: the pipelines kept other boxes, or differ in size")
    result.plans += 1
    result.boxes += len(ours["boxes"])
    if len(ours["boxes"]):
        result.largest_px = max(result.largest_px, float((ours["boxes"] - theirs["boxes"]).abs().max()))
    result.mask_pixels += ours["masks"].numel()
    result.mask_pixels_differing += int((ours["masks"] != theirs["masks"]).sum())

    labels = ours["labels"].tolist()
    if RECTANGLE not in labels or OUTER not in labels:
        return
    height, width = size_px
    reconstructed = to_ycbcr(maps, CHANNELS)[: UPSCALE * height, : UPSCALE * width]
    rgb = np.einsum("ij,jhw->hwi", RGB_TO_YCBCR, 255 * pixels.numpy().astype(np.float64))
    # torchvision's boxes for both: nothing of ours takes part in what is expected.
    box, frame = (theirs["boxes"][labels.index(which)].tolist() for which in (RECTANGLE, OUTER))
    for name, component in MEASURED.items():
        found = {
            f"freqlearn {name}": measure(reconstructed[..., component], box, frame, scale=UPSCALE),
            f"RGB {name}": measure(rgb[..., component], box, frame),
        }
        for which, edges in found.items():
            result.deviations[which] += [edge.deviation_px for edge in edges]
        result.deviations[f"apart {name}"] += _apart(*found.values())


def _apart(ours: list[Edge], theirs: list[Edge]) -> list[float]:
    """How far the two pipelines' edges are from each other, px."""
    return [abs(a.measured_px - b.measured_px) for a, b in zip(ours, theirs, strict=True)]


def scenes(rng: np.random.Generator, photos: Path | None) -> Iterator[Scene]:
    """Generated pictures; half of them photos with their boxes and masks, where there are photos."""
    real = list(annotated(photos)) if photos else []
    while True:
        if not real or rng.random() < 0.5:
            yield scene(generated(rng), rng, orientation=int(rng.integers(1, 9)))
            continue
        picture, boxes, masks = real[int(rng.integers(len(real)))]
        drawn = scene(picture.copy(), rng, orientation=int(rng.integers(1, 9)))
        yield Scene(drawn.jpeg, drawn.size_px, torch.cat([drawn.boxes[:2], boxes]), torch.cat([drawn.masks[:2], masks]))


def run(plans: int, photos: Path | None) -> dict[str, Agreement]:
    """At least `plans` plans, as many of each kind."""
    rng = np.random.default_rng(0)
    results: dict[str, Agreement] = defaultdict(Agreement)
    pictures = scenes(rng, photos)
    while sum(result.plans for result in results.values()) < plans:
        for case in cases(rng):
            compare(case, next(pictures), int(rng.integers(1 << 31)), results[case.name])
    return results


def rows(results: dict[str, Agreement]) -> list[dict[str, object]]:
    """For the screen: a line a kind of plan."""
    return [
        {
            "plan": name,
            "plans": result.plans,
            "boxes": result.boxes,
            "boxes, max px": f"{result.largest_px:.1e}",
            "mask pixels differing": f"{result.mask_pixels_differing / max(1, result.mask_pixels):.3%}",
            "edges": len(result.deviations["freqlearn Y"]),
            **{f"{what}, max px": f"{result.largest(what):.3f}" for what in ("freqlearn Y", "RGB Y")},
        }
        for name, result in results.items()
    ]


def main() -> int:
    """Compare, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boxes", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--plans", type=int, default=220, help="at least so many; default: %(default)s")
    plans = parser.parse_args().plans
    data = os.environ.get("FREQLEARN_DATA")
    photos = Path(data) / "coco-seg" if data else None
    results = run(plans, photos)
    print(table(rows(results)))
    total = summed(results.values())
    print(
        f"\n{total.plans} plans: boxes at most {total.largest_px:.1e} px from torchvision's, "
        f"{total.mask_pixels_differing} of {total.mask_pixels:,} mask pixels differ. Edges against the box, px:"
    )
    print(table(total.edges()))
    kinds = {name: result.summary() for name, result in results.items()}
    print(f"\nwritten to {write('boxes', {'photos': photos is not None, 'kinds': kinds, 'all': total.summary()})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Copies of the photos with fewer bytes each: which there are, how each is made, and how a model looks at it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import freqlearn as fl
from benchmarks.flowers.running import TOP, Experiment
from benchmarks.flowers.variants import SIZES_PX
from freqlearn.repacking import Repacking
from freqlearn.spec import InputSpec

RESIZE_PX = {"main": 256, "small": 144}
"""Short side in all evaluations here: whole blocks more than the centre crop on either side, as packing needs it."""

PACKED_CHANNELS = (24, 64)
QUALITIES = (90, 75, 50)
TOLERANCES = (0.0, 0.3, 1.0)
NEGLIGIBLE = (1.0, 2.0, 4.0)

Group = Literal["main", "small"]
Kind = Literal["original", "optimised", "pruned", "visible", "packed"]


@dataclass(frozen=True)
class Copy:
    """One copy of the data set; the original files are one too.

    Attributes:
        kind: What was done: Huffman tables made anew ("optimised"), a file's own channels cut ("pruned"), what the
            model of the group cannot see cut ("visible"), or resized, requantised and cut ("packed").
        group: Of the models that it is for; see `benchmarks.flowers.variants.SIZES_PX`.
        channels: How many channels are kept, for "pruned" and "packed".
        tolerance: Of "visible",
        negligible: and what more is left out of it, in dequantised units of the model's input.
        quality: Of "packed".
    """

    kind: Kind
    group: Group
    channels: Literal[0, 24, 48, 64] = 0
    tolerance: float = 0.0
    negligible: float = 0.0
    quality: int = 0

    @property
    def name(self) -> str:
        """For the command line and for folders; the same for both groups where the files are the same."""
        match self.kind:
            case "pruned":
                return f"pruned-{self.channels}"
            case "visible" if self.negligible:
                return f"negligible-{self.negligible:g}-{SIZES_PX[self.group]}"
            case "visible":
                return f"visible-{self.tolerance:g}-{SIZES_PX[self.group]}"
            case "packed":
                return f"packed-{self.channels}-q{self.quality}-{SIZES_PX[self.group]}"
            case _:
                return self.kind

    @property
    def label(self) -> str:
        """For people."""
        match self.kind:
            case "pruned":
                return f"pruned to the files' own DCT-{self.channels}"
            case "visible" if self.negligible:
                return f"pruned for the model, negligible {self.negligible:g}"
            case "visible":
                return f"pruned for the model, tolerance {self.tolerance:g}"
            case "packed":
                return f"packed, DCT-{self.channels}, quality {self.quality}"
            case "optimised":
                return "written anew, nothing left out"
            case _:
                return "original files"

    @property
    def same_pictures(self) -> "Copy":
        """The copy that has the same coefficients: accuracy on the one is accuracy on the other."""
        return replace(self, kind="original") if self.kind == "optimised" else self

    def folder(self, experiment: Experiment) -> Path:
        """Where its train/CLASS and val/CLASS are."""
        return experiment.data if self.kind == "original" else experiment.output / "copies" / self.name

    def seen_by(self, spec: InputSpec) -> InputSpec:
        """The spec that a model looks at these files with."""
        return replace(spec, resize_px=RESIZE_PX[self.group])

    def work(self, experiment: Experiment) -> Callable[[fl.DCTImage], fl.DCTImage]:
        """What is done to each photo."""
        match self.kind:
            case "pruned":
                return lambda img: img.keep(self._channel_set())
            case "visible":
                spec = self.seen_by(InputSpec.load(experiment.spec(self.group)).select(fl.ChannelSet.square(TOP)))
                return lambda img: img.keep_visible(spec, tolerance=self.tolerance, negligible=self.negligible)
            case "packed":
                sizes = RESIZE_PX[self.group], SIZES_PX[self.group]
                return Repacking(*sizes, channels=self._channel_set(), quality=self.quality)
            case _:
                return lambda img: img

    def make(self, experiment: Experiment) -> Path:
        """The folder, with every photo in it; those that are there already stay."""
        folder = self.folder(experiment)
        if self.kind != "original":
            work = self.work(experiment)
            for photo in sorted(experiment.data.glob("*/*/*.jpg")):
                path = folder / photo.relative_to(experiment.data)
                if not path.is_file():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    fl.write_jpeg(work(fl.read_dct(photo)), path, metadata="orientation")
        return folder

    def is_made(self, experiment: Experiment) -> bool:
        """Whether every photo is there."""
        photos = [len(list(folder.glob("*/*/*.jpg"))) for folder in (self.folder(experiment), experiment.data)]
        return photos[0] == photos[1]

    def bytes_per_image(self, experiment: Experiment) -> float:
        """Mean over the training and validation photos."""
        sizes = [path.stat().st_size for path in self.folder(experiment).glob("*/*/*.jpg")]
        return sum(sizes) / len(sizes)

    def _channel_set(self) -> fl.ChannelSet:
        if not self.channels:
            raise ValueError(f"{self.kind}: no channels are chosen")
        return fl.ChannelSet.square(self.channels)


def copies(group: Group) -> tuple[Copy, ...]:
    """All copies for a group's models, in the order of the tables."""
    return (
        Copy("original", group),
        Copy("optimised", group),
        *(Copy("visible", group, tolerance=tolerance) for tolerance in TOLERANCES),
        *(Copy("visible", group, negligible=negligible) for negligible in NEGLIGIBLE),
        Copy("pruned", group, channels=48),
        Copy("pruned", group, channels=24),
        *(Copy("packed", group, channels=n, quality=q) for n in (64, 24) for q in QUALITIES),
    )


TRAINED_ON = (
    Copy("original", "small"),
    Copy("pruned", "small", channels=24),
    Copy("pruned", "small", channels=48),
    Copy("packed", "small", channels=64, quality=75),
    Copy("packed", "small", channels=64, quality=90),
    Copy("packed", "small", channels=64, quality=50),
    Copy("visible", "small", negligible=2.0),
    Copy("packed", "small", channels=24, quality=75),
    Copy("visible", "small", tolerance=0.0),
    Copy("original", "main"),
)
"""Copies that models are trained on, the most important ones first."""

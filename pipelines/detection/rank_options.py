"""Options of a ranking with detectors. Light to import, so that `freqlearn detect rank --help` is quick."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from freqlearn.pipelines.detection.options import DetectOptions, DetectRunOptions


@dataclass(frozen=True, kw_only=True)
class DetectRankOptions(DetectRunOptions):
    """What to rank the 192 channels on, and how.

    Attributes:
        output: Folder for the importance, the heatmap, the spec and checkpoints; runs/detect-rank-METHOD by default.
        model: Network that the gate is trained in front of.
        spec: InputSpec of all 192 channels, as a detector of the same min_size has it: a JSON file. Without one,
            statistics are measured on the training images first.
        method: By how often a learned switch keeps the channel on (gate), or by the channel's share of the variance
            (energy).
        top: How many channels to select: outlined in the heatmap, listed at the end.
    """

    method: Literal["gate", "energy"] = "gate"
    top: int = 24

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.top <= 192:
            raise ValueError(f"top must be 1 to 192 channels, got {self.top}")
        if self.method != "gate" and self.target_channels is not None:
            raise ValueError(f"target_channels is for a gate, and method {self.method} has none; leave it out")

    @property
    def folder(self) -> Path:
        """Where the ranking is written: the folder asked for, or runs/detect-rank-METHOD."""
        return self.output if self.output is not None else Path("runs") / f"detect-rank-{self.method}"

    def training(self, **changes: Any) -> DetectOptions:
        """The options of a training on all 192 channels with the same data, geometry, network and schedule.

        Args:
            **changes: Options of a training that are to be others.
        """
        shared = {field.name: getattr(self, field.name) for field in fields(DetectRunOptions)}
        return DetectOptions(**(shared | {"output": self.folder, "channels": "all"} | changes))

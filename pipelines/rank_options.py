"""Options of a ranking. Light to import, so that `freqlearn rank --help` is quick."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from freqlearn.pipelines.options import OptimizerName, RunOptions, TrainOptions

Method = Literal["gate", "energy", "ablation"]


@dataclass(frozen=True, kw_only=True)
class RankOptions(RunOptions):
    """What to rank the 192 channels on, and how.

    Attributes:
        output: Folder for the importance, the heatmap, the spec and checkpoints; runs/rank-METHOD by default.
        model: Network that the gate is trained in front of, or that loses channels.
        spec: InputSpec of all 192 channels: a JSON file of `freqlearn stats`. Without one, mean and std are measured on
            the training files first.
        size_px: Height and width of the picture that the network sees. By default a packed set's, or 448 (mobilenet_v2:
            896; small: 224).
        method: By how often a learned switch keeps the channel on (gate), by the channel's share of the variance
            (energy), or by how much a trained model loses without it (ablation).
        top: How many channels to select: outlined in the heatmap, listed at the end.
        ablation_images: Validation files to measure the loss on, for ablation.
    """

    epochs: int = 12
    batch_size: int = 32
    optimizer: OptimizerName = "adam"
    lr: float = 3e-3
    weight_decay: float = 0.0
    method: Method = "gate"
    top: int = 24
    ablation_images: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.top <= 192:
            raise ValueError(f"top must be 1 to 192 channels, got {self.top}")
        if self.ablation_images < 1:
            raise ValueError(f"ablation_images must be at least 1, got {self.ablation_images}")
        if self.method != "gate" and self.target_channels is not None:
            raise ValueError(f"target_channels is for a gate, and method {self.method} has none; leave it out")
        if self.method == "ablation" and not self._validates:
            raise ValueError(
                "ablation measures the loss on validation files: leave out val_fraction, or add a val folder"
            )

    @property
    def _validates(self) -> bool:
        if self.data is None:
            return self.val_shards is not None
        return bool(self.val_fraction) or (Path(self.data) / "val").is_dir()

    @property
    def folder(self) -> Path:
        """Where the ranking is written: the folder asked for, or runs/rank-METHOD."""
        return self.output if self.output is not None else Path("runs") / f"rank-{self.method}"

    def training(self, **changes: Any) -> TrainOptions:
        """The options of a training on all 192 channels with the same data, geometry, network and schedule.

        Args:
            **changes: Options of a training that are to be others.
        """
        shared = {field.name: getattr(self, field.name) for field in fields(RunOptions)}
        return TrainOptions(**(shared | {"output": self.folder, "channels": "all"} | changes))

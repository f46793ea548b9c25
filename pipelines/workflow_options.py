"""Options of the commands that train more than once. Light to import, so that their --help is quick."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from freqlearn.pipelines.options import NetworkName, RunOptions, TrainOptions
from freqlearn.pipelines.rank_options import Method, RankOptions

RANK, TRAIN = "rank", "train"
"""Folders of the two stages."""


@dataclass(frozen=True, kw_only=True)
class RankAndTrainOptions(RunOptions):
    """How to rank the channels, and how to train with the best of them.

    Both stages share data, geometry, seed and machine. Options of the gate (lambda_, target_channels, gate_lr,
    temperature, final_temperature) are for the ranking, and for the training where it keeps a gate; everything else is
    for the training, but for what is called rank_....

    Attributes:
        output: Folder for both: output/rank and output/train; runs/rank-and-train by default.
        top: How many of the most important channels to train with.
        method: How to rank: by a gate, by energy, or by ablation; see `freqlearn rank --help`.
        keep_gate: Put a gate in front of the trained network too, which chooses among the top channels for each image:
            a dynamic model.
        stage2_stride: Stride of a ResNet's second stage; 1 is DCTNet's released network, at 3.4 times the cost.
        rank_model: Network to rank with, for instance a smaller one; by default the one that is trained.
        rank_epochs: Passes over the training files in the ranking.
        rank_batch_size: Images an optimizer step of the ranking.
        rank_lr: Highest learning rate of the ranking's network, with Adam.
        ablation_images: Validation files to measure the loss on, for ablation.
        resume: Go on where the same command was stopped; a finished ranking is not repeated.
    """

    top: int = 24
    method: Method = "gate"
    keep_gate: bool = False
    stage2_stride: Literal[1, 2] = 2
    rank_model: NetworkName | None = None
    rank_epochs: int = 12
    rank_batch_size: int = 32
    rank_lr: float = 3e-3
    ablation_images: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rank_epochs", "rank_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.keep_gate and self.target_channels is not None and self.target_channels >= self.top:
            raise ValueError(
                f"with keep_gate, target_channels {self.target_channels} must be below top {self.top}: the gate "
                "chooses among those"
            )
        if self.target_channels is not None and self.method != "gate" and not self.keep_gate:
            raise ValueError(f"target_channels is for a gate, and method {self.method} has none; leave it out")
        self.ranking()  # checks the rest
        self.training()

    @property
    def folder(self) -> Path:
        """Where both stages write."""
        return self.output if self.output is not None else Path("runs") / "rank-and-train"

    def ranking(self) -> RankOptions:
        """The options of the first stage."""
        shared = {name: getattr(self, name) for name in _SHARED_WITH_RANKING}
        if self.method != "gate":
            shared["target_channels"] = None
        return RankOptions(
            **shared,
            output=self.folder / RANK,
            method=self.method,
            top=self.top,
            model=self.rank_model or self.model,
            epochs=self.rank_epochs,
            batch_size=self.rank_batch_size,
            lr=self.rank_lr,
            ablation_images=self.ablation_images,
        )

    def training(self) -> TrainOptions:
        """The options of the second stage."""
        shared = {field.name: getattr(self, field.name) for field in fields(RunOptions)}
        own = {
            "output": self.folder / TRAIN,
            "channels": str(self.folder / RANK),
            "top": self.top,
            "spec": str(self.folder / RANK / "spec.json"),
            "size_px": None,  # those of the spec
            "resize_px": None,
            "gate": self.keep_gate,
            "target_channels": self.target_channels if self.keep_gate else None,
            "stage2_stride": self.stage2_stride,
        }
        return TrainOptions(**(shared | own))


# What does not change how the network is trained, or belongs to the gate.
_SHARED_WITH_RANKING = (
    *("data", "train_shards", "val_shards", "classes", "train_images", "val_images", "spec", "size_px", "resize_px"),
    *("std_floor", "augment", "norm", "lambda_", "target_channels", "gate_lr", "temperature", "final_temperature"),
    *("precision", "channels_last", "compile", "accelerator", "devices", "nodes", "sync_batchnorm", "workers"),
    *("val_fraction", "validate_every", "checkpoint_steps", "stats_images", "on_bad_image", "seed", "progress"),
)


@dataclass(frozen=True, kw_only=True)
class SweepOptions(RunOptions):
    """Which numbers of channels to try, and how to train with each.

    Attributes:
        ranking: Folder of a ranking, or its importance.json.
        output: Folder for the table, the plot and the trainings; runs/sweep by default.
        top: Numbers of channels, separated by commas: the most important ones of the ranking.
        seeds: How many trainings with each number, with the seeds seed, seed + 1, ...
        rgb: Also train torchvision's network on pixels, with the same schedule, as a baseline.
        rgb_size_px: Height and width of the pictures for that. By default half of size_px (mobilenet_v2: a quarter),
            which gives both networks maps of the same size.
        spec: InputSpec of all 192 channels. By default the spec.json beside the ranking; without one, statistics are
            measured on the training files.
        stage2_stride: Stride of a ResNet's second stage; 1 is DCTNet's released network, at 3.4 times the cost.
        resume: Go on where the same command was stopped; finished trainings are not repeated.
    """

    ranking: Path = Path("runs/rank-gate")
    top: str | int | list[int] = "6,12,24,48,96,192"
    seeds: int = 1
    rgb: bool = False
    rgb_size_px: int | None = None
    stage2_stride: Literal[1, 2] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "ranking", Path(self.ranking))
        object.__setattr__(self, "top", ",".join(map(str, _counts(self.top))))
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}")
        if self.rgb_size_px is not None and not self.rgb:
            raise ValueError("rgb_size_px is for the baseline: add rgb")
        if self.rgb and self.model == "small":
            raise ValueError("the network small is for frequency channels; for an rgb baseline take a ResNet")

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers of channels, smallest first."""
        return _counts(self.top)

    @property
    def folder(self) -> Path:
        """Where everything is written."""
        return self.output if self.output is not None else Path("runs") / "sweep"

    def training(self, output: Path, **changes: Any) -> TrainOptions:
        """The options of one training.

        Args:
            output: Its folder.
            **changes: Options that are to be others than the sweep's.
        """
        shared = {field.name: getattr(self, field.name) for field in fields(RunOptions)}
        shared |= {"output": output, "stage2_stride": self.stage2_stride}
        return TrainOptions(**(shared | changes))


def _counts(text: str | int | Sequence[int]) -> tuple[int, ...]:
    entries = [text] if isinstance(text, int) else text.split(",") if isinstance(text, str) else list(text)
    try:
        counts = sorted({int(entry) for entry in entries})
    except ValueError:
        counts = []
    if not counts or not 1 <= counts[0] <= counts[-1] <= 192:
        raise ValueError(f"top must be numbers of channels from 1 to 192, separated by commas; got {text!r}")
    return tuple(counts)

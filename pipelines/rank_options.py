"""Options of a ranking. Light to import, so that `freqlearn rank --help` is quick."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from freqlearn.pipelines.options import Accelerator, Augment, NetworkName, Precision, TrainOptions


@dataclass(frozen=True, kw_only=True)
class RankOptions:
    """What to rank the 192 channels on, and how.

    Attributes:
        data: Folder with train/CLASS/IMAGE and val/CLASS/IMAGE, or with CLASS/IMAGE.
        output: Folder for the importance, the heatmap, the spec and checkpoints; runs/rank-METHOD by default.
        method: By how often a learned switch keeps the channel on (gate), by the channel's share of the variance
            (energy), or by how much a trained model loses without it (ablation).
        top: How many channels to select: outlined in the heatmap, listed at the end.
        model: Network that the gate is trained in front of, or that loses channels.
        spec: InputSpec of all 192 channels: a JSON file of `freqlearn stats`. Without one, mean and std are measured on
            the training files first.
        size_px: Height and width of the picture that the network sees. By default 448 (mobilenet_v2: 896; small: 224).
        resize_px: Short side for pictures that are not cropped at random (statistics, validation). By default 8/7 of
            size_px, or no resize where augment is not standard.
        augment: Random crop and flip (standard), flip only, for files of exactly size_px (flip), or nothing (none).
        epochs: Passes over the training files.
        lambda_: Price of a channel: weight, in the loss, of the share of channels that are on. More switches more off.
            It is halved whenever the task starts to suffer.
        batch_size: Images a step.
        lr: Highest learning rate of the network.
        gate_lr: Highest learning rate of the gate.
        temperature: How random the switches are at first: temperature of their Gumbel-softmax.
        final_temperature: The same at the end of training.
        precision: Arithmetic; auto is bf16-mixed on a GPU that has it, and 32-true elsewhere.
        accelerator: Device to train on.
        workers: Loader processes; 0 loads in the main process. By default half of the cores, at most 4.
        val_fraction: Share of every class that is held out where there is no val folder; 0 for none.
        stats_images: Training files to measure statistics on, where no spec is given.
        ablation_images: Validation files to measure the loss on, for ablation.
        seed: Root of all randomness.
        resume: Continue from output/last.ckpt.
        progress: Show a progress bar.
    """

    data: Path
    output: Path | None = None
    method: Literal["gate", "energy", "ablation"] = "gate"
    top: int = 24
    model: NetworkName = "resnet18"
    spec: str | None = None
    size_px: int | None = None
    resize_px: int | None = None
    augment: Augment = "standard"
    epochs: int = 12
    lambda_: float = 0.5
    batch_size: int = 32
    lr: float = 3e-3
    gate_lr: float = 1e-2
    temperature: float = 1.0
    final_temperature: float = 0.5
    precision: Precision = "auto"
    accelerator: Accelerator = "auto"
    workers: int | None = None
    val_fraction: float = 0.2
    stats_images: int = 1000
    ablation_images: int = 1000
    seed: int = 0
    resume: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.top <= 192:
            raise ValueError(f"top must be 1 to 192 channels, got {self.top}")
        if self.lambda_ < 0:
            raise ValueError(f"lambda must not be negative, got {self.lambda_}")
        for name in ("gate_lr", "temperature", "final_temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.ablation_images < 1:
            raise ValueError(f"ablation_images must be at least 1, got {self.ablation_images}")
        if self.method == "ablation" and not self.val_fraction and not (Path(self.data) / "val").is_dir():
            raise ValueError(
                "ablation measures the loss on validation files: leave out val_fraction, or add a val folder"
            )
        self.training()  # checks the rest

    @property
    def folder(self) -> Path:
        """Where the ranking is written: the folder asked for, or runs/rank-METHOD."""
        return self.output if self.output is not None else Path("runs") / f"rank-{self.method}"

    def training(self) -> TrainOptions:
        """The options of a training on all 192 channels with the same data, geometry, network and schedule."""
        return TrainOptions(
            data=self.data,
            output=self.folder,
            model=self.model,
            channels="all",
            spec=self.spec,
            size_px=self.size_px,
            resize_px=self.resize_px,
            augment=self.augment,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            precision=self.precision,
            accelerator=self.accelerator,
            workers=self.workers,
            val_fraction=self.val_fraction,
            stats_images=self.stats_images,
            seed=self.seed,
            resume=self.resume,
            progress=self.progress,
        )

    def plain(self) -> dict[str, Any]:
        """The options as JSON types, in order; `RankOptions` accepts them again."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}

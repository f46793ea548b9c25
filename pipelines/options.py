"""Options of a training. Light to import, so that `freqlearn train --help` is quick."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

NetworkName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v2", "small"]
OptimizerName = Literal["sgd", "adam", "adamw"]
Precision = Literal["auto", "32-true", "16-mixed", "bf16-mixed"]
Accelerator = Literal["auto", "cpu", "gpu", "mps"]
Augment = Literal["standard", "flip", "none"]
OnBadImage = Literal["error", "skip"]


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What to train, on what, and how.

    Attributes:
        data: Folder with train/CLASS/IMAGE and val/CLASS/IMAGE, or with CLASS/IMAGE (then a part is held out).
        output: Folder for checkpoints and logs; runs/MODEL-INPUT by default.
        model: Network. With dct input it has no stem; with rgb input it is torchvision's. small is for experiments on
            a CPU.
        input: Frequency channels (dct) or pixels (rgb).
        channels: Frequency channels: 24, 32, 48 or 64 (DCTNet's sets), 192 or all, a list such as 0-15,64,128, or a
            JSON file (an importance or a channel set). By default those of the spec, or 24.
        top: Take the K most important channels of the importance file given as channels.
        spec: InputSpec with mean and std: a JSON file of `freqlearn stats`, or a preset's name such as imagenet-448.
            Without one, statistics are measured on the training files first.
        size_px: Height and width of the picture that the network sees. By default 448 (mobilenet_v2: 896; small, rgb:
            224).
        resize_px: Short side that evaluation resizes to before the centre crop. By default 8/7 of size_px, or no resize
            where augment is not standard.
        stage2_stride: Stride of a ResNet's second stage; 1 is DCTNet's released network, at 3.4 times the cost.
        augment: Random crop and flip (standard), flip only, for files of exactly size_px (flip), or nothing (none).
        epochs: Passes over the training files.
        max_steps: Stop after so many steps even if epochs remain.
        batch_size: Images a step.
        optimizer: How gradients move weights; sgd has Nesterov momentum 0.9.
        lr: Highest learning rate; it rises linearly and falls by a half cosine.
        weight_decay: Pull towards zero; not applied to biases and normalisation.
        warmup: Share of the steps in which the learning rate rises.
        label_smoothing: Share of the target that is spread over all classes.
        precision: Arithmetic; auto is bf16-mixed on a GPU that has it, and 32-true elsewhere.
        accelerator: Device to train on.
        workers: Loader processes; 0 loads in the main process. By default half of the cores, at most 4.
        val_fraction: Share of every class that is held out where there is no val folder; 0 for no validation.
        stats_images: Training files to measure statistics on, where the spec has none.
        seed: Root of all randomness: weights, order, crops. Worker count and resuming change nothing.
        resume: Continue from output/last.ckpt, exactly as if the run had not been stopped.
        progress: Show a progress bar.
    """

    data: Path
    output: Path | None = None
    model: NetworkName = "resnet18"
    input: Literal["dct", "rgb"] = "dct"
    channels: str | int | None = None
    top: int | None = None
    spec: str | None = None
    size_px: int | None = None
    resize_px: int | None = None
    stage2_stride: Literal[1, 2] = 2
    augment: Augment = "standard"
    epochs: int = 30
    max_steps: int | None = None
    batch_size: int = 64
    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    label_smoothing: float = 0.0
    precision: Precision = "auto"
    accelerator: Accelerator = "auto"
    workers: int | None = None
    val_fraction: float = 0.2
    stats_images: int = 1000
    seed: int = 0
    resume: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        if self.channels is not None:  # YAML reads 24 as a number
            object.__setattr__(self, "channels", str(self.channels))
        for name in ("epochs", "batch_size", "stats_images"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("max_steps", "size_px", "resize_px", "top"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"workers must be at least 0, got {self.workers}")
        if self.lr <= 0:
            raise ValueError(f"lr must be positive, got {self.lr}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the steps, at least 0 and below 1; got {self.warmup}")
        if not 0 <= self.val_fraction < 1:
            raise ValueError(f"val_fraction is a share, at least 0 and below 1; got {self.val_fraction}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is a share, at least 0 and below 1; got {self.label_smoothing}")
        if self.input == "rgb" and (self.channels is not None or self.top is not None):
            raise ValueError("rgb input has no frequency channels; leave out channels and top")

    def plain(self) -> dict[str, Any]:
        """The options as JSON types, in order; `TrainOptions` accepts them again."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}

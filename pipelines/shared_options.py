"""Options that every training has, whatever its task. Light to import, so that `--help` is quick."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

OptimizerName = Literal["sgd", "adam", "adamw"]
Schedule = Literal["cosine", "step"]
Precision = Literal["auto", "32-true", "16-mixed", "bf16-mixed"]
Accelerator = Literal["auto", "cpu", "gpu", "mps"]
OnBadImage = Literal["error", "skip"]

ABOUT_THE_RUN = frozenset(
    (
        *("accelerator", "accumulate", "channels_last", "checkpoint_steps", "compile", "devices", "nodes", "output"),
        *("precision", "progress", "resume", "sync_batchnorm", "validate_every", "workers"),
    )
)
"""Options that say where and how a run computes, and not what: one that goes on after a stop may have others."""


@dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """How long and how to train, and where: what a classifier's training and a detector's have in common.

    Attributes:
        epochs: Passes over the training files.
        max_steps: Stop after so many steps even if epochs remain.
        batch_size: Images an optimizer step, of all processes and accumulated parts together.
        accumulate: Parts that each process's share of a batch is computed in, one after the other, to save memory.
        optimizer: How gradients move weights; sgd has Nesterov momentum 0.9.
        lr: Highest learning rate; it rises linearly at first.
        schedule: How the learning rate falls after that: by a half cosine (cosine), or to a tenth after one third and
            again after two thirds of the steps (step).
        weight_decay: Pull towards zero; not applied to biases and normalisation.
        warmup: Share of the steps in which the learning rate rises.
        gradient_clip: Longest gradient, as the norm over all weights; longer ones are scaled down to it.
        ema: Decay of a moving average of the weights, for instance 0.9999; that average is validated and saved.
        lambda_: For a gate: price of a channel, as the weight, in the loss, of the share of channels that are on. More
            switches more off. It is halved whenever the task starts to suffer. By default 0.5, or steered to
            target_channels.
        target_channels: For a gate: steer lambda during training so that an image has about this many channels on, on
            average, at the end. Instead of lambda.
        gate_lr: Highest learning rate of a gate.
        temperature: How random a gate's switches are at first: temperature of their Gumbel-softmax.
        final_temperature: The same at the end of training.
        precision: Arithmetic; auto is bf16-mixed on a GPU that has it, and 32-true elsewhere.
        channels_last: Keep maps in memory with their channels innermost: same results, often faster on a GPU.
        compile: Compile the network with torch.compile: slow to start, then faster.
        accelerator: Device to train on.
        devices: Processes that train together on each machine, one a GPU. By default those that torchrun started, or 1.
        nodes: Machines that train together, where something other than torchrun starts them.
        sync_batchnorm: Let BatchNorm see the images of all processes and not only those of its own.
        workers: Loader processes; 0 loads in the main process. By default half of the cores, at most 4.
        val_fraction: Share of every class that is held out where there is no val folder; 0 for no validation.
        validate_every: Validate after every so many epochs, and after the last.
        checkpoint_steps: Also save the state after every so many steps; it is saved after every epoch and every
            quarter of an hour in any case.
        stats_images: Training files to measure statistics on, where the spec has none.
        on_bad_image: What to do with a file that cannot be used: stop with an error that names it, or skip it and list
            it in output/bad_images.csv.
        seed: Root of all randomness: weights, order, crops. Worker count and resuming change nothing.
        resume: Continue from output/last.ckpt, exactly as if the run had not been stopped.
        progress: Show a progress bar.
    """

    epochs: int = 30
    max_steps: int | None = None
    batch_size: int = 64
    accumulate: int = 1
    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    schedule: Schedule = "cosine"
    weight_decay: float = 0.05
    warmup: float = 0.05
    gradient_clip: float | None = None
    ema: float | None = None
    lambda_: float | None = None
    target_channels: int | None = None
    gate_lr: float = 1e-2
    temperature: float = 1.0
    final_temperature: float = 0.5
    precision: Precision = "auto"
    channels_last: bool = False
    compile: bool = False
    accelerator: Accelerator = "auto"
    devices: int | None = None
    nodes: int = 1
    sync_batchnorm: bool = False
    workers: int | None = None
    val_fraction: float = 0.2
    validate_every: int = 1
    checkpoint_steps: int | None = None
    stats_images: int = 1000
    on_bad_image: OnBadImage = "error"
    seed: int = 0
    resume: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        self._check_price()
        for name in ("epochs", "batch_size", "accumulate", "nodes", "validate_every", "stats_images"):
            self._check_count(name)
        for name in ("max_steps", "devices", "checkpoint_steps"):
            self._check_count(name)
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be computed in {self.accumulate} equal parts; "
                "choose an accumulate that divides it"
            )
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"workers must be at least 0, got {self.workers}")
        for name in ("lr", "gate_lr", "temperature", "final_temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ValueError(f"gradient_clip must be positive, got {self.gradient_clip}; leave it out for none")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the steps, at least 0 and below 1; got {self.warmup}")
        if not 0 <= self.val_fraction < 1:
            raise ValueError(f"val_fraction is a share, at least 0 and below 1; got {self.val_fraction}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema is a decay between 0 and 1, for instance 0.9999; got {self.ema}")

    def _check_count(self, name: str) -> None:
        value = getattr(self, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")

    def _check_price(self) -> None:
        if self.target_channels is None:
            if self.lambda_ is None:
                object.__setattr__(self, "lambda_", 0.5)
            elif self.lambda_ < 0:
                raise ValueError(f"lambda must not be negative, got {self.lambda_}")
            return
        if self.lambda_ is not None:
            raise ValueError(
                f"lambda {self.lambda_} and target_channels {self.target_channels}: lambda is steered to reach the "
                "target; leave out one of them"
            )
        if not 1 <= self.target_channels < 192:
            raise ValueError(f"target_channels must be 1 to 191 of the 192 channels, got {self.target_channels}")

    def check_target(self, channels: int, *, gate: bool) -> None:
        """Refuse a target_channels that a training on so many channels cannot have.

        Raises:
            ValueError: If there is no gate, or it has not more channels than that to choose from.
        """
        if self.target_channels is None:
            return
        if not gate:
            raise ValueError(f"target_channels {self.target_channels} is for a gate, and there is none: add gate")
        if self.target_channels >= channels:
            raise ValueError(
                f"target_channels must be below {channels}, the number of channels that the gate chooses from; "
                f"got {self.target_channels}"
            )

    def gate_arguments(self) -> dict[str, Any]:
        """What `freqlearn.pipelines.gate_ranking.Gated` is given beside the model and the task's own arguments."""
        names = ("lambda_", "target_channels", "gate_lr", "temperature", "final_temperature")
        return {name: getattr(self, name) for name in names}

    @property
    def synchronises(self) -> bool:
        """Whether BatchNorm sees the images of all processes."""
        return self.sync_batchnorm

    def plain(self) -> dict[str, Any]:
        """The options as JSON types, in order; the class accepts them again."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What a trained network is given, be it a classifier or a detector.

    Attributes:
        input: Frequency channels (dct) or pixels (rgb).
        channels: Frequency channels: 24, 32, 48 or 64 (DCTNet's sets), 192 or all, a list such as 0-15,64,128, or a
            JSON file (an importance or a channel set). By default those of the spec, or 24.
        top: Take the K most important channels of the importance file given as channels.
        gate: Put a gate in front of the network that switches channels off for each image: a dynamic model.
    """

    input: Literal["dct", "rgb"] = "dct"
    channels: str | int | None = None
    top: int | None = None
    gate: bool = False

    def check_input(self, *, std_floor: float | None) -> None:
        """Refuse options of frequency channels beside pixels; note channels as text.

        Raises:
            ValueError: If they contradict each other.
        """
        if self.channels is not None:  # YAML reads 24 as a number
            object.__setattr__(self, "channels", str(self.channels))
        if self.top is not None and self.top < 1:
            raise ValueError(f"top must be at least 1, got {self.top}")
        if self.input == "rgb" and (self.channels is not None or self.top is not None):
            raise ValueError("rgb input has no frequency channels; leave out channels and top")
        if self.input == "rgb" and (self.gate or std_floor is not None):
            raise ValueError("gate and std_floor are for frequency channels; leave them out with rgb input")

"""Options of a training. Light to import, so that `freqlearn train --help` is quick."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

NetworkName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v2", "small"]
OptimizerName = Literal["sgd", "adam", "adamw"]
Schedule = Literal["cosine", "step"]
Precision = Literal["auto", "32-true", "16-mixed", "bf16-mixed"]
Accelerator = Literal["auto", "cpu", "gpu", "mps"]
Augment = Literal["standard", "flip", "none"]
OnBadImage = Literal["error", "skip"]
NormName = Literal["batch", "sync_batch", "group", "layer", "instance", "switchable"]
Loader = Literal["native", "dali", "dali-native"]

ABOUT_THE_RUN = frozenset(
    (
        *("accelerator", "accumulate", "channels_last", "checkpoint_steps", "compile", "devices", "nodes", "output"),
        *("precision", "progress", "resume", "sync_batchnorm", "validate_every", "workers"),
    )
)
"""Options that say where and how a run computes, and not what: one that goes on after a stop may have others."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What every run that trains a network shares: a training, and a ranking of channels.

    Attributes:
        data: Folder with train/CLASS/IMAGE and val/CLASS/IMAGE, or with CLASS/IMAGE (then a part is held out), or with
            train/*.tar and val/*.tar. Left out where train_shards says where the images are.
        train_shards: Tar files of training images, as webdataset takes them: a path or URL with braces such as
            train-{0000..0146}.tar, or a command such as "pipe:curl -s URL".
        val_shards: The same for validation; without it there is none.
        classes: Text file with a class name a line, for shards.
        train_images: Number of images in train_shards, where they are not local and no sizes.json beside them says it.
        val_images: Number of images in val_shards.
        output: Folder for checkpoints and logs; runs/MODEL-INPUT by default.
        model: Network. With dct input it has no stem; with rgb input it is torchvision's. small is for experiments on
            a CPU.
        octave: Alpha of octave convolution: share of a ResNet's feature channels that are kept at half resolution, for
            instance 0.25; 0 for plain convolutions.
        octave_input: With octave, also give the network the lowest frequency channels at half resolution, the same
            share of them.
        norm: How the network normalises its maps: by BatchNorm; by BatchNorm over the images of all processes, on GPUs
            (sync_batch); by GroupNorm, LayerNorm over channels, or InstanceNorm, which do not care how many images are
            in a batch; or by a learned mixture (switchable).
        spec: InputSpec with mean and std: a JSON file of `freqlearn stats`, or a preset's name such as imagenet-448.
            Without one, statistics are measured on the training files first.
        size_px: Height and width of the picture that the network sees. By default 448 (mobilenet_v2: 896; small, rgb:
            224).
        resize_px: Short side that evaluation resizes to before the centre crop. By default 8/7 of size_px, or no resize
            where augment is not standard.
        std_floor: Standardise no channel by a smaller standard deviation than this (dequantised units), so that
            channels that hardly vary are not blown up to unit variance.
        augment: Random crop and flip (standard), flip only, for files of exactly size_px (flip), or nothing (none).
        mixup: Alpha of mixup: pairs of pictures are mixed with a weight from Beta(alpha, alpha); 0 for none.
        cutmix: Alpha of cutmix: a box of one picture goes into another; 0 for none. With mixup too, each batch gets
            one of them.
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
        label_smoothing: Share of the target that is spread over all classes.
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

    data: Path | None = None
    train_shards: str | None = None
    val_shards: str | None = None
    classes: Path | None = None
    train_images: int | None = None
    val_images: int | None = None
    output: Path | None = None
    model: NetworkName = "resnet18"
    octave: float = 0.0
    octave_input: bool = False
    norm: NormName = "batch"
    spec: str | None = None
    size_px: int | None = None
    resize_px: int | None = None
    std_floor: float | None = None
    augment: Augment = "standard"
    mixup: float = 0.0
    cutmix: float = 0.0
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
    label_smoothing: float = 0.0
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
        self._check_data()
        self._check_price()
        counts = ("epochs", "batch_size", "accumulate", "nodes", "validate_every", "stats_images")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("max_steps", "size_px", "resize_px", "devices", "checkpoint_steps", "train_images", "val_images"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
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
        for name in ("gradient_clip", "std_floor"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}; leave it out for none")
        self._check_octave()
        for name in ("weight_decay", "mixup", "cutmix"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the steps, at least 0 and below 1; got {self.warmup}")
        if not 0 <= self.val_fraction < 1:
            raise ValueError(f"val_fraction is a share, at least 0 and below 1; got {self.val_fraction}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is a share, at least 0 and below 1; got {self.label_smoothing}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema is a decay between 0 and 1, for instance 0.9999; got {self.ema}")

    def _check_data(self) -> None:
        if self.data is None and self.train_shards is None:
            raise ValueError("data is missing: the folder of images, or train_shards")
        if self.data is not None and self.train_shards is not None:
            raise ValueError(f"data {self.data} and train_shards both say where the images are; leave out one of them")
        if self.train_shards is None:
            for name in ("val_shards", "train_images", "val_images"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} is for shards: give train_shards too")

    def _check_octave(self) -> None:
        object.__setattr__(self, "octave", float(self.octave))  # YAML reads 0 as an integer
        if not 0 <= self.octave <= 1:
            raise ValueError(f"octave is a share of the channels, from 0 to 1; got {self.octave}")
        if self.octave and not self.model.startswith("resnet"):
            raise ValueError(f"octave is for ResNets, not for {self.model}; leave it out")
        if self.octave_input and not self.octave:
            raise ValueError("octave_input is for a network with octave convolutions; add octave, for instance 0.25")

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

    @property
    def synchronises(self) -> bool:
        """Whether BatchNorm sees the images of all processes."""
        return self.sync_batchnorm or self.norm == "sync_batch"

    def plain(self) -> dict[str, Any]:
        """The options as JSON types, in order; the class accepts them again."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class TrainOptions(RunOptions):
    """What to train, on what, and how.

    Attributes:
        input: Frequency channels (dct) or pixels (rgb).
        channels: Frequency channels: 24, 32, 48 or 64 (DCTNet's sets), 192 or all, a list such as 0-15,64,128, or a
            JSON file (an importance or a channel set). By default those of the spec, or 24.
        top: Take the K most important channels of the importance file given as channels.
        gate: Put a gate in front of the network that switches channels off for each image: a dynamic model.
        stage2_stride: Stride of a ResNet's second stage; 1 is DCTNet's released network, at 3.4 times the cost.
        loader: What loads the images of class folders: our own decoder (native); NVIDIA DALI, which decodes to RGB, on
            a GPU where there is one, and crops other boxes (dali); or our decoder in DALI's processes (dali-native).
    """

    input: Literal["dct", "rgb"] = "dct"
    channels: str | int | None = None
    top: int | None = None
    gate: bool = False
    stage2_stride: Literal[1, 2] = 2
    loader: Loader = "native"

    def __post_init__(self) -> None:
        if self.channels is not None:  # YAML reads 24 as a number
            object.__setattr__(self, "channels", str(self.channels))
        super().__post_init__()
        if self.top is not None and self.top < 1:
            raise ValueError(f"top must be at least 1, got {self.top}")
        if self.input == "rgb" and (self.channels is not None or self.top is not None):
            raise ValueError("rgb input has no frequency channels; leave out channels and top")
        if self.input == "rgb" and self.octave_input:
            raise ValueError("rgb input has no frequency channels to split; leave out octave_input")
        if self.input == "rgb" and (self.gate or self.std_floor is not None):
            raise ValueError("gate and std_floor are for frequency channels; leave them out with rgb input")
        if self.loader != "native" and self.on_bad_image != "error":
            raise ValueError(f"loader {self.loader} cannot skip bad images; use loader native, or on_bad_image error")
        if self.loader != "native" and self.train_shards is not None:
            raise ValueError(f"loader {self.loader} reads folders of files, and no shards; use loader native")

    def network_arguments(self) -> dict[str, Any]:
        """What `freqlearn.pipelines.networks.build_network` is given beside the spec and the number of classes.

        As a checkpoint carries it: those that are not usual, and stage2_stride.
        """
        unusual: dict[str, Any] = {"gate": self.gate, "octave": self.octave, "octave_input": self.octave_input}
        unusual |= {"norm": self.norm} if self.norm != "batch" else {}
        return {"stage2_stride": self.stage2_stride} | {name: value for name, value in unusual.items() if value}

"""Options of a training of classifiers. Light to import, so that `freqlearn train --help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from freqlearn.pipelines.shared_options import (
    ABOUT_THE_RUN,
    Accelerator,
    InputOptions,
    OnBadImage,
    OptimizerName,
    Precision,
    Schedule,
    SharedOptions,
)

__all__ = [
    "ABOUT_THE_RUN",
    "Accelerator",
    "Augment",
    "Loader",
    "NetworkName",
    "NormName",
    "OnBadImage",
    "OptimizerName",
    "Precision",
    "RunOptions",
    "Schedule",
    "SharedOptions",
    "TrainOptions",
]

NetworkName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v2", "small"]
Augment = Literal["standard", "flip", "none"]
NormName = Literal["batch", "sync_batch", "group", "layer", "instance", "switchable"]
Loader = Literal["native", "dali", "dali-native"]


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """Labelled pictures, and the network and geometry that they are classified with.

    Attributes:
        data: Folder with train/CLASS/IMAGE and val/CLASS/IMAGE, or with CLASS/IMAGE (then a part is held out), or with
            train/*.tar and val/*.tar, or what freqlearn pack wrote. Left out where train_shards says where the images
            are.
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
        spec: InputSpec with mean and std: a JSON file of `freqlearn stats`, a checkpoint's, or a preset's name such as
            imagenet-448. Without one, a packed set's own is taken; of others, statistics are measured on the training
            files first.
        size_px: Height and width of the picture that the network sees. By default a packed set's, or 448 (mobilenet_v2:
            896; small, rgb: 224).
        resize_px: Short side that evaluation resizes to before the centre crop. By default a packed set's, or 8/7 of
            size_px, or no resize where augment is not standard.
        std_floor: Standardise no channel by a smaller standard deviation than this (dequantised units), so that
            channels that hardly vary are not blown up to unit variance.
        augment: Random crop and flip (standard), flip only, for files of exactly size_px (flip), or nothing (none).
        mixup: Alpha of mixup: pairs of pictures are mixed with a weight from Beta(alpha, alpha); 0 for none.
        cutmix: Alpha of cutmix: a box of one picture goes into another; 0 for none. With mixup too, each batch gets
            one of them.
        label_smoothing: Share of the target that is spread over all classes.
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
    label_smoothing: float = 0.0


# Of several bases the last one's fields come first: the data, the network, then how it is trained.
@dataclass(frozen=True, kw_only=True)
class RunOptions(SharedOptions, PictureOptions):
    """What every run that trains a classifier shares: a training, and a ranking of channels."""

    def __post_init__(self) -> None:
        self._check_data()
        super().__post_init__()
        for name in ("size_px", "resize_px", "train_images", "val_images"):
            self._check_count(name)
        if self.std_floor is not None and self.std_floor <= 0:
            raise ValueError(f"std_floor must be positive, got {self.std_floor}; leave it out for none")
        self._check_octave()
        for name in ("mixup", "cutmix"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is a share, at least 0 and below 1; got {self.label_smoothing}")

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

    @property
    def synchronises(self) -> bool:
        """Whether BatchNorm sees the images of all processes."""
        return super().synchronises or self.norm == "sync_batch"


@dataclass(frozen=True, kw_only=True)
class TrainOptions(InputOptions, RunOptions):
    """What to train, on what, and how.

    Attributes:
        stage2_stride: Stride of a ResNet's second stage; 1 is DCTNet's released network, at 3.4 times the cost.
        loader: What loads the images of class folders: our own decoder (native); NVIDIA DALI, which decodes to RGB, on
            a GPU where there is one, and crops other boxes (dali); or our decoder in DALI's processes (dali-native).
    """

    stage2_stride: Literal[1, 2] = 2
    loader: Loader = "native"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_input(std_floor=self.std_floor)
        if self.input == "rgb" and self.octave_input:
            raise ValueError("rgb input has no frequency channels to split; leave out octave_input")
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

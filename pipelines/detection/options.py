"""Options of a training of detectors. Light to import, so that `freqlearn detect train --help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from freqlearn.pipelines.shared_options import InputOptions, SharedOptions

DetectorName = Literal[
    "fasterrcnn_resnet18_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet101_fpn",
    "maskrcnn_resnet18_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet101_fpn",
]
DetectorNorm = Literal["frozen", "batch", "sync_batch", "group", "layer", "instance", "switchable"]
DetectionAugment = Literal["flip", "multiscale", "jitter", "none"]
Pad = Literal["mean", "black"]

_USUAL_MIN_SIZE, _USUAL_MIN_ANCHOR = 800, 32  # torchvision's, and the paper's


@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """Images with objects in them, and the network and geometry that these are found with.

    Attributes:
        images: Folder with the training images.
        annotations: JSON file in COCO's format with their boxes and masks.
        val_images: Folder with the validation images; that of the training images by default.
        val_annotations: JSON file of the validation images. Without it, a part of the training images is held out.
        first: Train only on the images with the lowest ids, so many of them.
        val_first: Validate only on the images with the lowest ids, so many of them.
        keep_empty: Also train on images without any box, which torchvision's reference leaves out.
        output: Folder for checkpoints and logs; runs/MODEL-INPUT by default.
        model: Network: Faster R-CNN finds boxes, Mask R-CNN masks too. With dct input its ResNet has no stem.
        spec: InputSpec with mean and std, as a detector of the same min_size has it: a JSON file. Without one,
            statistics are measured on the training files first.
        std_floor: Standardise no channel by a smaller standard deviation than this (dequantised units), so that
            channels that hardly vary are not blown up to unit variance.
        min_size: Short side in pixels that pictures are resized to. Blocks are taken of a picture twice as large, so
            that a cell of the frequency maps is 4 pixels. The paper has 800; a quarter of its pixels costs a quarter.
        max_size: Limit of their long side in pixels; the paper has 1333.
        augment: What is random in training: mirroring (flip); also the size, from 0.6 to 1 times min_size (multiscale);
            or mirroring, a scale from 0.1 to 2 and a crop to a square (jitter); or nothing (none).
        pad: Colour that partial blocks and batches are padded with: the mean colour of the spec, or black as DCTNet.
        backbone: Weights that the ResNet begins with: a checkpoint of `freqlearn train` on the same channels, or on
            pixels; or a file with the state dict of torchvision's ResNet. Random weights without.
        trainable_layers: How many of the ResNet's layers are trained, counted from the last; others keep the weights
            of backbone. The layer that frequency channels go into always is. By default 3 with backbone, else all 5.
        norm: How the ResNet normalises its maps: by the statistics of backbone's BatchNorm, which stay as they are
            (frozen); or as `freqlearn train` explains. By default frozen with backbone, and batch without; group does
            not care how few images are in a batch, but counts the batch's padding.
        min_anchor: Side in pixels of the smallest anchors; those of the other four levels double it each. By default 32
            for a min_size of 800, and as much of any other.
        proposals: Regions of a picture that the network looks at closely; in training twice as many are sampled from.
        rois: Regions of a picture that the heads are trained on at once; torchvision and the paper have 512.
        detections: Most objects that are found in a picture.
        min_score: Lowest score of what counts as found.
    """

    images: Path
    annotations: Path
    val_images: Path | None = None
    val_annotations: Path | None = None
    first: int | None = None
    val_first: int | None = None
    keep_empty: bool = False
    output: Path | None = None
    model: DetectorName = "maskrcnn_resnet18_fpn"
    spec: str | None = None
    std_floor: float | None = None
    min_size: int = 400
    max_size: int = 667
    augment: DetectionAugment = "flip"
    pad: Pad = "mean"
    backbone: Path | None = None
    trainable_layers: int | None = None
    norm: DetectorNorm | None = None
    min_anchor: int | None = None
    proposals: int = 1000
    rois: int = 128
    detections: int = 100
    min_score: float = 0.05


# Of several bases the last one's fields come first: the data, the network, then how it is trained.
@dataclass(frozen=True, kw_only=True)
class DetectRunOptions(SharedOptions, SceneOptions):
    """What every run that trains a detector shares: a training, and a ranking of channels.

    What is usual here suits a small data set on one machine, from random weights; `freqlearn recipes` lists the
    paper's schedules, which are for ResNet-50, COCO and weights of a classifier.

    Attributes:
        epochs: Passes over the training images.
        optimizer: How gradients move weights; sgd has the momentum below, and not Nesterov's.
        lr: Highest learning rate; it rises linearly at first.
        momentum: Of sgd.
        schedule: How the learning rate falls after that: by a half cosine (cosine), or to a tenth after each of the
            milestones (step).
        milestones: For schedule step: epochs after which the rate falls to a tenth. By default after 8/12 and 11/12 of
            them, as of the usual 12.
        warmup_steps: Instead of warmup: steps in which the learning rate rises, from a third of it, as mmdetection's.
        val_fraction: Share of the training images that is held out where there is no val_annotations; 0 for no
            validation.
    """

    epochs: int = 50
    batch_size: int = 4
    lr: float = 3e-4
    gradient_clip: float | None = 10.0
    momentum: float = 0.9
    milestones: list[int] | None = None
    warmup_steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = ("first", "val_first", "min_size", "max_size", "min_anchor", "proposals", "rois", "detections")
        for name in (*counts, "warmup_steps"):
            self._check_count(name)
        if self.max_size < self.min_size:
            raise ValueError(f"max_size must be at least min_size {self.min_size}, got {self.max_size}")
        if self.trainable_layers is not None and not 0 <= self.trainable_layers <= 5:
            raise ValueError(f"trainable_layers must be 0 to 5, got {self.trainable_layers}")
        if not 0 <= self.min_score < 1:
            raise ValueError(f"min_score must be at least 0 and below 1, got {self.min_score}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {self.momentum}")
        if self.std_floor is not None and self.std_floor <= 0:
            raise ValueError(f"std_floor must be positive, got {self.std_floor}; leave it out for none")
        self._check_validation()
        self._check_backbone()
        self._check_milestones()

    def _check_validation(self) -> None:
        if self.val_annotations is None and self.val_images is not None:
            raise ValueError(f"val_images {self.val_images}: give val_annotations too, the JSON file of these images")
        if self.val_annotations is None and self.val_first is not None:
            raise ValueError("val_first is for validation images of their own: give val_annotations too")

    def _check_backbone(self) -> None:
        if self.backbone is not None:
            return
        if self.norm == "frozen":
            raise ValueError("norm frozen keeps the statistics of a backbone, and there is none: add backbone")
        if self.trainable_layers not in (None, 5):
            raise ValueError(
                f"trainable_layers {self.trainable_layers} would keep random weights as they are: add backbone"
            )

    def _check_milestones(self) -> None:
        if self.milestones is None:
            return
        if self.schedule != "step":
            raise ValueError(f"milestones are for schedule step, and schedule is {self.schedule}")
        if not self.milestones or self.milestones != sorted(set(self.milestones)) or self.milestones[0] < 1:
            raise ValueError(f"milestones must be rising numbers of epochs, each at least 1; got {self.milestones}")

    @property
    def masks(self) -> bool:
        """Whether the network finds masks too."""
        return self.model.startswith("maskrcnn")

    @property
    def synchronises(self) -> bool:
        """Whether BatchNorm sees the images of all processes."""
        return super().synchronises or self.norm == "sync_batch"


@dataclass(frozen=True, kw_only=True)
class DetectOptions(InputOptions, DetectRunOptions):
    """What detector to train, on what, and how."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_input(std_floor=self.std_floor)

    @property
    def size_px(self) -> int:
        """Short side of the picture that the input is made of, as the InputSpec says it: for dct, twice min_size."""
        return self.min_size if self.input == "rgb" else -(-2 * self.min_size // 8) * 8

    def network_arguments(self) -> dict[str, Any]:
        """What `freqlearn.pipelines.detection.networks.build_detector` is given beside spec and classes.

        As a checkpoint carries it: with everything that is decided here by default.
        """
        norm, layers = ("batch", 5) if self.backbone is None else ("frozen", 3)
        anchor = max(4, round(_USUAL_MIN_ANCHOR * self.min_size / _USUAL_MIN_SIZE))
        return {
            "norm": self.norm or norm,
            "trainable_layers": layers if self.trainable_layers is None else self.trainable_layers,
            "min_anchor": self.min_anchor or anchor,
            "pad": self.pad,
            "gate": self.gate,
            "proposals": self.proposals,
            "rois": self.rois,
            "detections": self.detections,
            "min_score": self.min_score,
        }

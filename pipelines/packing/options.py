"""Options of `freqlearn pack`. Light to import, so that its --help is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freqlearn.packed_index import Sampling
from freqlearn.pipelines.options import OnBadImage


@dataclass(frozen=True, kw_only=True)
class PackOptions:
    """What to pack, and how; or what to check.

    Attributes:
        data: Folder with train/CLASS/IMAGE and val/CLASS/IMAGE (test/ too, if it is there), or with CLASS/IMAGE, which
            becomes the split train.
        output: Folder for the packed set: a new or empty one, or one that the same command has left unfinished.
        check: Instead of packing, read this packed set from beginning to end and name all that is wrong with it. With
            data, compare what evaluation sees of each picture and of its photo too.
        spec: The model's InputSpec, which says sizes, channels, mean and std: a JSON file, a checkpoint
            of `freqlearn train`, or a preset's name such as imagenet-448. Without one, mean and std are measured on the
            training photos first.
        size: Without a spec, the short side that evaluation resizes photos to; by default 512.
        crop: Without a spec, the side of evaluation's centre crop; by default 7/8 of size: 448 for 512, 224 for 256.
            size must be crop plus a multiple of 16, so that the crop begins on a block.
        channels: The channels that the files carry. 24, 32, 48 or 64 (DCTNet's sets), all, a list such as 0-15,64,128,
            or a JSON file (an importance or a channel set). By default the spec's. Training with random crops makes
            use of more than evaluation needs.
        top: Take the K most important channels of the importance file given as channels.
        quality: Of the quantisation tables, as libjpeg counts it, 1 to 100; by default 75.
        quant_tables: Instead of a quality, a JPEG file whose tables to take, or a JSON file: a list of one table for
            all components, or of two or three (the last one is for those that follow too), of 64 numbers or 8 rows of
            8, in natural order.
        sampling: Of chroma. With 4:4:4 the channels of the files are the model's. 4:2:0 halves chroma planes; what
            evaluation sees then differs by more than rounding in Cb and Cr.
        shard_images: How many images to a shard.
        seed: Of the order of the photos.
        stats_images: Training photos to measure mean and std on, where there is no spec.
        on_bad_image: What to do with a photo that cannot be read: stop with an error that names it, or leave it out and
            list it in bad_images.csv in the output.
        threads: How many photos to work on at once; by default one a core.
        json: Print the report as JSON instead of a table.
        progress: Show a progress bar.
    """

    data: Path | None = None
    output: Path | None = None
    check: Path | None = None
    spec: str | None = None
    size: int | None = None
    crop: int | None = None
    channels: str | int | None = None
    top: int | None = None
    quality: int | None = None
    quant_tables: Path | None = None
    sampling: Sampling = "4:4:4"
    shard_images: int = 1000
    seed: int = 0
    stats_images: int = 1000
    on_bad_image: OnBadImage = "error"
    threads: int | None = None
    json: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        if self.channels is not None:  # YAML reads 24 as a number
            object.__setattr__(self, "channels", str(self.channels))
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")
        if self.check is not None:
            self._check_alone()
            return
        if self.data is None or self.output is None:
            raise ValueError(
                "expected what to pack and where to: freqlearn pack DIR OUT; or freqlearn pack --check OUT"
            )
        if self.spec is None and self.channels is None:
            raise ValueError("expected the model's spec, or the channels that the files are to carry, got neither")
        if self.spec is not None and (self.size is not None or self.crop is not None):
            raise ValueError(f"{self.spec} says the sizes: leave out size and crop")
        if self.quality is not None and self.quant_tables is not None:
            raise ValueError(f"expected a quality or quant_tables, got both ({self.quality}, {self.quant_tables})")
        for name in ("shard_images", "stats_images"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def _check_alone(self) -> None:
        free = {"data", "check", "threads", "json", "progress"}
        usual: dict[str, Any] = PackOptions.__dataclass_fields__
        given = [name for name, field in usual.items() if name not in free and getattr(self, name) != field.default]
        if given:
            raise ValueError(f"--check reads what was packed, and how: leave out {', '.join(given)}")

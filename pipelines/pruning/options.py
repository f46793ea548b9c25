"""Options of `freqlearn prune`. Light to import, so that its --help is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from freqlearn.pipelines.options import OnBadImage

MetadataChoice = Literal["orientation", "keep", "none"]


@dataclass(frozen=True, kw_only=True)
class PruneOptions:
    """What to prune, and what to leave.

    Attributes:
        source: A JPEG file; a folder with images at any depth, and perhaps tar shards; or local tar shards, such as
            "train-{0000..0146}.tar".
        output: Where the result goes: a file for a file, otherwise a folder that is new or empty, or that the same
            command has left unfinished. Names within it are those of the source.
        for_: Keep what a model sees: the JSON file of its InputSpec, a preset's name such as imagenet-448, or a
            checkpoint of `freqlearn train`. In each file every coefficient stays that the model's evaluation (resize
            and centre crop, at that file's size) weighs; the rest goes.
        tolerance: With for: let also those frequencies go that would change no value of the model's input, in
            dequantised units, by as much as this, were they one quantisation step off in every block. Stay well below
            1: of files of fine steps (high quality) strong frequencies go too.
        negligible: With for: let also those coefficients go, block by block, that alone would change no value of the
            model's input by as much as this, in dequantised units. Saves more for the same error: try 1 to 4.
        whole_picture: With for: leave blocks outside the centre crop as they are in the frequencies that are kept.
        exif_orientation: With for: the model's pictures are turned upright first, as their EXIF orientation says.
        channels: Instead of for: keep these of each file's own channels literally. 24, 32, 48 or 64 (DCTNet's sets), a
            list such as 0-15,64,128, or a JSON file (an importance or a channel set).
        top: Take the K most important channels of the importance file given as channels.
        metadata: What stays of a file's other contents: its EXIF orientation alone; everything (EXIF, ICC profile,
            comments); or nothing, so that turned pictures no longer say so.
        progressive: Write progressive files: smaller still, and slower to read.
        in_place: Replace the files of the source; there is no way back. Then leave output out.
        report: JSON file for the report. By default prune.json in the output folder, or OUT.json for a file.
        on_bad_image: What to do with a file that cannot be read: stop with an error that names it, or leave it out and
            list it in bad_images.csv beside the report. A shard's sample is left out as a whole.
        threads: How many pictures to work on at once; by default one a core.
        json: Print the report as JSON instead of a table.
        progress: Show a progress bar.
    """

    source: str
    output: Path | None = None
    for_: str | None = None
    tolerance: float = 0.0
    negligible: float = 0.0
    whole_picture: bool = False
    exif_orientation: bool = False
    channels: str | int | None = None
    top: int | None = None
    metadata: MetadataChoice = "orientation"
    progressive: bool = False
    in_place: bool = False
    report: Path | None = None
    on_bad_image: OnBadImage = "error"
    threads: int | None = None
    json: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        if self.channels is not None:  # YAML reads 24 as a number
            object.__setattr__(self, "channels", str(self.channels))
        if (self.for_ is None) == (self.channels is None):
            got = "neither" if self.for_ is None else "both"
            raise ValueError(f"expected either for (a model's spec) or channels (the file's own), got {got}")
        if self.for_ is None and (self.tolerance or self.negligible or self.whole_picture or self.exif_orientation):
            raise ValueError(
                "tolerance, negligible, whole_picture and exif_orientation are about a model: they go with for"
            )
        if self.for_ is not None and self.top is not None:
            raise ValueError("top needs channels: the importance file whose first channels to keep; for takes a spec")
        if self.metadata not in get_args(MetadataChoice):
            raise ValueError(f"metadata must be one of {', '.join(get_args(MetadataChoice))}, got {self.metadata!r}")
        if not 0 <= self.tolerance < float("inf"):
            raise ValueError(f"tolerance must be a number of at least 0, got {self.tolerance}")
        if not 0 <= self.negligible < float("inf"):
            raise ValueError(f"negligible must be a number of at least 0, got {self.negligible}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")
        if self.output is None and not self.in_place:
            raise ValueError(f"expected where to write to: freqlearn prune {self.source} OUT; or in_place")

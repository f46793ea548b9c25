"""What the `freqlearn` command runs of spectra: each function calls the library and prints.

Light to import, so that `--help` is quick: the library is imported when a command runs.
"""

from pathlib import Path
from typing import Literal

from freqlearn.pipelines.first_process import say
from freqlearn.pipelines.options import Accelerator, OnBadImage


def spectrum(
    file: Path,
    *,
    output: Path | None = None,
    low: float = 1 / 16,
    high: float = 1 / 4,
    mask: Literal["sharp", "gaussian", "butterworth"] = "sharp",
) -> None:
    """Draw a picture, its low, middle and high frequencies, its spectra, and its power against frequency.

    The three parts sum to the picture. Frequencies are in cycles per pixel: an axis holds up to 1/2, and cosine u of
    JPEG's 8x8 blocks has u/16.

    Args:
        file: An image (JPEG, PNG, ...).
        output: Picture to write: .png, .svg, .pdf, ...; by default NAME.spectrum.png in the current folder.
        low: Where low frequencies end, in cycles per pixel.
        high: Where high frequencies begin, in cycles per pixel.
        mask: How the parts go over into each other: at once (sharp: edges ring), or smoothly.
    """
    from freqlearn.pipelines.spectrum_figure import draw_file

    say(str(draw_file(file, output, low=low, high=high, mask=mask)))


def sensitivity(
    checkpoints: list[Path],
    *,
    data: str,
    output: Path = Path("runs/sensitivity"),
    remove: Literal["band", "above", "below"] = "band",
    edges: str = "auto",
    per_octave: int = 1,
    mask: Literal["sharp", "gaussian", "butterworth"] = "sharp",
    images: int | None = None,
    batch_size: int = 32,
    workers: int | None = None,
    accelerator: Accelerator = "auto",
    on_bad_image: OnBadImage = "error",
    progress: bool = True,
) -> None:
    """Measure which frequencies of a picture trained models rely on: accuracy against the band taken out.

    Takes models of pixels and of frequency channels alike, with or without a gate, and puts them on one plot. Bands are
    taken out of the picture that a model sees, in cycles per picture, before it becomes the model's input; its mean
    stays. Writes sensitivity.csv, sensitivity.json, sensitivity.png and sensitivity.svg, anew after each model.

    Args:
        checkpoints: Files that `freqlearn train` wrote.
        data: Folder with val/CLASS/IMAGE, or with CLASS/IMAGE; or tar shards, such as "val-{00..49}.tar". Of the very
            folder that training held a part out of, only that part is used.
        output: Folder to write to.
        remove: One band after the other (band), everything from each edge on (above), or everything below it (below).
        edges: Where bands end, in cycles per picture, such as 7,14,28; auto is octaves down from half of what the
            largest picture holds.
        per_octave: Bands an octave of auto.
        mask: How the gain falls at the edges: at once (sharp), or smoothly, so that a band is not taken out wholly.
        images: Measure on at most so many images, chosen by their names; all by default.
        batch_size: Images to compute at once.
        workers: Loader processes; by default half of the cores, at most 4.
        accelerator: Device to compute on.
        on_bad_image: What to do with a file that cannot be used: stop with an error that names it, or skip it.
        progress: Show a progress bar.
    """
    from freqlearn.pipelines.sensitivity import sensitivity as run

    result = run(
        checkpoints,
        data,
        output,
        remove=remove,
        edges=edges,
        per_octave=per_octave,
        mask=mask,
        images=images,
        batch_size=batch_size,
        workers=workers,
        accelerator=accelerator,
        on_bad_image=on_bad_image,
        progress=progress,
    )
    say(str(result))
    say(f"Wrote {output}/: sensitivity.csv, sensitivity.json, sensitivity.png, sensitivity.svg")

"""What `freqlearn detect` runs: each function calls the library and prints.

Light to import, so that `--help` is quick: the library is imported when a command runs.
"""

import sys
from pathlib import Path

from freqlearn.pipelines.detection.options import DetectOptions
from freqlearn.pipelines.detection.rank_options import DetectRankOptions
from freqlearn.pipelines.first_process import say
from freqlearn.pipelines.options import Accelerator, OnBadImage


def train(options: DetectOptions) -> None:
    """Train Faster R-CNN or Mask R-CNN on data in COCO's format.

    Writes best.ckpt, last.ckpt, config.yaml and logs (CSV and TensorBoard) to the output folder. A checkpoint carries
    all that its model assumes of its input, so `freqlearn detect evaluate` and `detect predict` need nothing else.
    """
    from freqlearn.pipelines.detection.training import train_detector

    say(str(train_detector(options)))


def evaluate(
    checkpoint: Path,
    *,
    images: Path,
    annotations: Path,
    first: int | None = None,
    batch_size: int = 4,
    workers: int | None = None,
    accelerator: Accelerator = "auto",
    devices: int | None = None,
    nodes: int = 1,
    on_bad_image: OnBadImage = "error",
    predictions: Path | None = None,
    per_category: bool = False,
    json: bool = False,
    progress: bool = True,
) -> None:
    """Measure the average precision of a detector on images in COCO's format, as COCO does: of boxes, and of masks.

    Every image is counted exactly once, by however many processes. Masks are measured where the detector gives them and
    every annotation has one.

    Args:
        checkpoint: A file that `freqlearn detect train` wrote.
        images: Folder of the images.
        annotations: JSON file in COCO's format. Its classes are told by their names. Of the very dataset that training
            held a part out of, only that part is evaluated.
        first: Evaluate only the images with the lowest ids, so many of them; all by default.
        batch_size: Images that a process computes at once.
        workers: Loader processes; by default half of the cores, at most 4.
        accelerator: Device to compute on.
        devices: Processes that evaluate together on each machine, one a GPU. By default those that torchrun started,
            or 1.
        nodes: Machines that evaluate together, where something other than torchrun starts them.
        on_bad_image: What to do with a file that cannot be used: stop with an error that names it, or skip it and list
            it.
        predictions: JSON file to write all detections to, as COCO's result files have them. What an interrupted
            evaluation has found is kept beside it, and the same command goes on from there.
        per_category: Also print the average precision of every category.
        json: Print one JSON object instead of text.
        progress: Show a progress bar.
    """
    from freqlearn.pipelines.detection.evaluating import evaluate_detector

    result = evaluate_detector(
        checkpoint,
        images,
        annotations,
        first=first,
        batch_size=batch_size,
        workers=workers,
        accelerator=accelerator,
        devices=devices,
        nodes=nodes,
        on_bad_image=on_bad_image,
        predictions=predictions,
        progress=progress,
    )
    if json:
        say(result.to_json(per_category=per_category))
        return
    say(str(result))
    if per_category:
        say(f"\n{result.category_table()}")


def predict(
    checkpoint: Path,
    files: list[Path],
    *,
    output: Path = Path("predictions"),
    min_score: float = 0.5,
    top: int | None = None,
    batch_size: int = 1,
    exif_orientation: bool = True,
    accelerator: Accelerator = "auto",
) -> int:
    """Find objects in image files, and draw them: boxes, masks, labels and scores.

    Writes predictions.json, and for each file a picture NAME.png, to the output folder. A file that cannot be read is
    reported, the others are predicted all the same, and the exit status is 1. Interrupted, the same command goes on.

    Args:
        checkpoint: A file that `freqlearn detect train` wrote.
        files: Images (JPEG, PNG, ...); a folder stands for all images below it.
        output: Folder to write to.
        min_score: Leave out objects that are less certain, from 0 to 1.
        top: Most objects of an image; by default as many as the detector gives, usually 100.
        batch_size: Images to compute at once.
        exif_orientation: Turn photos upright first, as viewers show them; boxes, masks and pictures are then of the
            upright photo. Otherwise they are of the photo as it is stored, as in COCO's annotations.
        accelerator: Device to compute on.
    """
    from freqlearn.pipelines.detection.predicting import predict as run

    failed = False
    predictions = run(
        checkpoint,
        files,
        output=output,
        min_score=min_score,
        top=top,
        batch_size=batch_size,
        exif_orientation=exif_orientation,
        accelerator=accelerator,
    )
    for prediction in predictions:
        if prediction.error is not None:
            failed = True
            sys.stderr.write(" ".join(prediction.error.split()) + "\n")
        else:
            say(str(prediction))
    say(f"Wrote {output}/: predictions.json and the pictures")
    return int(failed)


def rank(options: DetectRankOptions) -> None:
    """Rank the 192 channels by how much a detector needs them.

    Writes importance.json, importance.csv, heatmap.png, heatmap.svg and spec.json (mean and standard deviation of all
    channels) to the output folder, and for the gate a folder model/ with checkpoints of the dynamic model, which
    `freqlearn detect evaluate` takes. `freqlearn detect train --channels OUTPUT --top 24` trains with the best ones.
    """
    from freqlearn.pipelines.detection.ranking import rank_with_detector

    say(str(rank_with_detector(options)))

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torchvision.datasets import ImageFolder

from freqlearn import presets
from freqlearn.pipelines.checkpoint import load_checkpoint
from freqlearn.pipelines.evaluation import evaluate
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.training import TrainResult, train


def logits_and_labels(checkpoint: Path, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """One image at a time, through torchvision's ImageFolder."""
    loaded = load_checkpoint(checkpoint)
    transform = presets.classification_eval(loaded.header.spec)
    folder = ImageFolder(root, loader=lambda path: Path(path).read_bytes(), transform=transform)
    with torch.inference_mode():
        logits = [loaded.model(image[None])[0].numpy() for image, _ in folder]
    return np.stack(logits), np.array(folder.targets)


def test_agrees_with_numpy(trained: TrainResult, two_classes: Path) -> None:
    result = evaluate(trained.checkpoint, two_classes, batch_size=4, workers=0, accelerator="cpu", progress=False)
    logits, labels = logits_and_labels(trained.checkpoint, two_classes / "val")
    right = logits.argmax(axis=1) == labels
    assert result.images == 10
    assert result.top1 == pytest.approx(right.mean())
    assert result.top5 is None
    # float32 convolutions over batches of 4 and of 1 may be summed in another order.
    assert result.loss == pytest.approx(-log_softmax(logits, axis=1)[np.arange(10), labels].mean(), rel=1e-4)
    expected = {name: right[labels == label].mean() for label, name in enumerate(("flat", "stripes"))}
    assert result.per_class == pytest.approx(expected)


def test_says_what_goes_in(trained: TrainResult, two_classes: Path) -> None:
    result = evaluate(trained.checkpoint, two_classes / "train", workers=0, accelerator="cpu", progress=False)
    assert (result.channels, result.in_channels, result.bytes_per_image) == ("DCT-24", 24, 24 * 4 * 4 * 4)
    assert (result.images, result.held_out) == (24, False)


def test_only_the_held_out_part_of_the_training_folder(
    options: Callable[..., TrainOptions], two_classes: Path, tmp_path: Path
) -> None:
    trained = train(options(data=two_classes / "train", output=tmp_path / "run", val_fraction=0.25, epochs=2))
    same = evaluate(trained.checkpoint, two_classes / "train", workers=0, accelerator="cpu", progress=False)
    assert (same.images, same.held_out) == (6, True)
    assert same.top1 == pytest.approx(trained.accuracy)
    other = evaluate(trained.checkpoint, two_classes / "val", workers=0, accelerator="cpu", progress=False)
    assert (other.images, other.held_out) == (10, False)


def test_classes_are_matched_by_name(trained: TrainResult, two_classes: Path, tmp_path: Path) -> None:
    shutil.copytree(two_classes / "val" / "stripes", tmp_path / "stripes")
    part = evaluate(trained.checkpoint, tmp_path, workers=0, accelerator="cpu", progress=False)
    whole = evaluate(trained.checkpoint, two_classes, workers=0, accelerator="cpu", progress=False)
    assert part.per_class == {"stripes": whole.per_class["stripes"]}
    (tmp_path / "stripes").rename(tmp_path / "zebra")
    with pytest.raises(ValueError, match="does not know the class 'zebra'"):
        evaluate(trained.checkpoint, tmp_path, workers=0, accelerator="cpu", progress=False)


def test_a_gated_model_is_evaluated(options: Callable[..., TrainOptions], two_classes: Path, tmp_path: Path) -> None:
    from freqlearn.pipelines.rank_options import RankOptions
    from freqlearn.pipelines.ranking import rank

    rank(
        RankOptions(
            data=two_classes,
            output=tmp_path / "rank",
            model="small",
            size_px=32,
            augment="flip",
            epochs=1,
            lambda_=0.01,
            batch_size=8,
            workers=0,
            accelerator="cpu",
            progress=False,
        )
    )
    result = evaluate(tmp_path / "rank" / "model" / "last.ckpt", two_classes, workers=0, accelerator="cpu", progress=False)
    assert result.in_channels == 192
    assert 0 <= result.top1 <= 1

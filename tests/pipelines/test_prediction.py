from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from freqlearn import presets
from freqlearn.pipelines.checkpoint import CheckpointError, load_checkpoint
from freqlearn.pipelines.prediction import Prediction, predict
from freqlearn.pipelines.training import TrainResult


def predictions(trained: TrainResult, *files: Path, **options: int) -> list[Prediction]:
    return list(predict(trained.checkpoint, files, device="cpu", **options))  # type: ignore[arg-type]


def test_probabilities_are_the_model_s(trained: TrainResult, two_classes: Path) -> None:
    files = sorted((two_classes / "val").glob("*/*.jpg"))
    loaded = load_checkpoint(trained.checkpoint)
    transform = presets.classification_eval(loaded.header.spec)
    found = predictions(trained, *files, batch_size=3)
    assert [prediction.file for prediction in found] == files
    for prediction in found:
        with torch.inference_mode():
            expected = loaded.model(transform(prediction.file.read_bytes())[None]).softmax(dim=1)[0]
        assert prediction.error is None
        assert [name for name, _ in prediction.top] == [
            loaded.header.classes[i] for i in expected.argsort(descending=True)
        ]
        probabilities = dict(zip(loaded.header.classes, expected.tolist(), strict=True))
        # float32 convolutions over batches of 3 and of 1 may be summed in another order.
        assert dict(prediction.top) == pytest.approx(probabilities, abs=1e-4)


def test_classes_are_told_apart(trained: TrainResult, two_classes: Path) -> None:
    found = predictions(trained, *sorted((two_classes / "val").glob("*/*.jpg")), top=1)
    right = [prediction.top[0][0] == prediction.file.parent.name for prediction in found]
    assert sum(right) >= 9


def test_folder_stands_for_its_images(trained: TrainResult, two_classes: Path) -> None:
    assert len(predictions(trained, two_classes / "val")) == 10


def test_png_is_predicted_too(trained: TrainResult, two_classes: Path, tmp_path: Path) -> None:
    source = two_classes / "val" / "stripes" / "0.jpg"
    Image.open(source).save(tmp_path / "same.png")
    jpeg, png = predictions(trained, source, tmp_path / "same.png")
    # The PNG holds rounded pixels of the JPEG: probabilities move a little, by no more than this.
    assert dict(png.top) == pytest.approx(dict(jpeg.top), abs=0.02)


def test_bad_files_are_reported_and_the_others_predicted(
    trained: TrainResult, two_classes: Path, tmp_path: Path
) -> None:
    good = two_classes / "val" / "flat" / "0.jpg"
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:400])
    (tmp_path / "text.jpg").write_text("not a picture")
    found = predictions(trained, tmp_path / "cut.jpg", good, tmp_path / "text.jpg", tmp_path / "missing.jpg")
    assert [prediction.error is None for prediction in found] == [False, True, False, False]
    assert len(found[1].top) == 2
    for prediction in found:
        if prediction.error is not None:
            assert prediction.error.startswith(str(prediction.file))
            assert prediction.top == ()


def test_all_files_may_be_bad(trained: TrainResult, tmp_path: Path) -> None:
    assert [p.error is None for p in predictions(trained, tmp_path / "a.jpg", tmp_path / "b.jpg")] == [False, False]


def test_mistakes(trained: TrainResult, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="top and batch_size must be at least 1"):
        predictions(trained, tmp_path / "a.jpg", top=0)
    with pytest.raises(ValueError, match="found none"):
        predictions(trained, tmp_path)
    with pytest.raises(CheckpointError, match="no such checkpoint file"):
        predict(tmp_path / "x.ckpt", [tmp_path / "a.jpg"])


def test_size_of_the_picture(trained: TrainResult, tmp_path: Path) -> None:
    for name, size in (("long.jpg", (32, 500)), ("thin.jpg", (3, 200))):
        Image.new("L", size, 90).save(tmp_path / name)
    whole, thin = predictions(trained, tmp_path / "long.jpg", tmp_path / "thin.jpg")
    assert whole.error is None
    # The model was trained on pictures of exactly its size, never on one with a black border.
    assert "expected at least 32x32 px" in str(thin.error)
    resized = load_checkpoint(trained.checkpoint)
    resized = replace(resized, header=replace(resized.header, spec=replace(trained.spec, resize_px=32)))
    assert [p.error for p in predict(resized, [tmp_path / "long.jpg", tmp_path / "thin.jpg"])] == [None, None]

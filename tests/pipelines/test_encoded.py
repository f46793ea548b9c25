"""Datasets of other libraries that hold files' bytes."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import Compose

from freqlearn import presets
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.batching import PlansToBatch
from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.folders import ClassFolder, read_class_folder
from freqlearn.pipelines.loaders import make_loader
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 32)


class Listed:
    """A dataset of another library: a list of samples."""

    def __init__(self, samples: Sequence[Any]) -> None:
        self.samples_of_mine = samples

    def __len__(self) -> int:
        return len(self.samples_of_mine)

    def __getitem__(self, index: int) -> Any:
        return self.samples_of_mine[index]


@pytest.fixture(scope="module")
def folder(two_classes: Path) -> ClassFolder:
    return read_class_folder(two_classes / "val")


def samples(folder: ClassFolder, kind: str) -> Listed:
    pairs = [(folder.path(i), int(folder.labels[i])) for i in range(len(folder))]
    made: Mapping[str, Any] = {
        "bytes": [(path.read_bytes(), label) for path, label in pairs],
        "memoryview": [[memoryview(path.read_bytes()), label] for path, label in pairs],
        "path": [(path, label) for path, label in pairs],
        "dict": [{"image": path.read_bytes(), "label": label} for path, label in pairs],
        "dict of bytes": [
            {"image": {"bytes": path.read_bytes(), "path": path.name}, "label": label} for path, label in pairs
        ],
        "dict of path": [{"image": {"bytes": None, "path": str(path)}, "label": label} for path, label in pairs],
    }
    return Listed(made[kind])


KINDS = ["bytes", "memoryview", "path", "dict", "dict of bytes", "dict of path"]


def assert_same(one: Any, other: Any) -> None:
    for (images, labels), (expected, expected_labels) in zip(one, other, strict=True):
        assert torch.equal(images, expected)
        assert torch.equal(labels, expected_labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_are_those_of_the_folder(folder: ClassFolder, kind: str, shuffle: bool) -> None:
    options: dict[str, Any] = {"batch_size": 4, "shuffle": shuffle, "seed": 2}
    expected = list(make_loader(folder, SPEC, num_workers=0, **options))
    source = make_loader(samples(folder, kind), SPEC, num_workers=int(kind == "bytes"), **options)
    assert isinstance(source.collate_fn, PlansToBatch), "decoded batch by batch"
    assert_same(source, expected)


def test_other_transforms_are_given_bytes(folder: ClassFolder) -> None:
    sizes = [path.stat().st_size for path in folder.paths()]
    for kind in KINDS:
        transform = Compose([len, lambda size: torch.tensor(float(size))])
        source = make_loader(samples(folder, kind), transform, batch_size=10, shuffle=False, num_workers=0)
        assert [images.tolist() for images, _ in source] == [sizes]


def test_keys_of_dicts(folder: ClassFolder) -> None:
    renamed = Listed([{"jpg": s["image"], "cls": s["label"], "more": 1} for s in samples(folder, "dict")])
    expected = make_loader(folder, SPEC, batch_size=5, shuffle=False, num_workers=0)
    options: dict[str, Any] = {"batch_size": 5, "shuffle": False, "num_workers": 0}
    assert_same(make_loader(renamed, SPEC, image_key="jpg", label_key="cls", **options), expected)
    with pytest.raises(ValueError, match="keys 'image' and 'label', got 'jpg', 'cls', 'more': image_key and label_key"):
        make_loader(renamed, SPEC, **options)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        pytest.param(
            (torch.zeros(3, 4, 4), 0), r"gives finished images \(Tensor\).*give the transform to it", id="tensor"
        ),
        pytest.param((Image.new("RGB", (8, 8)), 0), r"decodes its images .*Image\(decode=False\)", id="PIL"),
        pytest.param({"image": {"width": 3}, "label": 0}, r"finished images \(dict\)", id="another dict"),
        pytest.param(b"bytes alone", "expected samples that are pairs .* or dicts, got bytes", id="no label"),
        pytest.param((b"", 1, 2), "expected samples that are pairs .* or dicts, got tuple", id="three"),
    ],
)
def test_what_holds_no_file_is_refused(sample: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loader(Listed([sample]), SPEC, batch_size=1, shuffle=False)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("kind", "name"), [("bytes", "sample 3"), ("dict of bytes", r"sample 3 \(3\.jpg\)")])
def test_bad_samples_are_named(folder: ClassFolder, kind: str, name: str, workers: int) -> None:
    data = samples(folder, kind)
    whole = data[3] if kind == "dict of bytes" else {"image": {"bytes": data[3][0]}}
    cut = whole["image"]["bytes"][:300]
    data.samples_of_mine[3] = (  # type: ignore[index]
        (cut, 0) if kind == "bytes" else {"image": {"bytes": cut, "path": "3.jpg"}, "label": 0}
    )
    options: dict[str, Any] = {"batch_size": 5, "shuffle": False, "num_workers": workers}
    with pytest.raises(SampleError, match=f"^{name}: "):
        list(make_loader(data, SPEC, **options))
    source = make_loader(data, SPEC, on_error="skip", **options)
    assert [len(labels) for _, labels in source] == [4, 5]
    assert [key.startswith("sample 3") for key in source.bad_images] == [True]


def hugging_face(folder: ClassFolder, **options: Any) -> Any:
    datasets = pytest.importorskip("datasets")
    pictures = [{"bytes": path.read_bytes(), "path": None} for path in folder.paths()]
    features = datasets.Features(
        {"image": datasets.Image(**options), "label": datasets.ClassLabel(names=list(folder.classes))}
    )
    return datasets.Dataset.from_dict({"image": pictures, "label": folder.labels.tolist()}, features=features)


@pytest.mark.parametrize("workers", [0, 1])
def test_hugging_face_datasets(folder: ClassFolder, workers: int) -> None:
    data = hugging_face(folder, decode=False)
    expected = make_loader(folder, SPEC, batch_size=4, shuffle=True, num_workers=0)
    assert_same(make_loader(data, SPEC, batch_size=4, shuffle=True, num_workers=workers), expected)


def test_hugging_face_datasets_that_decode_say_what_to_do(folder: ClassFolder) -> None:
    data = hugging_face(folder)
    with pytest.raises(ValueError, match=r"cast_column\(\"image\", datasets.Image\(decode=False\)\)"):
        make_loader(data, SPEC, batch_size=4, shuffle=True)
    import datasets

    data = data.cast_column("image", datasets.Image(decode=False))
    images, labels = next(iter(make_loader(data, SPEC, batch_size=4, shuffle=False, num_workers=0)))
    assert images.shape == (4, 24, 4, 4)
    assert labels.tolist() == [0] * 4


def test_files_that_are_no_jpeg(folder: ClassFolder) -> None:
    """Decoded by Pillow, as everywhere."""
    made = []
    for i in range(2):
        file = io.BytesIO()
        Image.open(folder.path(i)).save(file, "PNG")
        made.append((file.getvalue(), i))
    images, _ = next(iter(make_loader(Listed(made), SPEC, batch_size=2, shuffle=False, num_workers=0)))
    alone = [presets.classification_eval(SPEC)(data) for data, _ in made]
    assert torch.equal(images, torch.stack(alone))

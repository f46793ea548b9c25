"""BatchDecoder and images that cannot be read."""

import logging
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import presets, transforms
from freqlearn.batch import Failure

SPEC = fl.InputSpec.unstandardised(fl.ChannelSet.of((0, 1, 8, 64, 128)), 32)
COUNT = 9
CUT, DAMAGED, NO_IMAGE = 2, 5, 6


@pytest.fixture(scope="module")
def good(make_jpeg) -> list[bytes]:
    return [make_jpeg(50 + i, 70 - i, seed=i) for i in range(COUNT)]


@pytest.fixture
def folder(good, tmp_path) -> Path:
    """Three files cannot be read: one is cut short, one is damaged behind its headers, one is text."""
    for i, file in enumerate(good):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / f"{i}.jpg").write_bytes(file)
    damaged = bytearray(good[DAMAGED])
    # One code of ones only, which no Huffman table has (ITU-T T.81, C).
    start = damaged.index(b"\xff\xda") + 40
    damaged[start : start + 40] = b"\xff\x00" * 20
    (tmp_path / "photos" / f"{CUT}.jpg").write_bytes(good[CUT][:-100])
    (tmp_path / "photos" / f"{DAMAGED}.jpg").write_bytes(damaged)
    (tmp_path / "photos" / f"{NO_IMAGE}.jpg").write_text("no image")
    return tmp_path


@pytest.fixture
def paths(folder) -> list[str]:
    return sorted(map(str, folder.glob("photos/*.jpg")))


@pytest.fixture(scope="module")
def train():
    return presets.classification_train(SPEC)


def error_alone(path: str) -> Exception:
    with pytest.raises(ValueError) as caught:
        presets.classification_train(SPEC)(path)
    return caught.value


@pytest.mark.parametrize("num_threads", [1, 3])
@pytest.mark.parametrize("bad", [CUT, DAMAGED, NO_IMAGE])
def test_error_says_which_image(bad, num_threads, paths, train):
    batch = [path for i, path in enumerate(paths) if i == bad or i not in (CUT, DAMAGED, NO_IMAGE)]
    index = batch.index(paths[bad])
    alone = error_alone(paths[bad])
    with pytest.raises(type(alone)) as caught:
        fl.BatchDecoder(train, num_threads=num_threads)(batch)
    assert str(caught.value) == f"{alone} (image {index} of {len(batch)}, counted from 0)"
    assert caught.value.path == paths[bad]


@pytest.mark.parametrize("source", ["bytes", "DCTImage"])
@pytest.mark.parametrize("num_threads", [1, 3])
def test_path_comes_from_the_source(source, num_threads, paths, train):
    read = {"bytes": fl.read_bytes, "DCTImage": fl.read_dct}[source]
    batch = [(read(paths[i]), i) for i in (0, 1, DAMAGED, 3)]
    with pytest.raises(fl.MalformedJpegError, match=rf"^{paths[DAMAGED]}: .*\(image 2 of 4, counted from 0\)$"):
        fl.BatchDecoder(train, num_threads=num_threads)(batch)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_first_error_is_raised_and_others_are_not_lost(num_threads, paths, train):
    batch = [paths[DAMAGED], paths[0], paths[DAMAGED], paths[NO_IMAGE], paths[CUT]]
    for _ in range(5):
        with pytest.raises(fl.MalformedJpegError, match="image 0 of 5") as caught:
            fl.BatchDecoder(train, num_threads=num_threads)(batch)
        # What comes after the first that cannot even be planned is not looked at.
        notes = "\n".join(caught.value.__notes__)
        assert "image 2 of 5" in notes
        assert "image 3 of 5" in notes
        assert "image 4 of 5" not in notes


def test_missing_file(paths, train):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg") as caught:
        fl.BatchDecoder(train)([paths[0], "nowhere.jpg"])
    assert caught.value.__notes__ == ["image 1 of 2, counted from 0: nowhere.jpg"]


def test_other_size(good):
    transform = transforms.Compose([transforms.ReadDCT(), transforms.Resize(32), transforms.ToFrequencyTensor(SPEC)])
    source = fl.sources.FileBytes(good[0], "here.jpg")
    square = fl.read_dct(good[0])
    square = square.with_plan(square.plan.crop(top=0, left=0, height=40, width=40))
    with pytest.raises(ValueError, match=r"\(32, 32\) px, as the first one does, got \(32, 44\)") as caught:
        fl.BatchDecoder(transform)([square, square, source])
    assert caught.value.__notes__ == ["image 2 of 3, counted from 0: here.jpg"]


def test_size_of_no_whole_blocks(good):
    transform = transforms.Compose([transforms.ReadDCT(), transforms.Resize(30), transforms.ToFrequencyTensor(SPEC)])
    with pytest.raises(ValueError, match="expected a picture of whole 8x8 blocks, got 30x") as caught:
        fl.BatchDecoder(transform)(good)
    assert "image 0 of 9, counted from 0" in caught.value.__notes__


def test_mistakes_of_the_program_are_not_replaced(good):
    """Only files that cannot be read are: a pipeline that fits no picture would train on nothing else."""
    transform = transforms.Compose(
        [transforms.ReadDCT(), transforms.RandomCrop(64), transforms.ToFrequencyTensor(SPEC)]
    )
    with pytest.raises(ValueError, match="at least the crop's 64x64") as caught:
        fl.BatchDecoder(transform, on_error="replace")(good)
    assert "image 0 of 9, counted from 0" in caught.value.__notes__


@pytest.mark.parametrize("num_threads", [1, 3])
def test_replaced_by_the_next_sample_that_can_be_read(num_threads, paths, train, caplog):
    samples = [(path, {"label": i, "name": Path(path).stem}) for i, path in enumerate([*paths, "nowhere.jpg"])]
    decoder = fl.BatchDecoder(train, num_threads=num_threads, on_error="replace")
    torch.manual_seed(0)
    with caplog.at_level(logging.WARNING, "freqlearn"):
        images, labels = decoder(samples)
    assert labels["label"].tolist() == [0, 1, 3, 3, 4, 7, 7, 7, 8, 0]
    assert labels["name"] == list("0133477780")
    for index, origin in ((CUT, 3), (DAMAGED, 7), (NO_IMAGE, 7), (COUNT, 0)):
        assert torch.equal(images[index], images[origin])
    want = [(CUT, paths[CUT], 3), (DAMAGED, paths[DAMAGED], 7), (NO_IMAGE, paths[NO_IMAGE], 7)]
    want.append((COUNT, "nowhere.jpg", 0))
    assert [(f.index, f.path, f.replaced_by) for f in decoder.failures] == want
    assert all(isinstance(f, Failure) for f in decoder.failures)
    for failure, record in zip(decoder.failures, caplog.records, strict=True):
        assert str(failure.path) in record.getMessage()
        assert (
            f"image {failure.index} of 10, counted from 0, replaced by image {failure.replaced_by}"
            in record.getMessage()
        )
    assert str(decoder.failures[0].error) == str(error_alone(paths[CUT]))


@pytest.mark.parametrize("num_threads", [1, 3])
def test_replacing_leaves_the_other_images_alone(num_threads, paths, good, train):
    """They are what the transform gives, one after another, skipping what cannot be read."""
    decoder = fl.BatchDecoder(train, num_threads=num_threads, on_error="replace")
    torch.manual_seed(0)
    images = decoder(paths)
    torch.manual_seed(0)
    for i, path in enumerate(paths):
        try:
            assert torch.equal(train(path), images[i])
        except fl.ImageError:
            assert i in (CUT, DAMAGED, NO_IMAGE)
    decoder(good)
    assert decoder.failures == ()


@pytest.mark.parametrize("num_threads", [1, 3])
def test_nothing_to_replace_with(num_threads, paths, train):
    decoder = fl.BatchDecoder(train, num_threads=num_threads, on_error="replace")
    with pytest.raises(fl.MalformedJpegError, match="image 0 of 2, counted from 0") as caught:
        decoder([paths[DAMAGED], paths[NO_IMAGE]])
    assert "image 1 of 2" in caught.value.__notes__[0]
    assert decoder.failures == ()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("num_threads", [1, 3])
def test_dropped_samples_are_missing_and_the_others_as_they_were(num_threads, memory_format, paths, train):
    samples = [(path, i) for i, path in enumerate(paths)]
    torch.manual_seed(0)
    expected, _ = fl.BatchDecoder(train, on_error="replace")(samples)
    decoder = fl.BatchDecoder(train, num_threads=num_threads, on_error="drop", memory_format=memory_format)
    torch.manual_seed(0)
    images, labels = decoder(samples)
    kept = [i for i in range(COUNT) if i not in (CUT, DAMAGED, NO_IMAGE)]
    assert labels.tolist() == kept
    assert torch.equal(images, expected[kept])
    assert images.is_contiguous(memory_format=memory_format)
    assert [(f.index, f.path, f.replaced_by) for f in decoder.failures] == [
        (i, paths[i], None) for i in (CUT, DAMAGED, NO_IMAGE)
    ]
    assert [str(f.error) for f in decoder.failures] == [str(error_alone(f.path)) for f in decoder.failures]


@pytest.mark.parametrize("bad", [(DAMAGED, NO_IMAGE), (CUT, NO_IMAGE), (DAMAGED,)])
def test_nothing_left_after_dropping(bad, paths, train):
    decoder = fl.BatchDecoder(train, on_error="drop")
    with pytest.raises(fl.ImageDecodeError, match=f"got {len(bad)} that cannot: {paths[bad[0]]}: "):
        decoder([paths[i] for i in bad])
    assert [str(f.error) for f in decoder.failures] == [str(error_alone(paths[i])) for i in bad]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_errors_in_a_loader(num_workers, folder, train):
    dataset = ImageFolder(folder, loader=fl.read_bytes)
    loader = DataLoader(dataset, COUNT, collate_fn=fl.BatchDecoder(train), num_workers=num_workers)
    with pytest.raises(fl.TruncatedJpegError, match=rf"{CUT}\.jpg: .*image {CUT} of {COUNT}"):
        next(iter(loader))
    loader = DataLoader(dataset, COUNT, collate_fn=fl.BatchDecoder(train, on_error="replace"), num_workers=num_workers)
    images, labels = next(iter(loader))
    assert images.shape == (COUNT, 5, 4, 4)
    assert len(labels) == COUNT


def test_interrupted_between_images(good):
    """An exception that is no error of an image goes through at once."""

    def interrupt(img: fl.DCTImage) -> fl.DCTImage:
        if img.size_px == fl.read_dct(good[4]).size_px:
            raise KeyboardInterrupt
        return img

    transform = v2.Compose(
        [transforms.ReadDCT(), v2.Lambda(interrupt), transforms.Resize((32, 32)), transforms.ToFrequencyTensor(SPEC)]
    )
    for num_threads in (1, 3):
        decoder = fl.BatchDecoder(transform, num_threads=num_threads, on_error="replace")
        with pytest.raises(KeyboardInterrupt):
            decoder(good)
        assert decoder(good[:4]).shape == (4, 5, 4, 4)


def test_no_image_is_blamed_for_the_batch(good, train, monkeypatch):
    """Memory that cannot be had is not the first image's fault."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="leave pin_memory out") as caught:
        fl.BatchDecoder(train, on_error="replace", pin_memory=True)([good, good])
    assert not hasattr(caught.value, "__notes__")

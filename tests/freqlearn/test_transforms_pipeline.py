"""Transforms in the places where people use them: datasets, loaders, compositions, other transforms."""

import copy
import pickle

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from small_spec import SPEC
from torch.utils.data import DataLoader, default_collate
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import transforms
from freqlearn.operator import compute, planes_of
from freqlearn.reconstruction import to_ycbcr


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_jpeg):
    root = tmp_path_factory.mktemp("photos")
    for i in range(8):
        path = root / f"class{i % 2}" / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(make_jpeg(50 + i, 70 - i, seed=i, sampling=("4:2:0", "4:4:4", "gray")[i % 3]))
    return root


def pipeline(compose=transforms.Compose):
    return compose(
        [
            transforms.ReadDCT(),
            transforms.ExifOrient(),
            transforms.RandomResizedCrop(32),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.2, 0.2, 0.2, 0.05),
            transforms.ToFrequencyTensor(SPEC),
        ]
    )


def epoch(folder, **workers):
    dataset = ImageFolder(folder, loader=fl.read_bytes, transform=pipeline())
    torch.manual_seed(3)
    batches = list(DataLoader(dataset, batch_size=4, **workers))
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


def test_image_folder_and_loader(folder):
    images, labels = epoch(folder)
    assert images.shape == (8, 5, 4, 4)
    assert images.dtype == torch.float32
    assert images.isfinite().all()
    assert labels.tolist() == [0] * 4 + [1] * 4


def test_worker_processes_draw_alike_however_they_are_started(folder):
    # The loader seeds its workers from torch's generator, so fork and spawn draw the same boxes and factors.
    fork, _ = epoch(folder, num_workers=1, multiprocessing_context="fork")
    spawn, labels = epoch(folder, num_workers=1, multiprocessing_context="spawn")
    assert labels.tolist() == [0] * 4 + [1] * 4
    torch.testing.assert_close(fork, spawn, rtol=0, atol=1e-5)


@pytest.mark.parametrize("compose", [transforms.Compose, v2.Compose], ids=["ours", "torchvision"])
def test_either_compose(compose, make_jpeg):
    jpeg = make_jpeg(60, 80)
    torch.manual_seed(0)
    got = pipeline(compose)(jpeg)
    torch.manual_seed(0)
    img = fl.read_dct(jpeg)
    for step in list(pipeline().transforms)[1:]:
        img = step(img)
    assert torch.equal(got, img)


def test_standardised_in_the_order_of_the_spec(make_jpeg):
    img = fl.read_dct(make_jpeg(32, 32))
    raw = transforms.ToFrequencyTensor(SPEC.channels)(img)
    mean, std = torch.tensor(SPEC.mean)[:, None, None], torch.tensor(SPEC.std)[:, None, None]
    torch.testing.assert_close(transforms.ToFrequencyTensor(SPEC)(img), (raw - mean) / std)
    expected = compute(planes_of(img), img.plan, SPEC.channels.indices, dtype="float64")
    assert np.abs(raw.numpy() - expected).max() < 1e-3
    assert transforms.ToFrequencyTensor(SPEC, dtype=torch.float16)(img).dtype == torch.float16


def test_dataset_with_joint_transforms_and_nested_samples(make_jpeg):
    joint = transforms.Compose([transforms.ReadDCT(), transforms.Resize(32), transforms.CenterCrop(32)])
    img, label = joint(make_jpeg(40, 60), 7)
    assert img.plan.output_size == (32, 32)
    assert label == 7
    sample = transforms.RandomCrop(16)({"image": img, "boxes": [img, torch.ones(2)]})
    assert sample["image"].plan == sample["boxes"][0].plan  # one draw a sample
    assert torch.equal(sample["boxes"][1], torch.ones(2))


def test_images_of_different_size_in_one_sample_are_an_error(make_jpeg):
    pair = (fl.read_dct(make_jpeg(40, 60)), fl.read_dct(make_jpeg(60, 40)))
    with pytest.raises(ValueError, match="one size"):
        transforms.RandomCrop(16)(pair)


def test_mixup_cutmix_and_erasing_take_the_result(folder):
    erase = v2.RandomErasing(p=1.0)
    dataset = ImageFolder(folder, loader=fl.read_bytes, transform=v2.Compose([pipeline(), erase]))
    torch.manual_seed(0)
    samples = [dataset[i] for i in range(4)]
    assert all((image == 0).all(dim=0).any() for image, _ in samples)  # a rectangle of all channels
    plain = default_collate([ImageFolder(folder, loader=fl.read_bytes, transform=pipeline())[i] for i in range(4)])
    for mix in (v2.MixUp(num_classes=2), v2.CutMix(num_classes=2)):
        images, labels = mix(*plain)
        assert images.shape == plain[0].shape
        assert labels.shape == (4, 2)
        torch.testing.assert_close(labels.sum(dim=1), torch.ones(4))
        assert not torch.equal(images, plain[0])


@pytest.mark.parametrize("clone", [lambda t: pickle.loads(pickle.dumps(t)), copy.deepcopy], ids=["pickle", "copy"])
def test_pipelines_can_be_copied(clone, make_jpeg):
    jpeg = make_jpeg(60, 80)
    torch.manual_seed(5)
    want = pipeline()(jpeg)
    torch.manual_seed(5)
    assert torch.equal(clone(pipeline())(jpeg), want)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_equals_pillows(orientation, make_jpeg):
    exif = Image.Exif()
    exif[0x0112] = orientation
    img = fl.read_dct(make_jpeg(24, 40, sampling="4:4:4", exif=exif.tobytes()))
    assert img.orientation == orientation
    everything = transforms.ToFrequencyTensor(fl.ChannelSet.all())
    stored = to_ycbcr(everything(img), range(192))
    upright = to_ycbcr(everything(transforms.ExifOrient()(img)), range(192))
    # Pillow turns a picture of pixel numbers, and that turns ours.
    numbers = Image.fromarray(np.arange(24 * 40, dtype=np.int32).reshape(24, 40))
    numbers.getexif()[0x0112] = orientation
    want = stored.reshape(24 * 40, 3)[np.asarray(ImageOps.exif_transpose(numbers))]
    np.testing.assert_allclose(upright, want, rtol=0, atol=1e-3)


def test_a_transform_without_an_image_says_what_is_missing():
    with pytest.raises(TypeError, match=r"Resize expected a DCTImage, got bytes\. Put .*ReadDCT"):
        transforms.Resize(32)(b"\xff\xd8")
    with pytest.raises(TypeError, match="RandomHorizontalFlip expected a DCTImage, got Tensor"):
        transforms.RandomHorizontalFlip(0.0)(torch.zeros(3, 8, 8))


def test_compose_notices_torchvision_transforms_that_would_do_nothing():
    end = transforms.ToFrequencyTensor(SPEC)
    with pytest.raises(TypeError, match=r"torchvision's Resize .* use freqlearn.transforms.Resize"):
        transforms.Compose([transforms.ReadDCT(), v2.Resize(32), end])
    with pytest.raises(TypeError, match=r"torchvision's GaussianBlur .* before ReadDCT .* or after"):
        transforms.Compose([transforms.ReadDCT(), v2.RandomApply([v2.GaussianBlur(3)]), end])
    with pytest.raises(TypeError, match="RandomHorizontalFlip"):
        transforms.Compose([v2.RandomHorizontalFlip(), transforms.CenterCrop(32), end])
    # On pixels before, on the tensor after, and around ours they are welcome.
    transforms.Compose(
        [
            v2.RandomRotation(5),
            transforms.ReadDCT(),
            v2.RandomApply([transforms.Grayscale()], p=0.2),
            v2.Lambda(lambda img: img),
            end,
            v2.RandomErasing(),
        ]
    )


def test_torchvision_transforms_of_pixels_come_before():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    steps = [v2.CenterCrop(32), transforms.ReadDCT(), transforms.ToFrequencyTensor(fl.ChannelSet.square(24))]
    got = transforms.Compose(steps)(picture)
    want = steps[2](fl.read_dct(np.asarray(picture)[8:40, 8:40].copy()))
    assert torch.equal(got, want)


def test_rgb_spec_is_refused():
    with pytest.raises(ValueError, match="got kind 'rgb'"):
        transforms.ToFrequencyTensor(fl.InputSpec("rgb", None, (0.5,) * 3, (0.2,) * 3, size_px=224))
    with pytest.raises(TypeError, match="an InputSpec or a ChannelSet, got list"):
        transforms.ToFrequencyTensor([0, 1])


def test_repr_shows_the_options():
    assert repr(transforms.RandomCrop(8, padding=2)) == (
        "RandomCrop(size=(8, 8), padding=(2, 2, 2, 2), pad_if_needed=False, fill=(0.0, 0.0, 0.0))"
    )
    assert "p=0.25" in repr(transforms.RandomVerticalFlip(0.25))
    assert "DCT-24" in repr(transforms.ToFrequencyTensor(fl.ChannelSet.square(24)))

"""BatchDecoder: what it gives, for which items, and what it refuses."""

import copy
import io
import pickle
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from PIL import Image
from small_spec import SPEC
from torch import nn
from torch.utils._pytree import tree_flatten
from torch.utils.data import default_collate
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import presets, transforms
from freqlearn.transforms.base import PlanTransform

COUNT = 7


class Shifted(PlanTransform):
    """A user's own: crops one pixel row off the top."""

    def change(self, plan, params):
        height, width = plan.output_size
        return plan.crop(top=1, left=0, height=height - 1, width=width)


@pytest.fixture(scope="module")
def files(make_jpeg) -> list[bytes]:
    samplings = ("4:2:0", "4:4:4", "gray", "4:2:2")
    made = [make_jpeg(50 + i, 70 - i, seed=i, sampling=samplings[i % 4]) for i in range(COUNT - 1)]
    exif = Image.Exif()
    exif[0x0112] = 6
    return [*made, make_jpeg(60, 44, progressive=True, exif=exif.tobytes())]


@pytest.fixture(scope="module")
def train():
    return presets.classification_train(SPEC, brightness=0.3, contrast=0.3, saturation=0.3, exif_orientation=True)


PIPELINES = {
    "training": lambda: presets.classification_train(SPEC, brightness=0.3, contrast=0.3, exif_orientation=True),
    "evaluation": lambda: presets.classification_eval(SPEC),
    "own steps": lambda: transforms.Compose(
        [
            transforms.ReadDCT(),
            v2.RandomApply([transforms.Grayscale()], p=0.5),
            Shifted(),
            v2.Lambda(lambda img: img),
            transforms.RandomCrop(32, padding=4, pad_if_needed=True),
            transforms.RandomVerticalFlip(),
            transforms.ToFrequencyTensor(SPEC.channels),
        ]
    ),
    "nested": lambda: v2.Compose(
        [
            transforms.ReadDCT(),
            nn.Sequential(transforms.Resize((32, 40)), transforms.ToFrequencyTensor(fl.ChannelSet.all())),
        ]
    ),
}


@pytest.mark.parametrize("num_threads", [1, 2, 4])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_equals_the_transform_image_by_image(pipeline, num_threads, files):
    transform = PIPELINES[pipeline]()
    torch.manual_seed(1)
    want = torch.stack([transform(file) for file in files])
    torch.manual_seed(1)
    got = fl.BatchDecoder(transform, num_threads=num_threads)(files)
    assert torch.equal(got, want)


def test_every_kind_of_source(files, train, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(files[1])
    pixels = np.asarray(Image.open(io.BytesIO(files[0])))
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    decoded = fl.read_dct(files[1])
    assert decoded.planes
    sources = [
        files[0],
        path,
        str(path),
        bytearray(files[1]),
        np.frombuffer(files[2], np.uint8),
        torch.frombuffer(bytearray(files[3]), dtype=torch.uint8),
        pixels,
        Image.fromarray(pixels),
        png.getvalue(),
        fl.read_dct(files[4]),
        decoded,
        fl.DCTImage.from_planes(decoded.planes, decoded.quant_tables, size_px=decoded.size_px),
        fl.read_dct(files[0], strict=False),
        fl.read_dct(files[0][: len(files[0]) // 2], strict=False),
    ]
    torch.manual_seed(2)
    want = torch.stack([train(source) for source in sources])
    torch.manual_seed(2)
    assert torch.equal(fl.BatchDecoder(train, num_threads=2)(sources), want)


def test_planned_images_need_no_other_step(files):
    last = transforms.ToFrequencyTensor(SPEC)
    plans = [fl.read_dct(file) for file in files]
    plans = [img.with_plan(img.plan.crop(top=i, left=2 * i, height=24, width=32)) for i, img in enumerate(plans)]
    got = fl.BatchDecoder(last)(plans)
    assert torch.equal(got, torch.stack([last(img) for img in plans]))


Sample = namedtuple("Sample", ["image", "label", "more"])
SHAPES = {
    "pair": lambda file, i: (file, i),
    "list": lambda file, i: [file, float(i), f"name {i}"],
    "named": lambda file, i: Sample(file, i, {"box": torch.full((4,), i), "names": ("a", i)}),
    "dict": lambda file, i: {"image": file, "label": np.int64(i), "array": np.full(3, i)},
    "ordered dict": lambda file, i: OrderedDict(label=i, image=file),
    "single": lambda file, i: (file,),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_are_collated_as_torch_does(shape, files, train):
    samples = [SHAPES[shape](file, i) for i, file in enumerate(files)]
    key = 0 if isinstance(samples[0], tuple | list) else "image"
    torch.manual_seed(3)
    images = torch.stack([train(file) for file in files])
    want = default_collate([SHAPES[shape](image, i) for i, image in enumerate(images)])
    torch.manual_seed(3)
    got = fl.BatchDecoder(train, num_threads=2, image_key=key)(samples)
    (leaves, structure), (want_leaves, want_structure) = tree_flatten(got), tree_flatten(want)
    assert structure == want_structure
    for leaf, want_leaf in zip(leaves, want_leaves, strict=True):
        same = torch.equal(leaf, want_leaf) if isinstance(want_leaf, torch.Tensor) else leaf == want_leaf
        assert same, (leaf, want_leaf)


def test_image_somewhere_else_in_the_sample(files, train):
    labels, images = fl.BatchDecoder(train, image_key=1)([(i, file) for i, file in enumerate(files)])
    assert labels.tolist() == list(range(COUNT))
    assert images.shape == (COUNT, 5, 4, 4)
    _, images = fl.BatchDecoder(train, image_key=-1)([(0, file) for file in files])
    assert images.shape == (COUNT, 5, 4, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_dtype_and_memory_format(dtype, memory_format, files):
    end = transforms.ToFrequencyTensor(SPEC, dtype=dtype, memory_format=memory_format)
    steps = [transforms.ReadDCT(), transforms.Resize((40, 32))]
    transform = transforms.Compose([*steps, end])
    want = torch.stack([transform(file) for file in files])
    plain = transforms.Compose([*steps, transforms.ToFrequencyTensor(SPEC)])
    for got in (
        fl.BatchDecoder(transform, num_threads=2)(files),
        fl.BatchDecoder(plain, num_threads=2, dtype=dtype, memory_format=memory_format)(files),
    ):
        assert got.dtype == dtype
        assert got.shape == (COUNT, 5, 5, 4)
        assert got.is_contiguous(memory_format=memory_format)
        assert torch.equal(got, want)


def test_results_are_on_the_cpu_whatever_the_default_device(files):
    """A pointer into another device's memory must never reach the decoder."""
    pipeline = PIPELINES["evaluation"]()
    expected = fl.BatchDecoder(pipeline)(files)
    with torch.device("meta"):
        batch, alone = fl.BatchDecoder(pipeline)(files), pipeline(files[0])
    assert torch.equal(batch, expected)
    assert torch.equal(alone, expected[0])


def test_pinned_memory(files, train):
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="expected a CUDA device for pin_memory=True"):
            fl.BatchDecoder(train, pin_memory=True)(files)
        pytest.skip("the rest needs CUDA")
    assert fl.BatchDecoder(train, pin_memory=True)(files).is_pinned()


@pytest.mark.parametrize("clone", [lambda d: pickle.loads(pickle.dumps(d)), copy.deepcopy], ids=["pickle", "copy"])
def test_can_be_copied_after_use(clone, files, train):
    decoder = fl.BatchDecoder(train, num_threads=2, on_error="replace", dtype=torch.float16)
    torch.manual_seed(5)
    want = decoder(files)
    torch.manual_seed(5)
    assert torch.equal(clone(decoder)(files), want)
    assert repr(clone(decoder)) == repr(decoder)
    assert "num_threads=2, on_error='replace', dtype=torch.float16" in repr(decoder)


RGB = fl.InputSpec("rgb", None, (0.5,) * 3, (0.2,) * 3, size_px=224)
REFUSED = {
    "no end": (lambda: transforms.Compose([transforms.ReadDCT(), transforms.Resize(32)]), "ends with Resize"),
    "RGB": (lambda: presets.classification_train(RGB), r"classification_train\(spec\) of a 'dct' .* Normalize"),
    "function": (lambda: fl.read_dct, "ends with function"),
    "empty": (lambda: nn.Sequential(), "ends with nothing"),
    "after the end": (
        lambda: transforms.Compose([PIPELINES["training"](), v2.RandomErasing(), v2.ToDtype(torch.float16)]),
        "got RandomErasing, ToDtype after it: .* apply what comes after to the batch that it returns",
    ),
    "inside": (lambda: v2.RandomApply([PIPELINES["training"]()]), "ends with RandomApply"),
    "subclass": (lambda: type("Own", (transforms.ToFrequencyTensor,), {})(SPEC), "ends with Own"),
}


@pytest.mark.parametrize("transform", REFUSED)
def test_other_transforms_are_refused(transform):
    make, match = REFUSED[transform]
    with pytest.raises(TypeError, match=match):
        fl.BatchDecoder(make())


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"num_threads": 0}, ValueError, "num_threads from 1, .* got 0"),
        ({"num_threads": 10**6}, ValueError, "to 1024, got 1000000"),
        ({"num_threads": 1.5}, TypeError, "num_threads as an integer"),
        ({"on_error": "ignore"}, ValueError, "'raise', 'replace'.*got 'ignore'"),
        ({"dtype": torch.int8}, ValueError, "floating point dtype, got torch.int8"),
        ({"dtype": "float16"}, TypeError, "torch.dtype, such as torch.float16, got 'float16'"),
        ({"memory_format": torch.preserve_format}, ValueError, "channels_last, got torch.preserve_format"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_options_out_of_range(options, error, match, train):
    with pytest.raises(error, match=match):
        fl.BatchDecoder(train, **options)


@pytest.mark.parametrize(
    ("items", "options", "error", "match"),
    [
        ([], {}, ValueError, "at least one image, got an empty list"),
        (b"\xff\xd8", {}, TypeError, "expected a list of images or samples, got bytes"),
        ("a.jpg", {}, TypeError, r"got str: one image is \[image\]"),
        (iter([b"\xff\xd8"]), {}, TypeError, "got list_iterator"),
        ([(b"\xff\xd8", 0), b"\xff\xd8"], {}, TypeError, "got tuple at index 0 and bytes at index 1"),
        (
            [{"jpg": b"\xff\xd8"}],
            {"image_key": "image"},
            ValueError,
            r"at 'image', got a dict with the keys \['jpg'\] at",
        ),
        ([(b"\xff\xd8",)], {"image_key": 1}, ValueError, "at 1, got a tuple of 1 at index 0"),
        ([(b"\xff\xd8",)], {"image_key": "image"}, ValueError, "at 'image', got a tuple of 1"),
    ],
)
def test_items_that_are_no_batch(items, options, error, match, train):
    with pytest.raises(error, match=match):
        fl.BatchDecoder(train, **options)(items)


def test_a_step_that_gives_something_else(files):
    transform = v2.Compose([v2.Lambda(lambda data: len(data)), transforms.ToFrequencyTensor(SPEC)])
    with pytest.raises(TypeError, match=r"give ToFrequencyTensor a DCTImage, got int: .*ReadDCT"):
        fl.BatchDecoder(transform)(files)

"""ToFrequencyTensor: its options, and that it gives the same wherever it takes the coefficients from."""

import copy
import pickle

import numpy as np
import pytest
import torch
from operator_checks import FLOAT32, dc_alone, reference

import freqlearn as fl
from freqlearn import native_operator, presets, transforms

SPEC = fl.InputSpec(
    kind="dct",
    channels=fl.ChannelSet.of((9, 0, 64, 130)),
    mean=(1.0, 10.0, 2.0, 3.0),
    std=(80.0, 400.0, 50.0, 5.0),
    size_px=32,
    resize_px=40,
)
COUNT = len(SPEC.mean)


@pytest.fixture
def img(make_jpeg) -> fl.DCTImage:
    """Cropped, resized to 24x40 px and recoloured; not decoded."""
    img = fl.read_dct(make_jpeg(60, 90))
    return img.with_plan(img.plan.crop(top=7, left=9, height=40, width=70).resize(24, 40).contrast(0.7))


def test_file_and_planes_give_the_same(img):
    to_tensor = transforms.ToFrequencyTensor(SPEC)
    from_file = to_tensor(img)
    assert not img.is_decoded, "the file is enough"
    assert img.planes
    assert torch.equal(to_tensor(img), from_file)
    mean, std = (np.array(values)[:, None, None] for values in (SPEC.mean, SPEC.std))
    want = (reference(img, SPEC.channels.indices) - mean) / std
    np.testing.assert_allclose(from_file, want, rtol=1e-6, atol=FLOAT32 / min(SPEC.std))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_dtype_and_memory_format(img, dtype, memory_format):
    plain = transforms.ToFrequencyTensor(SPEC)(img)
    got = transforms.ToFrequencyTensor(SPEC, dtype=dtype, memory_format=memory_format)(img)
    assert torch.equal(got, plain.to(dtype))
    assert got[None].is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("clone", [lambda t: pickle.loads(pickle.dumps(t)), copy.deepcopy], ids=["pickle", "copy"])
def test_can_be_copied(img, clone):
    to_tensor = transforms.ToFrequencyTensor(SPEC, dtype=torch.float16, tolerance=0.5)
    assert torch.equal(clone(to_tensor)(img), to_tensor(img))
    assert repr(clone(to_tensor)) == repr(to_tensor)


@pytest.mark.parametrize("make", [presets.classification_train, presets.classification_eval])
def test_tolerance_reaches_the_operator(make, make_jpeg):
    """So large a tolerance leaves the DC of each block and nothing else."""
    jpeg = make_jpeg(60, 90)

    def seeded(transform, source):
        torch.manual_seed(0)
        return transform(source)

    exact, coarse = make(SPEC), make(SPEC, tolerance=1e9)
    assert torch.equal(seeded(make(SPEC, tolerance=0.0), jpeg), seeded(exact, jpeg))
    want = seeded(exact, dc_alone(fl.read_dct(jpeg)))
    assert not torch.equal(want, seeded(exact, jpeg))
    torch.testing.assert_close(seeded(coarse, jpeg), want)
    torch.testing.assert_close(seeded(fl.BatchDecoder(coarse, num_threads=1), [jpeg])[0], want)


@pytest.mark.parametrize("process", ["baseline", "restarts", "progressive"])
def test_a_cut_file_is_reported_whatever_the_crop(process, make_jpeg):
    """The plan needs the first row of blocks only, and was made before the file was cut."""
    options = {"baseline": {}, "restarts": {"restart_mcus": 3}, "progressive": {"progressive": True}}[process]
    data = make_jpeg(160, 96, **options)
    plan = fl.read_dct(data).plan.crop(top=0, left=0, height=8, width=96)
    cut = memoryview(bytearray(data))[:-30]
    target = transforms.ToFrequencyTensor(SPEC).target
    with pytest.raises(fl.TruncatedJpegError):
        native_operator.execute(cut, plan, target, torch.empty(COUNT, 1, 12), max_pixels=10**6)
    with pytest.raises(fl.TruncatedJpegError):
        fl.read_dct(bytes(cut))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": torch.int16}, "floating point dtype, got torch.int16"),
        ({"memory_format": torch.preserve_format}, "channels_last, got torch.preserve_format"),
        ({"tolerance": -0.1}, "finite tolerance of 0 or more, got -0.1"),
        ({"tolerance": float("inf")}, "finite tolerance of 0 or more, got inf"),
        ({"tolerance": float("nan")}, "finite tolerance of 0 or more, got nan"),
    ],
    ids=["dtype", "memory format", "negative", "infinite", "nan"],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        transforms.ToFrequencyTensor(SPEC, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float16"}, "torch.dtype, such as torch.float16, got 'float16'"),
        ({"tolerance": "0.1"}, "tolerance as a number, got '0.1'"),
        ({"tolerance": None}, "tolerance as a number, got None"),
        ({"tolerance": True}, "tolerance as a number, got True"),
    ],
)
def test_options_of_another_type(options, message):
    with pytest.raises(TypeError, match=message):
        transforms.ToFrequencyTensor(SPEC, **options)

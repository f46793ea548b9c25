import json
import os
import pickle
import stat
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freqlearn.channels import ChannelSet
from freqlearn.spec import InputSpec

TWO = ChannelSet.of([0, 70], name="two")


def spec(**changes) -> InputSpec:
    fields = {
        "kind": "dct",
        "channels": TWO,
        "mean": (1.0, -2.5),
        "std": (3.0, 0.1),
        "size_px": 448,
        "resize_px": 512,
        "source": "a test",
    }
    return InputSpec(**{**fields, **changes})


def test_what_a_spec_says_of_the_input():
    frequency = spec()
    assert frequency.in_channels == 2
    assert frequency.map_size == 56
    assert frequency.bytes_per_image == torch.zeros(2, 56, 56).nbytes
    rgb = spec(kind="rgb", channels=None, mean=[0.5] * 3, std=[0.2] * 3, size_px=223, resize_px=None)
    assert (rgb.in_channels, rgb.map_size) == (3, 223)
    assert rgb.bytes_per_image == torch.zeros(3, 223, 223).nbytes


def test_a_floor_raises_the_small_deviations_only():
    floored = spec().with_std_floor(0.5)
    assert floored.std == (3.0, 0.5)
    assert floored == spec(std=(3.0, 0.5)), "nothing else changes"
    assert floored.source == "a test; std at least 0.5"
    assert spec(source="").with_std_floor(4).std == (4.0, 4.0)
    assert InputSpec.from_json(floored.to_json()) == floored


@pytest.mark.parametrize("floor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_floor_is_a_positive_number(floor):
    with pytest.raises(ValueError, match="positive number as floor of the std, got"):
        spec().with_std_floor(floor)


def test_numbers_become_plain_floats():
    made = spec(mean=np.array([1, 2]), std=torch.tensor([1.5, 2.5]), size_px=np.int64(448))
    assert made.mean == (1.0, 2.0)
    assert all(type(x) is float for x in made.mean + made.std)
    assert type(made.size_px) is int


def test_specs_do_not_change_and_are_values():
    made = spec()
    with pytest.raises(FrozenInstanceError):
        made.size_px = 224
    assert made == spec(source="elsewhere")
    assert hash(made) == hash(spec(source="elsewhere"))
    assert made != spec(size_px=440)
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"kind": "pixels"}, ValueError, '"dct" or "rgb", got \'pixels\''),
        ({"channels": None}, TypeError, "ChannelSet .*got None"),
        ({"channels": (0, 70)}, TypeError, r"ChannelSet .*got \(0, 70\)"),
        ({"kind": "rgb"}, ValueError, 'no ChannelSet for the kind "rgb", got two'),
        ({"mean": (1.0,)}, ValueError, r"2 numbers as mean, one for each of two \(2 channels\), got 1"),
        ({"std": (1.0,) * 3}, ValueError, "2 numbers as std.*got 3"),
        ({"kind": "rgb", "channels": None}, ValueError, "3 numbers as mean, one for each of R, G, B, got 2"),
        ({"mean": (1.0, float("nan"))}, ValueError, "finite numbers as mean, got nan at position 1"),
        ({"std": (float("inf"), 1.0)}, ValueError, "finite numbers as std, got inf at position 0"),
        ({"std": (1.0, 0.0)}, ValueError, r"positive std, got 0\.0 for channel Cb\(0,6\)"),
        ({"std": (-1.0, 1.0)}, ValueError, r"positive std, got -1\.0 for channel Y\(0,0\)"),
        ({"mean": ("1", "2")}, TypeError, "mean as numbers, got '1'"),
        ({"mean": 0.0}, TypeError, r"mean as a sequence of numbers, got 0\.0"),
        ({"size_px": 450}, ValueError, "multiple of 8, JPEG's block, got 450; use 448"),
        ({"size_px": 3}, ValueError, "multiple of 8.*got 3; use 8"),
        ({"size_px": 0}, ValueError, "positive size_px, got 0"),
        ({"size_px": 448.0}, TypeError, r"size_px as an integer, got 448\.0"),
        ({"resize_px": 447}, ValueError, "resize_px of at least size_px = 448, got 447"),
        ({"resize_px": "512"}, TypeError, "resize_px as an integer, got '512'"),
        ({"resampling": "bicubic"}, ValueError, "\"bilinear\".*got 'bicubic'"),
        ({"version": 2}, ValueError, "version 1 of an InputSpec, got 2; .*update"),
        ({"version": True}, ValueError, "version 1 of an InputSpec, got True"),
        ({"source": None}, TypeError, "source of mean and std as text"),
    ],
)
def test_contradictions_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        spec(**changes)


def test_unstandardised_changes_nothing():
    made = InputSpec.unstandardised(TWO, 64)
    assert (made.mean, made.std, made.size_px, made.resize_px) == ((0.0, 0.0), (1.0, 1.0), 64, None)
    assert InputSpec.unstandardised(TWO, 64, 72).resize_px == 72
    with pytest.raises(TypeError, match="ChannelSet, got 24"):
        InputSpec.unstandardised(24, 64)


def test_select_takes_each_channels_own_numbers():
    everything = spec(
        channels=ChannelSet.all(), mean=[float(i) for i in range(192)], std=[1000.0 + i for i in range(192)]
    )
    part = everything.select(ChannelSet.of([100, 3]))
    assert part.channels == ChannelSet.of([100, 3])
    assert part.mean == (100.0, 3.0)
    assert part.std == (1100.0, 1003.0)
    assert (part.size_px, part.resize_px) == (448, 512)
    with pytest.raises(ValueError, match=r"lacks 4 = Y\(0,4\)"):
        part.select(ChannelSet.of([3, 4]))
    with pytest.raises(ValueError, match='kind "rgb"'):
        InputSpec.preset("imagenet-rgb").select(TWO)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(mean=st.tuples(finite, finite), std=st.tuples(*[st.floats(min_value=5e-324, max_value=1e308)] * 2))
def test_json_round_trip_is_exact(mean, std):
    made = spec(mean=mean, std=std)
    copy = InputSpec.from_json(made.to_json())
    assert copy == made
    assert copy.source == made.source
    assert copy.channels.name == "two"


@pytest.mark.parametrize("name", InputSpec.preset_names())
def test_presets_survive_a_file_and_a_checkpoint(name, tmp_path):
    made = InputSpec.preset(name)
    made.save(tmp_path / "spec.json")
    assert InputSpec.load(tmp_path / "spec.json") == made
    # A checkpoint loaded safely holds nothing but plain types.
    torch.save({"spec": made.to_dict()}, tmp_path / "model.pt")
    assert InputSpec.from_dict(torch.load(tmp_path / "model.pt", weights_only=True)["spec"]) == made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 7}, "version 1 of an InputSpec, got 7"),
        ({"version": None}, "version 1 of an InputSpec, got None"),
        ({"kind": "wavelet"}, "got 'wavelet'"),
        ({"resampling": "lanczos"}, "got 'lanczos'"),
        ({"normalise": True}, r"unknown: \['normalise'\], missing: \[\]"),
        ({"format": "freqlearn.channels"}, "expected an InputSpec .*got 'freqlearn.channels'"),
        ({"size_px": "448"}, "size_px as an integer"),
        ({"channels": [0, 1]}, "expected a channel set"),
        ({"std": [1.0]}, "2 numbers as std"),
    ],
)
def test_files_that_are_not_understood_are_refused_by_name(change, message, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({**spec().to_dict(), **change}))
    with pytest.raises(ValueError, match=r"other\.json: .*" + message):
        InputSpec.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not JSON"), (b"\xff\xd8\xff\xe0", "no text"), (b"[]", "expected an InputSpec"), (b"{", "not JSON")],
)
def test_files_that_are_something_else(content, message, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"photo\.jpg: .*" + message):
        InputSpec.load(path)


def test_a_missing_field_is_named():
    data = spec().to_dict()
    del data["resize_px"]
    with pytest.raises(ValueError, match=r"missing: \['resize_px'\]"):
        InputSpec.from_dict(data)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        InputSpec.load(tmp_path / "none.json")


def test_saving_replaces_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "spec.json"
    spec().save(path)
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR
    before = path.read_bytes()

    def full(fd):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        spec(size_px=224).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_through_a_link_keeps_the_link(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    spec().save(tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert InputSpec.load(tmp_path / "real.json") == spec()


def test_repr_fits_on_a_line():
    made = InputSpec.preset("dctnet-resnet50-192")
    assert repr(made) == "InputSpec(all-192 (192 channels), 448 px (192x56x56), short side resized to 512 px)"


def test_unknown_preset_names_the_known_ones():
    with pytest.raises(ValueError, match=r"imagenet-rgb.*did you mean 'dctnet-resnet50-24'"):
        InputSpec.preset("dctnet-resnet-24")


@pytest.mark.parametrize("n", [24, 32, 48, 64])
def test_dctnet_resnet_presets(n):
    made = InputSpec.preset(f"dctnet-resnet50-{n}")
    assert made.channels == ChannelSet.square(n)
    assert (made.size_px, made.resize_px, made.map_size) == (448, 512, 56)
    # Published, train_upscaled_static_std and _mean: of Y(0,0..3), Cb(0,0) and Cr(0,0).
    assert made.std[:4] == (259.96, 2.7776, 2.0454, 1.3947)
    values = dict(zip(made.channels, zip(made.mean, made.std, strict=True), strict=True))
    assert values[0] == (-88.397, 259.96)
    assert values[8] == (0.4438, 3.9907)  # the vertical frequency: natural order, v first
    assert values[64] == (-58.709, 81.161)
    assert values[128] == (32.116, 75.848)
    assert "not of coefficients" in made.source


@pytest.mark.parametrize("n", [24, 32])
def test_dctnet_mobilenet_presets(n):
    made = InputSpec.preset(f"dctnet-mobilenetv2-{n}")
    assert made.channels == ChannelSet.square(n)
    assert (made.size_px, made.resize_px, made.map_size) == (896, 1024, 112)
    assert made.std == InputSpec.preset(f"dctnet-resnet50-{n}").std


def test_dctnet_192_holds_the_subsets():
    everything = InputSpec.preset("dctnet-resnet50-192")
    assert everything.channels == ChannelSet.all()
    for n in (24, 32, 48, 64):
        assert everything.select(ChannelSet.square(n)) == InputSpec.preset(f"dctnet-resnet50-{n}")


def test_imagenet_rgb_is_what_torchvision_uses():
    from torchvision.models import ResNet50_Weights

    theirs = ResNet50_Weights.IMAGENET1K_V1.transforms()
    ours = InputSpec.preset("imagenet-rgb")
    assert list(ours.mean) == list(theirs.mean)
    assert list(ours.std) == list(theirs.std)
    assert ([ours.size_px], [ours.resize_px]) == (theirs.crop_size, theirs.resize_size)
    assert theirs.interpolation.value == ours.resampling


@pytest.mark.parametrize(("size", "resize"), [(448, 512), (896, 1024)])
def test_imagenet_presets_hold_the_coefficients_std(size, resize):
    made = InputSpec.preset(f"imagenet-{size}")
    assert made.channels == ChannelSet.all()
    assert (made.size_px, made.resize_px) == (size, resize)
    published = InputSpec.preset("dctnet-resnet50-192")
    # DCTNet's std is that of image means: about half of the coefficients' for Y(0,0), less than a tenth for Y(0,1).
    assert 1.5 < made.std[0] / published.std[0] < 2.5
    assert made.std[1] / published.std[1] > 10
    # Brightness and colour of the average photo agree within three standard errors of 400 photos.
    for index in (0, 64, 128):
        assert abs(made.mean[index] - published.mean[index]) < 3 * published.std[index] / 400**0.5

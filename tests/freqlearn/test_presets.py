import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import presets, transforms
from freqlearn.color import RGB_TO_YCBCR
from freqlearn.dct import forward

ALL = fl.ChannelSet.all()
DCT = fl.InputSpec.unstandardised(ALL, 64, 72)
RGB = fl.InputSpec("rgb", None, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), size_px=64, resize_px=72)


def test_shapes_and_sources(make_jpeg, tmp_path):
    jpeg = make_jpeg(100, 130)
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg)
    for make in (presets.classification_train, presets.classification_eval):
        for spec, shape in ((DCT, (192, 8, 8)), (RGB, (3, 64, 64))):
            for source in (jpeg, path, str(path), fl.read_dct(jpeg)):
                out = make(spec)(source)
                assert out.shape == shape
                assert out.dtype == torch.float32


def test_rgb_evaluation_is_torchvisions(make_jpeg):
    jpeg = make_jpeg(100, 130)
    reference = v2.Compose([v2.Resize(72), v2.CenterCrop(64), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])
    want = v2.Normalize(RGB.mean, RGB.std)(reference(Image.open(io.BytesIO(jpeg)).convert("RGB")))
    torch.testing.assert_close(presets.classification_eval(RGB)(jpeg), want, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "levels"),
    [
        ({}, 0.5),
        ({"scale": (0.3, 0.5), "ratio": (1.0, 2.0), "hflip": 1.0}, 0.5),
        ({"brightness": 0.3, "contrast": 0.3, "saturation": 0.2}, 2.0),
    ],
    ids=["default", "geometry", "colour"],
)
def test_rgb_and_dct_show_the_same_picture_for_the_same_seed(options, levels, make_jpeg):
    # Mid-gray pictures, so that no colour step clamps. Pillow rounds to uint8 after decoding and in both passes of the
    # resize (0.45 levels rms in Y, see test_operator_photos), and its colour steps round down: half a level on average,
    # three times. Nothing here does.
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(70, 180, (12, 16, 3), dtype=np.uint8)).resize((150, 110), Image.BICUBIC)
    jpeg = make_jpeg(110, 150, sampling="4:4:4", quality=95, pixels=np.asarray(smooth))
    for seed in range(6):
        torch.manual_seed(seed)
        maps = presets.classification_train(DCT, **options)(jpeg)
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        pixels = presets.classification_train(RGB, **options)(jpeg)
        assert torch.equal(torch.get_rng_state(), state)
        rgb = pixels.numpy() * np.array(RGB.std)[:, None, None] + np.array(RGB.mean)[:, None, None]
        ycbcr = np.einsum("ij,jhw->ihw", RGB_TO_YCBCR, rgb * 255) - np.array([128, 0, 0])[:, None, None]
        want = np.concatenate([forward(c).transpose(2, 3, 0, 1).reshape(64, 8, 8) for c in ycbcr])
        difference = maps.numpy() - want
        assert np.sqrt(np.mean(difference**2)) < levels  # rms a pixel: the DCT is orthonormal


def test_exif_orientation_only_when_asked(make_jpeg):
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = make_jpeg(64, 64, sampling="4:4:4", exif=exif.tobytes())
    spec = fl.InputSpec.unstandardised(ALL, 64)
    plain, asked = (presets.classification_eval(spec, exif_orientation=on)(jpeg) for on in (False, True))
    img = fl.read_dct(jpeg)
    tensor = transforms.ToFrequencyTensor(ALL)
    assert torch.equal(plain, tensor(img))
    assert torch.equal(asked, tensor(transforms.ExifOrient()(img)))
    assert not torch.equal(plain, asked)

    rgb = fl.InputSpec("rgb", None, (0.0,) * 3, (1.0,) * 3, size_px=64)
    with Image.open(io.BytesIO(jpeg)) as image:
        for on, picture in ((False, image), (True, ImageOps.exif_transpose(image))):
            want = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
            got = presets.classification_eval(rgb, exif_orientation=on)(jpeg).numpy() * 255
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)


def test_no_crop_takes_files_of_the_exact_size_as_they_are(make_jpeg):
    jpeg = make_jpeg(64, 64, sampling="4:4:4")
    got = presets.classification_train(DCT, crop="none", hflip=0.0)(jpeg)
    img = fl.read_dct(jpeg)
    want = np.concatenate([plane.transpose(2, 3, 0, 1).reshape(64, 8, 8) for plane in img.dequantised()])
    np.testing.assert_array_equal(got.numpy(), want)
    assert presets.classification_train(RGB, crop="none")(jpeg).shape == (3, 64, 64)


@pytest.mark.parametrize("spec", [DCT, RGB], ids=["dct", "rgb"])
def test_no_crop_of_another_size_says_what_to_do(spec, make_jpeg):
    with pytest.raises(ValueError, match=r"exactly 64x64 px .* got 64x72 \(height x width\).*random_resized"):
        presets.classification_train(spec, crop="none")(make_jpeg(64, 72))


def test_unknown_crop():
    with pytest.raises(ValueError, match="got 'center'"):
        presets.classification_train(DCT, crop="center")


@pytest.mark.parametrize("spec", [DCT, RGB], ids=["dct", "rgb"])
def test_every_source_goes_in(spec, make_jpeg, tmp_path):
    jpeg = make_jpeg(100, 130)
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)))
    evaluate = presets.classification_eval(spec)
    of_file = [
        evaluate(source)
        for source in (
            jpeg,
            bytearray(jpeg),
            memoryview(jpeg),
            np.frombuffer(jpeg, np.uint8),
            torch.frombuffer(bytearray(jpeg), dtype=torch.uint8),
            io.BytesIO(jpeg),
            str(tmp_path / "photo.jpg"),
            tmp_path / "photo.jpg",
        )
    ]
    assert all(torch.equal(of_file[0], other) for other in of_file[1:])
    assert torch.equal(evaluate(pixels), evaluate(Image.fromarray(pixels)))


@pytest.mark.parametrize("spec", [DCT, RGB], ids=["dct", "rgb"])
@pytest.mark.parametrize("cut", [0, 20, 1200])
def test_a_damaged_file_is_named(spec, cut, make_jpeg, tmp_path):
    file = tmp_path / "cut.jpg"
    file.write_bytes(make_jpeg(100, 130)[:cut])
    for source in (file, fl.read_bytes(file)):
        with pytest.raises(fl.ImageError) as caught:
            presets.classification_eval(spec)(source)
        assert caught.value.path == str(file)


def test_rgb_takes_an_image_of_any_size_and_orientation(make_jpeg):
    saved = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(make_jpeg(101, 133, quality=95))).save(saved, "JPEG", exif=exif, quality=95)
    evaluate = presets.classification_eval(RGB, exif_orientation=True)
    difference = evaluate(fl.read_dct(saved.getvalue())) - evaluate(saved.getvalue())
    # Levels, of a noisy picture: libjpeg rounds chroma and colours where the image does not, see test_image's LEVELS.
    assert difference.abs().max() * 255 * 0.225 < 4


@pytest.mark.parametrize("kind", ["dct", "rgb"])
def test_without_resize_small_pictures_are_an_error_and_have_no_black_border(make_jpeg, kind):
    spec = fl.InputSpec.unstandardised(fl.ChannelSet.all(), 64) if kind == "dct" else replace(RGB, resize_px=None)
    transform = fl.presets.classification_eval(spec)
    assert transform(make_jpeg(64, 80)).shape[1:] == (spec.map_size, spec.map_size)
    with pytest.raises(ValueError, match=r"at least 64x64 px .* got 80x63 .*black border"):
        transform(make_jpeg(80, 63))

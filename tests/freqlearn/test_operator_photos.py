"""Real photos: against the usual torchvision pipeline on RGB pixels, and against an independent reader."""

import io

import numpy as np
import pytest
import scipy.fft
import torch
from PIL import Image
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn import transforms
from freqlearn.color import RGB_TO_YCBCR

ALL = fl.ChannelSet.all()


def photos_444(folder, count):
    found = []
    for path in sorted((folder / "imagenet-sample").glob("*.JPEG")):
        info = fl.read_info(path)
        if info.color_space == "YCbCr" and set(info.sampling) == {(1, 1)}:
            found.append(path)
        if len(found) == count:
            return found
    pytest.fail(f"only {len(found)} photos with sampling 4:4:4 in {folder}")


def channels_of(pixels):
    height, width = pixels.shape
    blocks = pixels.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    return scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho")  # (rows, cols, 8, 8)


def test_rgb_pipeline_differs_by_its_rounding_alone(photos):
    # uint8 pipelines round, each time with an error variance of 1/12 levels^2: the IDCT's samples (each component), the
    # RGB values, and both passes of the resize. An RGB error of variance s2 is one of |row|^2 * s2 in Y, Cb or Cr,
    # where row is the component's row of the RGB -> YCbCr matrix; the resize's weights are positive and sum to one, so
    # it adds no variance of its own.
    per_rgb_rounding = (RGB_TO_YCBCR**2).sum(axis=1) / 12
    bound = np.sqrt(1 / 12 + 3 * per_rgb_rounding)  # rms, levels a pixel; the DCT is orthonormal
    ours = transforms.Compose(
        [transforms.ReadDCT(), transforms.Resize(512), transforms.CenterCrop(448), transforms.ToFrequencyTensor(ALL)]
    )
    theirs = v2.Compose([v2.Resize(512), v2.CenterCrop(448)])
    compared = 0
    for path in photos_444(photos, 12):
        jpeg = fl.read_bytes(path)
        rgb = torch.from_numpy(np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).copy()).permute(2, 0, 1)
        rgb = theirs(rgb).numpy().astype(np.float64)
        ycbcr = np.einsum("ij,jhw->ihw", RGB_TO_YCBCR, rgb) - np.array([128, 0, 0])[:, None, None]
        # Clamping to 0..255 is not rounding: leave out blocks with or beside pixels close to either end.
        near = ((rgb < 12) | (rgb > 243)).any(axis=0).reshape(56, 8, 56, 8).any(axis=(1, 3))
        around = torch.nn.functional.max_pool2d(torch.from_numpy(near).float()[None, None], 3, 1, 1)[0, 0].numpy() == 0
        if around.sum() < 100:
            continue
        compared += 1
        got = ours(jpeg).numpy().reshape(3, 8, 8, 56, 56).transpose(0, 3, 4, 1, 2)
        for component in range(3):
            difference = (got[component] - channels_of(ycbcr[component]))[around]
            assert np.sqrt(np.mean(difference**2)) <= bound[component], (path.name, component)
    assert compared >= 8


@pytest.mark.parametrize(
    "sampling", [((1, 1),) * 3, ((2, 2), (1, 1), (1, 1)), ((1, 1),)], ids=["4:4:4", "4:2:0", "gray"]
)
def test_operator_equals_an_independent_readers_pixels(sampling, photos, read_planes):
    paths = [
        path for path in sorted((photos / "imagenet-sample").glob("*.JPEG")) if fl.read_info(path).sampling == sampling
    ]
    generator = np.random.default_rng(0)
    for path in paths[:3]:
        img = fl.read_dct(path)
        height, width = img.size_px
        # Even boxes: whole chroma samples, so that torch's resize can be the oracle.
        h, w = (2 * int(generator.integers(20, side // 2)) for side in (height, width))
        top, left = (
            2 * int(generator.integers(0, (height - h) // 2 + 1)),
            2 * int(generator.integers(0, (width - w) // 2 + 1)),
        )
        plan = img.plan.crop(top=top, left=left, height=h, width=w).resize(448, 448).hflip()
        got = transforms.ToFrequencyTensor(ALL)(img.with_plan(plan)).numpy()
        for component, (plane, table) in enumerate(zip(*read_planes(fl.read_bytes(path)), strict=True)):
            reduction = 2 if component and len(set(sampling)) == 2 else 1
            blocks = scipy.fft.idctn(plane * table.astype(np.float64), axes=(2, 3), norm="ortho")
            pixels = blocks.swapaxes(1, 2).reshape(8 * blocks.shape[0], 8 * blocks.shape[1])
            crop = pixels[top // reduction : (top + h) // reduction, left // reduction : (left + w) // reduction]
            resized = torch.nn.functional.interpolate(
                torch.from_numpy(crop.copy())[None, None], size=(448, 448), mode="bilinear", antialias=True
            )[0, 0].numpy()
            want = channels_of(resized[:, ::-1]).transpose(2, 3, 0, 1).reshape(64, 56, 56)
            np.testing.assert_allclose(got[64 * component : 64 * component + 64], want, rtol=0, atol=1e-3)

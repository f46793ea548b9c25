"""Magnitudes, power profile, and block DCT against NumPy, SciPy and our own decoder's coefficients."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.fft
import torch

import freqlearn as fl
from freqlearn import spectrum

CLOSE = {"rtol": 0, "atol": 1e-12}


def pictures(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size_px", [(16, 24), (9, 5)], ids=["even", "odd"])
def test_magnitudes_are_numpys_and_keep_the_energy(size_px: tuple[int, int]) -> None:
    x = pictures(2, 3, *size_px)
    expected = np.abs(np.fft.fft2(x.numpy(), norm="ortho"))
    np.testing.assert_allclose(spectrum.magnitude_spectrum(x, centred=False), expected, **CLOSE)
    centred = spectrum.magnitude_spectrum(x)
    np.testing.assert_allclose(centred, np.fft.fftshift(expected, axes=(-2, -1)), **CLOSE)
    assert centred.square().sum() == pytest.approx(x.square().sum().item(), rel=1e-12)  # Parseval
    mean = x.mean(dim=(-2, -1)).abs() * np.sqrt(size_px[0] * size_px[1])
    torch.testing.assert_close(centred[..., size_px[0] // 2, size_px[1] // 2], mean, **CLOSE)


@pytest.mark.parametrize("size_px", [(16, 24), (9, 5), (1, 1)], ids=["even", "odd", "pixel"])
def test_frequencies_of_half_a_spectrum(size_px: tuple[int, int]) -> None:
    whole = spectrum.radial_frequencies(*size_px)
    half = spectrum.radial_frequencies(*size_px, half=True)
    torch.testing.assert_close(half, whole[:, : size_px[1] // 2 + 1], **CLOSE)
    assert whole[0, 0] == 0
    assert whole.max() <= spectrum.HIGHEST


@pytest.mark.parametrize("size_px", [(16, 24), (9, 5), (1, 8)], ids=["even", "odd", "one-row"])
def test_profile_keeps_the_energy(size_px: tuple[int, int]) -> None:
    x = pictures(2, 3, *size_px)
    profile = spectrum.radial_profile(x)
    assert profile.power.shape == (2, 3, len(profile.count))
    assert profile.count.sum() == size_px[0] * size_px[1]
    total = (profile.power.nan_to_num() * profile.count).sum(-1)
    torch.testing.assert_close(total, x.square().sum(dim=(-2, -1)), rtol=1e-12, atol=0)


def test_profile_against_rings_cut_by_numpy() -> None:
    x = pictures(20, 30)
    profile = spectrum.radial_profile(x, rings=4)
    power = np.abs(np.fft.fft2(x.numpy(), norm="ortho")) ** 2
    frequency = np.hypot(np.fft.fftfreq(20)[:, None], np.fft.fftfreq(30))
    edges = np.arange(len(profile.count) + 1) / 8
    sums, _ = np.histogram(frequency + 1e-12, edges, weights=power)
    counts, _ = np.histogram(frequency + 1e-12, edges)
    assert profile.count.tolist() == counts.tolist()
    np.testing.assert_allclose(profile.frequency, (edges[1:] + edges[:-1]) / 2)
    np.testing.assert_allclose(profile.power, sums / counts, rtol=1e-12)


def test_profile_of_noise_is_flat_and_of_a_photo_falls(photo_like: Callable[..., np.ndarray]) -> None:
    noise = spectrum.radial_profile(pictures(64, 128, 128), rings=8).power.mean(0)
    assert noise[:8].tolist() == pytest.approx([1] * 8, rel=0.1)  # unit variance at every frequency
    photo = torch.from_numpy(photo_like(128, 128)[..., 1].astype(np.float64))
    fall = spectrum.radial_profile(photo).power
    # 1/f amplitudes: an octave up is a quarter of the power.
    assert (fall[4:8].mean() / fall[8:16].mean()).item() == pytest.approx(4, rel=0.5)


def test_block_dct_is_scipys() -> None:
    x = pictures(2, 3, 16, 24)
    found = spectrum.block_dct(x)
    assert found.shape == (2, 3, 64, 2, 3)
    for row, col in np.ndindex(2, 3):
        block = x[:, :, 8 * row : 8 * row + 8, 8 * col : 8 * col + 8].numpy()
        expected = scipy.fft.dctn(block, axes=(-2, -1), norm="ortho").reshape(2, 3, 64)
        np.testing.assert_allclose(found[..., row, col], expected, **CLOSE)
    torch.testing.assert_close(spectrum.inverse_block_dct(found), x, **CLOSE)


def test_block_dct_of_a_file_s_pixels_is_what_the_file_holds(make_jpeg: Callable[..., bytes]) -> None:
    image = fl.read_dct(make_jpeg(16, 24, sampling="gray"))
    (plane,), (table,) = image.planes, image.quant_tables
    stored = np.moveaxis((plane * table.astype(np.float32)).reshape(2, 3, 64), -1, 0)
    gray = torch.from_numpy(image.to_rgb()[..., 0]).double() - 128
    # Pixels are rounded to levels: an error of 1/2 each, so of 4 in a coefficient, where nothing is clamped.
    np.testing.assert_allclose(spectrum.block_dct(gray), stored, atol=4)


def test_block_energies_sum_to_the_pixels() -> None:
    x = pictures(2, 3, 16, 24)
    energies = spectrum.block_energies(x)
    assert energies.shape == (2, 3, 8, 8)
    torch.testing.assert_close(energies.sum(dim=(-2, -1)), 64 * x.square().mean(dim=(-2, -1)), rtol=1e-12, atol=0)


def test_cosines_of_blocks_have_their_frequency() -> None:
    u = 3
    cosine = torch.cos((2 * torch.arange(8) + 1) * u * torch.pi / 16).double().expand(8, 8)
    energies = spectrum.block_energies(cosine)
    assert energies.argmax() == u
    # The cosine of 8 samples, mirrored over and over, is a wave of u/16 cycles a pixel.
    repeated = torch.cat([cosine, cosine.flip(1)], dim=1)
    wave = spectrum.magnitude_spectrum(repeated, centred=False)[0]
    assert wave[:9].argmax() == u
    assert spectrum.block_frequencies()[0, u] == u / 16


@pytest.mark.parametrize("mask", ["sharp", "gaussian", "butterworth"])
def test_bands_of_blocks_sum_to_the_picture(mask: spectrum.Mask) -> None:
    x = pictures(3, 16, 24)
    bands = spectrum.bands_between([0.1, 0.3], mask=mask)
    parts = torch.stack([spectrum.filter_blocks(x, band) for band in bands])
    torch.testing.assert_close(parts.sum(0), x, **CLOSE)
    if mask == "sharp":
        energies = spectrum.block_energies(parts[1])
        inside = (spectrum.block_frequencies() >= 0.1) & (spectrum.block_frequencies() < 0.3)
        assert energies[:, ~inside].abs().max() < 1e-20
        torch.testing.assert_close(energies[:, inside], spectrum.block_energies(x)[:, inside], **CLOSE)


def test_shapes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="sides that are multiples of 8, got 12 x 16: crop or pad"):
        spectrum.block_dct(torch.zeros(3, 12, 16))
    with pytest.raises(ValueError, match=r"coefficients \(..., 64, h, w\), got shape \(3, 63, 2, 2\)"):
        spectrum.inverse_block_dct(torch.zeros(3, 63, 2, 2))
    with pytest.raises(ValueError, match="at least 1 ring up to 1/2 cycle per pixel, got 0"):
        spectrum.radial_profile(torch.zeros(8, 8), rings=0)

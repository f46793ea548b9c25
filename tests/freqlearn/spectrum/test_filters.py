import math
import re

import numpy as np
import pytest
import scipy.fft
import torch

from freqlearn import spectrum
from freqlearn.spectrum import FrequencyBand, PictureSpectrum

# Rounding of float64 transforms of a few hundred values around 1.
CLOSE = {"rtol": 0, "atol": 1e-12}
MASKS = ("sharp", "gaussian", "butterworth")
SIZES = [(32, 48), (15, 21), (1, 7)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "size_px" in metafunc.fixturenames:
        metafunc.parametrize("size_px", SIZES, ids=["even", "odd", "one-row"])
    if "mask" in metafunc.fixturenames:
        metafunc.parametrize("mask", MASKS)


def pictures(size_px: tuple[int, int], *, lead: tuple[int, ...] = (2, 3)) -> torch.Tensor:
    return torch.randn(*lead, *size_px, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def gain(mask: str, frequency: np.ndarray, cutoff: float, order: int = 4) -> np.ndarray:
    """A low-pass mask, as textbooks write it."""
    if mask == "sharp":
        return (frequency < cutoff).astype(float)
    if mask == "gaussian":
        return 0.5 ** ((frequency / cutoff) ** 2)
    return 1 / (1 + (frequency / cutoff) ** (2 * order))


def test_periodic_low_pass_is_numpys_fft(size_px: tuple[int, int], mask: str) -> None:
    x = pictures(size_px)
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in size_px), indexing="ij"))
    expected = np.fft.ifft2(np.fft.fft2(x.numpy()) * gain(mask, frequency, 0.2)).real
    found = spectrum.low_pass(x, 0.2, mask=mask, border="periodic")
    assert found.shape == x.shape
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_reflecting_band_pass_is_scipys_dct_of_the_whole_picture(size_px: tuple[int, int], mask: str) -> None:
    x = pictures(size_px)
    frequency = np.hypot(*np.meshgrid(*(np.arange(n) / (2 * n) for n in size_px), indexing="ij"))
    masked = scipy.fft.dctn(x.numpy(), axes=(-2, -1)) * (gain(mask, frequency, 0.3) - gain(mask, frequency, 0.1))
    expected = scipy.fft.idctn(masked, axes=(-2, -1))
    np.testing.assert_allclose(spectrum.band_pass(x, 0.1, 0.3, mask=mask), expected, **CLOSE)


@pytest.mark.parametrize("border", ["reflect", "periodic"])
def test_bands_sum_to_the_picture(size_px: tuple[int, int], mask: str, border: spectrum.Border) -> None:
    x = pictures(size_px)
    parts = spectrum.split_bands(x, [0.05, 0.1, 0.25, 0.5], mask=mask, border=border)
    assert parts.shape == (5, *x.shape)
    torch.testing.assert_close(parts.sum(0), x, **CLOSE)
    low, high = (f(x, 0.2, mask=mask, border=border) for f in (spectrum.low_pass, spectrum.high_pass))
    torch.testing.assert_close(low + high, x, **CLOSE)
    assert (low - x).abs().max() > 0.1


@pytest.mark.parametrize("border", ["reflect", "periodic"])
def test_sharp_bands_are_orthogonal_projections(border: spectrum.Border) -> None:
    x = pictures((32, 48), lead=())
    parts = spectrum.split_bands(x, [0.1, 0.3], border=border)
    # Each part has nothing in another band, and their squares sum to the picture's (Parseval).
    again = spectrum.split_bands(parts[1], [0.1, 0.3], border=border)
    torch.testing.assert_close(again[1], parts[1], **CLOSE)
    torch.testing.assert_close(again[[0, 2]], torch.zeros(2, 32, 48, dtype=x.dtype), **CLOSE)
    assert parts.square().sum() == pytest.approx(x.square().sum().item(), rel=1e-12)


def test_taking_out_a_band_can_spare_the_mean() -> None:
    x = pictures((16, 16)) + 3
    whole = PictureSpectrum(x)
    lowest = FrequencyBand(high=0.2)
    torch.testing.assert_close(whole.without(lowest) + whole.part(lowest), x, **CLOSE)
    spared = whole.without(lowest, keep_mean=True)
    mean = x.mean(dim=(-2, -1), keepdim=True)
    torch.testing.assert_close(spared, whole.without(lowest) + mean, **CLOSE)
    torch.testing.assert_close(spared.mean(dim=(-2, -1), keepdim=True), mean, **CLOSE)


def test_a_wave_is_in_its_own_band() -> None:
    wave = torch.cos(2 * math.pi * 0.125 * torch.arange(64, dtype=torch.float64)).expand(64, 64)
    split = spectrum.split_bands(wave, [0.1, 0.15], border="periodic")
    torch.testing.assert_close(split[1], wave.clone(), **CLOSE)


def test_gains_at_the_edges(mask: str) -> None:
    band = FrequencyBand(low=0.125, high=0.25, mask=mask)
    at_edges = band.gain(torch.tensor([0.0, 0.125, 0.25, 0.7], dtype=torch.float64))
    expected = gain(mask, np.array([0.0, 0.125, 0.25, 0.7]), 0.25) - gain(
        mask, np.array([0.0, 0.125, 0.25, 0.7]), 0.125
    )
    np.testing.assert_allclose(at_edges, expected, atol=1e-15)
    if mask == "sharp":
        assert at_edges.tolist() == [0, 1, 0, 0]


def test_the_mirror_has_no_jump_at_the_border() -> None:
    # A ramp is smooth but for the jump where it repeats; mirrored, there is none.
    ramp = torch.linspace(-1, 1, 64, dtype=torch.float64).expand(8, 64)
    high = {border: spectrum.high_pass(ramp, 0.25, border=border).abs().max() for border in ("reflect", "periodic")}
    assert high["reflect"] < 0.01 < 0.3 < high["periodic"]


def test_float32_stays_and_gradients_flow() -> None:
    x = pictures((9, 8)).float().requires_grad_()
    y = spectrum.low_pass(x, 0.2, mask="gaussian")
    assert y.dtype == torch.float32
    y.square().sum().backward()
    assert x.grad is not None
    # The filter is its own adjoint: the gradient of |Fx|^2 is 2 F F x.
    torch.testing.assert_close(x.grad, 2 * spectrum.low_pass(y.detach(), 0.2, mask="gaussian"), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0.3, "high": 0.1}, "expected 0 <= low < high in cycles per pixel, got low 0.3 and high 0.1"),
        ({"low": 0.1, "high": math.nan}, "got low 0.1 and high nan"),
        ({"mask": "soft"}, "expected mask to be one of sharp, gaussian, butterworth, got 'soft'"),
        ({"order": 0}, "order of a Butterworth mask as a positive integer, got 0"),
    ],
    ids=["falling", "nan", "mask", "order"],
)
def test_bands_that_cannot_be(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        FrequencyBand(**arguments)  # type: ignore[arg-type]


def test_pictures_that_cannot_be() -> None:
    with pytest.raises(TypeError, match=r"float32 or float64, got torch.uint8: convert them with .float\(\)"):
        spectrum.low_pass(torch.zeros(8, 8, dtype=torch.uint8), 0.1)
    with pytest.raises(ValueError, match=r"at least one pixel, got shape \(3, 0, 8\)"):
        spectrum.low_pass(torch.zeros(3, 0, 8), 0.1)
    with pytest.raises(ValueError, match="border to be one of reflect, periodic, got 'zero'"):
        spectrum.low_pass(torch.zeros(8, 8), 0.1, border="zero")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"positive edges that rise, in cycles per pixel, got 0.2, 0.1"):
        spectrum.split_bands(torch.zeros(8, 8), [0.2, 0.1])

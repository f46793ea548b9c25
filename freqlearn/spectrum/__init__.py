"""Spectra of pictures: FFT and block-DCT views, filters, power profiles, and convolution by FFT.

Functions on tensors (..., C, H, W); nothing is drawn here, see `freqlearn spectrum` for that. Frequencies are in cycles
per pixel: 1/2 is the highest that an axis holds, and cosine u of an 8x8 block has u/16.
"""

from freqlearn.spectrum.band import HIGHEST, FrequencyBand, Mask, bands_between
from freqlearn.spectrum.blocks import block_dct, block_energies, block_frequencies, filter_blocks, inverse_block_dct
from freqlearn.spectrum.convolution import fft_conv2d, kernel_spectrum
from freqlearn.spectrum.filters import Border, PictureSpectrum, band_pass, high_pass, low_pass, split_bands
from freqlearn.spectrum.fourier import RadialProfile, magnitude_spectrum, radial_frequencies, radial_profile

__all__ = [
    "HIGHEST",
    "Border",
    "FrequencyBand",
    "Mask",
    "PictureSpectrum",
    "RadialProfile",
    "band_pass",
    "bands_between",
    "block_dct",
    "block_energies",
    "block_frequencies",
    "fft_conv2d",
    "filter_blocks",
    "high_pass",
    "inverse_block_dct",
    "kernel_spectrum",
    "low_pass",
    "magnitude_spectrum",
    "radial_frequencies",
    "radial_profile",
    "split_bands",
]

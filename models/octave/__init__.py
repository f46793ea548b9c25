"""Octave convolution: feature maps in a high- and a low-frequency group, the low one at half the resolution."""

from freqlearn.models.octave.conv import OctConv2d, PathWeights
from freqlearn.models.octave.layers import (
    Branchwise,
    OctAvgPool2d,
    OctBatchNorm2d,
    OctMaxPool2d,
    OctNorm2d,
    OctReLU,
    OctReLU6,
    OctSqueezeExcite,
)
from freqlearn.models.octave.pair import Features, Pair, add, concatenate, double, halve, low_channels, merge

__all__ = [
    "Branchwise",
    "Features",
    "OctAvgPool2d",
    "OctBatchNorm2d",
    "OctConv2d",
    "OctMaxPool2d",
    "OctNorm2d",
    "OctReLU",
    "OctReLU6",
    "OctSqueezeExcite",
    "Pair",
    "PathWeights",
    "add",
    "concatenate",
    "double",
    "halve",
    "low_channels",
    "merge",
]

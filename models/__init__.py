"""Stem-less networks and the frequency gate."""

from freqlearn.models.dctnet import load_dctnet_weights
from freqlearn.models.gate import FrequencyGate
from freqlearn.models.mobilenet import FrequencyMobileNetV2, mobilenet_v2
from freqlearn.models.narrowing import narrow
from freqlearn.models.normalisation import LayerNorm2d, NormName, SwitchableNorm2d, norm_layer
from freqlearn.models.resnet import (
    FrequencyResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from freqlearn.models.small import FrequencySmall, small
from freqlearn.models.weights import Mismatch, NotLoaded, load_rgb_weights

__all__ = [
    "FrequencyGate",
    "FrequencyMobileNetV2",
    "FrequencyResNet",
    "FrequencySmall",
    "LayerNorm2d",
    "Mismatch",
    "NormName",
    "NotLoaded",
    "SwitchableNorm2d",
    "load_dctnet_weights",
    "load_rgb_weights",
    "mobilenet_v2",
    "narrow",
    "norm_layer",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "small",
]

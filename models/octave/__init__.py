"""Octave convolution: feature maps in a high- and a low-frequency group, the low one at half the resolution."""

from freqlearn.models.octave.blocks import OctBasicBlock, OctBottleneck, OctSplit
from freqlearn.models.octave.conv import OctConv2d
from freqlearn.models.octave.densenet import OctDenseNet, oct_densenet121
from freqlearn.models.octave.folding import fold
from freqlearn.models.octave.frequency_split import FrequencySplit, split_by_frequency
from freqlearn.models.octave.inference import FoldedOctConv2d, PointwiseConv2d
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
from freqlearn.models.octave.mobilenet_v1 import OctMobileNetV1, oct_mobilenet_v1
from freqlearn.models.octave.mobilenet_v2 import OctInvertedResidual, OctMobileNetV2, oct_mobilenet_v2
from freqlearn.models.octave.octavize import octavize
from freqlearn.models.octave.pair import Features, Pair, add, concatenate, double, halve, low_channels, merge
from freqlearn.models.octave.paths import PathWeights
from freqlearn.models.octave.resnet import (
    SEBottleneck,
    oct_resnet26,
    oct_resnet50,
    oct_resnet101,
    oct_resnet152,
    oct_resnet200,
    oct_resnext50_32x4d,
    oct_se_resnet26,
    oct_se_resnet50,
    oct_se_resnet101,
    oct_se_resnet152,
    oct_se_resnet200,
)

__all__ = [
    "Branchwise",
    "Features",
    "FoldedOctConv2d",
    "FrequencySplit",
    "OctAvgPool2d",
    "OctBasicBlock",
    "OctBatchNorm2d",
    "OctBottleneck",
    "OctConv2d",
    "OctDenseNet",
    "OctInvertedResidual",
    "OctMaxPool2d",
    "OctMobileNetV1",
    "OctMobileNetV2",
    "OctNorm2d",
    "OctReLU",
    "OctReLU6",
    "OctSplit",
    "OctSqueezeExcite",
    "Pair",
    "PathWeights",
    "PointwiseConv2d",
    "SEBottleneck",
    "add",
    "concatenate",
    "double",
    "fold",
    "halve",
    "low_channels",
    "merge",
    "oct_densenet121",
    "oct_mobilenet_v1",
    "oct_mobilenet_v2",
    "oct_resnet26",
    "oct_resnet50",
    "oct_resnet101",
    "oct_resnet152",
    "oct_resnet200",
    "oct_resnext50_32x4d",
    "oct_se_resnet26",
    "oct_se_resnet50",
    "oct_se_resnet101",
    "oct_se_resnet152",
    "oct_se_resnet200",
    "octavize",
    "split_by_frequency",
]

"""Transforms of a DCTImage, named and behaving like torchvision's v2 transforms of pictures."""

from freqlearn.transforms.base import Transform
from freqlearn.transforms.coloring import ColorJitter, Grayscale
from freqlearn.transforms.cropping import CenterCrop, RandomCrop, RandomResizedCrop
from freqlearn.transforms.flipping import RandomHorizontalFlip, RandomVerticalFlip
from freqlearn.transforms.frequency import ToFrequencyTensor
from freqlearn.transforms.orienting import ExifOrient
from freqlearn.transforms.reading import ReadDCT
from freqlearn.transforms.resizing import RandomShortestSize, Resize, ScaleJitter

# Last: it knows the others.
from freqlearn.transforms.compose import Compose  # isort: skip

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ExifOrient",
    "Grayscale",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomShortestSize",
    "RandomVerticalFlip",
    "ReadDCT",
    "Resize",
    "ScaleJitter",
    "ToFrequencyTensor",
    "Transform",
]

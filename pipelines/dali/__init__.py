"""Loading by NVIDIA DALI: pictures that it decodes and crops, or our own decoder in its worker processes."""

from freqlearn.pipelines.dali.loader import DaliLoader, make_dali_loader
from freqlearn.pipelines.dali.native import DaliNativeLoader, make_dali_native_loader

__all__ = ["DaliLoader", "DaliNativeLoader", "make_dali_loader", "make_dali_native_loader"]

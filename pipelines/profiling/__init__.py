"""What a model costs: multiply-accumulates, parameters and activation memory, layer by layer."""

from freqlearn.pipelines.profiling.counting import profile
from freqlearn.pipelines.profiling.layers import Layer, Profile

__all__ = ["Layer", "Profile", "profile"]

"""`freqlearn sensitivity`: which frequencies of a picture trained models rely on."""

from freqlearn.pipelines.sensitivity.removals import Removal, Remove
from freqlearn.pipelines.sensitivity.result import ModelSensitivity, Sensitivity, SensitivityPoint
from freqlearn.pipelines.sensitivity.running import sensitivity

__all__ = ["ModelSensitivity", "Removal", "Remove", "Sensitivity", "SensitivityPoint", "sensitivity"]

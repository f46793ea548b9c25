"""Weights of classifiers for the backbones of detectors."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import ResNet
from torchvision.ops import FrozenBatchNorm2d

from freqlearn.models.detection.rcnn import FrequencyRCNN
from freqlearn.models.weights import NotLoaded, load_rgb_weights, unwrapped_state_dict

_INPUT_CONVOLUTIONS = ("layer1.0.conv1.weight", "layer1.0.downsample.0.weight")


def load_backbone(model: FrequencyRCNN, source: nn.Module | Mapping[str, Any]) -> NotLoaded:
    """Copy a classifier's weights into a detector's ResNet.

    Every tensor of the same name and shape is copied. So a classifier on the same frequency channels gives all of them;
    one on RGB, or on other channels, all but the input layer, which keeps its random weights. The pyramid and the heads
    stay as they are. The classifier's mean and std may differ from the detector's: the input layer is trained further.

    Args:
        model: Of `freqlearn.models.detection`; changed in place.
        source: A classifier with the same ResNet, of freqlearn.models or torchvision, also behind a gate; or its state
            dict, or a checkpoint with it, as `load_rgb_weights` takes it.

    Returns:
        What was not loaded, by the ResNet's names; ``fc`` is unexpected.

    Raises:
        TypeError: If ``source`` holds no ResNet or is no mapping of names to tensors.
        ValueError: If nothing fits, or a layer that ``trainable_layers`` or FrozenBatchNorm2d freezes would keep its
            random weights for good. Nothing is loaded then.
    """
    body = model.get_submodule("backbone.body")
    state = _state_dict(model, source)
    if "conv1.weight" in state and model.in_channels == 64:  # weights of pixels: what follows their stem is no input
        state = _without_input_layer(state)
    fitting = {key for key, tensor in body.state_dict().items() if key in state and state[key].shape == tensor.shape}
    lacking = sorted(_frozen(body) - fitting)
    if fitting and lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise ValueError(
            f"expected weights for every frozen layer, got none that fit {lacking[0]}{more}: give weights of the same "
            "ResNet, or build the detector with trainable_layers=5 and another norm_layer than FrozenBatchNorm2d"
        )
    not_loaded = load_rgb_weights(body, state)
    # FrozenBatchNorm2d counts no batches.
    unexpected = [key for key in not_loaded.unexpected_keys if not key.endswith("num_batches_tracked")]
    return not_loaded._replace(unexpected_keys=unexpected)


def _state_dict(model: FrequencyRCNN, source: nn.Module | Mapping[str, Any]) -> dict[str, Tensor]:
    if not isinstance(source, nn.Module):
        # A gated classifier is a Sequential of gate and network.
        return {key.removeprefix("network."): tensor for key, tensor in unwrapped_state_dict(source).items()}
    network = next((module for module in source.modules() if isinstance(module, ResNet)), None)
    if network is None:
        raise TypeError(f"expected a classifier with a ResNet, or a state dict, got {type(source).__name__}")
    state: dict[str, Tensor] = network.state_dict()
    spec = getattr(network, "spec", None)
    if spec is None or model.spec is None or spec.channels == model.spec.channels:
        return state
    return _without_input_layer(state)  # as many channels, but others: their weights fit by accident


def _without_input_layer(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in state.items() if key not in _INPUT_CONVOLUTIONS}


def _frozen(body: nn.Module) -> set[str]:
    parameters = {name for name, parameter in body.named_parameters() if not parameter.requires_grad}
    norms = [name for name, module in body.named_modules() if isinstance(module, FrozenBatchNorm2d)]
    return parameters | {
        f"{norm}.{buffer}" for norm in norms for buffer in ("weight", "bias", "running_mean", "running_var")
    }

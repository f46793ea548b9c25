"""The checkpoints that DCTNet's authors released (github.com/kaix90/DCTNet, directory ``classification``).

Their networks are torchvision-like networks cut up into other modules, so their parameters have other names. The inputs
differ too: see ``InputSpec.preset("dctnet-resnet50-24")`` for their mean and std.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from freqlearn.models.mobilenet import FrequencyMobileNetV2, mobilenet_v2
from freqlearn.models.resnet import FrequencyResNet, resnet50
from freqlearn.models.weights import unwrapped_state_dict
from freqlearn.spec import InputSpec

# Position in their inverted residual, one flat Sequential -> ours (torchvision's), which groups convolution,
# normalisation and ReLU6. The first block does not expand its channels.
_FIRST_BLOCK = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}
_OTHER_BLOCKS = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}


def load_dctnet_weights(
    checkpoint: Mapping[str, Any], *, model: FrequencyResNet | FrequencyMobileNetV2 | None = None
) -> FrequencyResNet | FrequencyMobileNetV2:
    """Return DCTNet's released ResNet-50 or MobileNetV2 with its weights and its InputSpec.

    The network has ``layer2`` with stride 1, as the released code has it: 13.5 GMACs for ResNet-50.

    Args:
        checkpoint: What ``torch.load(path, map_location="cpu")`` gives for a released ``model_best.pth.tar``, or the
            state dict in it; with or without the "module." prefix.
        model: Load into this network instead of making one. It must be of the same architecture, take as many channels,
            have ``stage2_stride=1`` (ResNet) and no other ``spec`` than the checkpoint's. Its ``spec`` is set.

    Returns:
        The network, in training mode if it was made here; ``model.spec`` says how its input is made: channels, mean,
        std and size.

    Raises:
        TypeError: If ``checkpoint`` is not a mapping of names to tensors.
        ValueError: If it is not of the released layout, or does not fit ``model``.
    """
    theirs = unwrapped_state_dict(checkpoint)
    if "model.0.0.conv1.weight" in theirs:
        state, name, channels = _resnet_state(theirs), "resnet50", theirs["model.0.0.conv1.weight"].shape[1]
        classes = _rows(theirs, "fc.weight")
    elif "features.0.conv.0.weight" in theirs:
        state, name, channels = _mobilenet_state(theirs), "mobilenetv2", theirs["features.0.conv.0.weight"].shape[0]
        classes = _rows(theirs, "classifier.weight")
    else:
        raise ValueError(
            "expected a checkpoint of DCTNet's released networks, with 'model.0.0.conv1.weight' (ResNet-50) or "
            f"'features.0.conv.0.weight' (MobileNetV2), got the names {', '.join(list(theirs)[:3])}, ..."
        )
    spec = _published_spec(name, channels)
    if model is None:
        if name == "resnet50":
            model = resnet50(spec=spec, num_classes=classes, stage2_stride=1)
        else:
            model = mobilenet_v2(spec=spec, num_classes=classes)
    _check_fits(model, name, spec)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint does not fit {type(model).__name__}: {error}") from error
    model.spec = spec
    return model


def _resnet_state(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {_resnet_name(key): tensor for key, tensor in theirs.items()}


def _resnet_name(key: str) -> str:
    if stage := re.fullmatch(r"model\.([0-3])\.(.+)", key):
        return f"layer{int(stage[1]) + 1}.{stage[2]}"
    if key.startswith("fc."):
        return key
    raise ValueError(f"expected the names model.0 ... model.3 and fc of DCTNet's released ResNet-50, got {key!r}")


def _mobilenet_state(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    depthwise = theirs["features.0.conv.0.weight"]
    if depthwise.shape[1] != 1:
        raise ValueError(
            f"expected a depthwise first convolution, weight (C, 1, 3, 3), got {tuple(depthwise.shape)}: DCTNet's "
            "192-channel MobileNetV2 mixes several maps there, which this network cannot represent"
        )
    return {_mobilenet_name(key): tensor for key, tensor in theirs.items()}


def _mobilenet_name(key: str) -> str:
    if block := re.fullmatch(r"features\.(\d+)\.conv\.(\d+)\.(\w+)", key):
        number, position, parameter = int(block[1]), block[2], block[3]
        positions = _FIRST_BLOCK if number == 0 else _OTHER_BLOCKS
        if position in positions:
            return f"features.{number + 1}.conv.{positions[position]}.{parameter}"
    if key.startswith("conv."):
        return f"features.18.{key.removeprefix('conv.')}"
    if key.startswith("classifier."):
        return f"classifier.1.{key.removeprefix('classifier.')}"
    raise ValueError(f"expected the names features, conv and classifier of DCTNet's released MobileNetV2, got {key!r}")


def _rows(theirs: dict[str, Tensor], key: str) -> int:
    if key not in theirs:
        raise ValueError(f"expected {key!r} in DCTNet's checkpoint, and it is missing: is the file complete?")
    return theirs[key].shape[0]


def _published_spec(name: str, channels: int) -> InputSpec:
    preset = f"dctnet-{name}-{channels}"
    if preset not in InputSpec.preset_names():
        known = ", ".join(other for other in InputSpec.preset_names() if other.startswith(f"dctnet-{name}-"))
        raise ValueError(f"expected as many channels as one of {known} has, got a checkpoint for {channels} channels")
    return InputSpec.preset(preset)


def _check_fits(model: FrequencyResNet | FrequencyMobileNetV2, name: str, spec: InputSpec) -> None:
    expected = FrequencyResNet if name == "resnet50" else FrequencyMobileNetV2
    if not isinstance(model, expected):
        raise ValueError(f"expected a {expected.__name__} for this checkpoint, got {type(model).__name__}")
    if isinstance(model, FrequencyResNet) and model.stage2_stride != 1:
        raise ValueError(
            f"expected a model with stage2_stride=1, as DCTNet's weights were trained, got {model.stage2_stride}"
        )
    if model.in_channels != spec.in_channels:
        raise ValueError(f"expected a model of {spec.in_channels} channels, got one of {model.in_channels}")
    if model.spec is not None and model.spec != spec:
        raise ValueError(
            f"the model's spec ({model.spec}) is not the checkpoint's ({spec}); make the model without a spec"
        )

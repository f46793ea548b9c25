"""Checkpoints that carry all that their model assumes, and that are read without unpickling code."""

import pickle
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from freqlearn.pipelines.detection.networks import DETECTOR_NAMES, build_detector
from freqlearn.pipelines.networks import build_network
from freqlearn.spec import InputSpec

HEADER_KEY = "freqlearn"
"""Where a checkpoint keeps its header, beside what Lightning writes."""

_VERSION = 1


class CheckpointError(ValueError):
    """A file is not a checkpoint that can be used; the message says which file, why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a checkpoint says about its model.

    Attributes:
        network: Name for `freqlearn.pipelines.networks.build_network`, or for `build_detector` of detection.networks.
        arguments: Its further arguments (stage2_stride, gate, octave, ...), as JSON types.
        spec: What the network is given.
        classes: Class names in the order of the logits; a detector's without the background, its label 0.
        training: Options and facts of the training, as JSON types; for people, and to check on resuming.
        held_out: See `DataFolders.held_out`.
    """

    network: str
    arguments: Mapping[str, Any]
    spec: InputSpec
    classes: tuple[str, ...]
    training: Mapping[str, Any]
    held_out: Mapping[str, Any] | None = None

    def build(self) -> nn.Module:
        """The network, with random weights."""
        if self.is_detector:
            return build_detector(self.network, self.spec, classes=len(self.classes), **self.arguments)
        return build_network(self.network, self.spec, num_classes=len(self.classes), **self.arguments)

    @property
    def is_detector(self) -> bool:
        """Whether the network finds objects, rather than naming a whole image."""
        return self.network in DETECTOR_NAMES

    @property
    def title(self) -> str:
        """The network, its unusual arguments, and its input, for people: resnet18 (octave 0.25) on DCT-24 ..."""
        return f"{self.network_title} on {self.spec}"

    @property
    def network_title(self) -> str:
        """The network and its unusual arguments: resnet18 (octave 0.25)."""
        parameters = signature(build_detector if self.is_detector else build_network).parameters
        usual = {name: parameter.default for name, parameter in parameters.items()}
        unusual = ", ".join(f"{name} {value}" for name, value in self.arguments.items() if value != usual.get(name))
        return f"{self.network} ({unusual})" if unusual else self.network

    def to_dict(self) -> dict[str, Any]:
        """Strings, numbers, lists and dicts only: what `torch.load(weights_only=True)` reads from anybody."""
        return {
            "version": _VERSION,
            "network": self.network,
            "arguments": dict(self.arguments),
            "spec": self.spec.to_json(),
            "classes": list(self.classes),
            "training": dict(self.training),
            "held_out": None if self.held_out is None else dict(self.held_out),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`.

        Raises:
            ValueError: If the version is unknown or a field is missing or wrong.
        """
        if data.get("version") != _VERSION:
            raise ValueError(
                f"expected version {_VERSION} of a freqlearn checkpoint, got {data.get('version')!r}; update freqlearn"
            )
        try:
            return cls(
                network=str(data["network"]),
                arguments=dict(data["arguments"]),
                spec=InputSpec.from_json(data["spec"]),
                classes=tuple(str(name) for name in data["classes"]),
                training=dict(data["training"]),
                held_out=data["held_out"],
            )
        except KeyError as error:
            raise ValueError(f"the checkpoint's description lacks {error}") from error
        except TypeError as error:
            raise ValueError(f"the checkpoint's description is damaged: {error}") from error


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        path: The file.
        header: What it says about its model.
        model: The model with its weights, in evaluation mode, on the CPU.
    """

    path: Path
    header: Header
    model: nn.Module


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Load a checkpoint that `freqlearn train` or `freqlearn detect train` wrote.

    Only tensors and plain data are read (weights_only), so a file from a stranger runs no code.

    Raises:
        CheckpointError: If the file is missing, damaged, or no freqlearn checkpoint.
    """
    path = Path(path)
    data = read_data(path)
    header = _header(path, data)
    try:
        model = header.build()
        prefix = "model."
        state = {k.removeprefix(prefix): v for k, v in data["state_dict"].items() if k.startswith(prefix)}
        model.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: the weights do not fit the model that it describes: {reason}") from error
    return Checkpoint(path, header, model.eval())


def load_classifier(checkpoint: str | Path | Checkpoint) -> Checkpoint:
    """Load a checkpoint that `freqlearn train` wrote.

    Args:
        checkpoint: The file, or one loaded already.

    Raises:
        CheckpointError: If it cannot be used, or is of a detector.
    """
    loaded = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
    if loaded.header.is_detector:
        raise CheckpointError(
            f"{loaded.path}: expected a classifier, as freqlearn train writes it, got a detector "
            f"({loaded.header.title}): freqlearn detect evaluate and freqlearn detect predict take it"
        )
    return loaded


def read_header(path: str | Path) -> Header:
    """Read only what a checkpoint says about its model; errors as for `load_checkpoint`."""
    path = Path(path)
    return _header(path, read_data(path))


def check_classes(header: Header, classes: Sequence[str], where: str | Path) -> None:
    """Refuse data with classes that a model does not know.

    Raises:
        ValueError: If one of `classes` is not among the checkpoint's.
    """
    unknown = sorted(set(classes) - set(header.classes))
    if unknown:
        raise ValueError(
            f"{where}: the model does not know the class {unknown[0]!r}"
            f"{f' and {len(unknown) - 1} more' if len(unknown) > 1 else ''}; it knows {', '.join(header.classes[:5])}"
            f"{', ...' if len(header.classes) > 5 else ''}"
        )


def read_data(path: Path) -> dict[str, Any]:
    """Read the whole content of a checkpoint; errors as for `load_checkpoint`, but for the description."""
    if path.is_dir():
        raise CheckpointError(f"{path}: expected a checkpoint file, such as {path / 'best.ckpt'}; this is a folder")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle protocol: what matters is said below
            data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: not a freqlearn checkpoint: it is damaged or holds objects other than tensors and plain data"
        ) from error
    except Exception as error:  # torch lets out whatever a flipped bit leads to: IndexError, AssertionError, ...
        said = "" if isinstance(error, KeyError) else " ".join(str(error).split())  # a KeyError says its key only
        reason = said.partition(". ")[0] or type(error).__name__  # torch adds general advice
        raise CheckpointError(f"{path}: not a readable checkpoint file: {reason}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: not a freqlearn checkpoint: it holds a {type(data).__name__}")
    return data


def _header(path: Path, data: Mapping[str, Any]) -> Header:
    if not isinstance(data.get(HEADER_KEY), Mapping):
        raise CheckpointError(
            f"{path}: not a freqlearn checkpoint: it does not say what its model is given; "
            "weights of other origin load with freqlearn.models.load_rgb_weights or load_dctnet_weights"
        )
    try:
        return Header.from_dict(data[HEADER_KEY])
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error

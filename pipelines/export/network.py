"""From a checkpoint to the module that is exported: what evaluation computes, and nothing else."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from freqlearn import models
from freqlearn.channels import ChannelSet
from freqlearn.pipelines.checkpoint import Checkpoint
from freqlearn.pipelines.networks import gate_of
from freqlearn.spec import InputSpec


class GatedNetwork(nn.Module):
    """A gate in evaluation and its network: FrequencyGate's computed switches, without counting and remembering.

    An export records every operation, and must not record those.
    """

    def __init__(self, gate: models.FrequencyGate, network: nn.Module) -> None:
        super().__init__()
        self.squeeze, self.norm, self.logits = gate.squeeze, gate.norm, gate.logits
        self.network = network

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) maps -> (N, classes) logits."""
        off, on = self._off_on(maps)
        logits: Tensor = self.network(maps * (on > off))
        return logits

    def margins(self, maps: Tensor) -> Tensor:
        """(N, C, 1, 1): by how much a switch's logit for on exceeds the one for off."""
        off, on = self._off_on(maps)
        return on - off

    def _off_on(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        pooled = maps.mean(dim=(2, 3), keepdim=True)
        logits = self.logits(functional.relu(self.norm(self.squeeze(pooled))))  # (N, 2C, 1, 1): off, on, off, on, ...
        return logits[:, 0::2], logits[:, 1::2]


def fix_gate(checkpoint: Checkpoint, top: int | None) -> ChannelSet | None:
    """Freeze a checkpoint's gate to its most important channels.

    Args:
        checkpoint: Its model is changed in place.
        top: How many channels to keep; None leaves a gate as it is.

    Returns:
        The channels that are on for every image; None if there is no gate or its switches are computed.

    Raises:
        ValueError: If there is no gate to freeze, it has fewer channels on, or it has never counted an image.
    """
    gate = gate_of(checkpoint.model)
    if gate is None:
        if top is not None:
            raise ValueError(
                f"{checkpoint.path}: has no gate to take the top {top} channels of; "
                "a model on a ranking's channels is trained with --channels importance.json --top"
            )
        return None
    if top is not None:
        on = len(gate.static_channels or gate.channels)
        if not 1 <= top <= on:
            raise ValueError(f"{checkpoint.path}: top must be 1 to {on}, the channels that its gate has on; got {top}")
        try:
            gate.freeze(top)
        except RuntimeError as error:
            raise ValueError(f"{checkpoint.path}: {error}") from error
    return gate.static_channels


@torch.no_grad()
def exportable(checkpoint: Checkpoint) -> tuple[nn.Module, InputSpec]:
    """Return a module that computes a checkpoint's logits, and what it is given.

    Args:
        checkpoint: Loaded, in evaluation mode; not changed.

    Returns:
        A copy without gradients. A frozen gate is folded away: the module takes only the channels that it keeps.

    Raises:
        ValueError: If the gate cannot be folded away, as before MobileNetV2 with other normalisation than BatchNorm.
    """
    spec, model = checkpoint.header.spec, copy.deepcopy(checkpoint.model).eval().requires_grad_(False)
    gate = gate_of(model)
    if gate is None:
        return model, spec
    network = model.get_submodule("network")
    kept = gate.static_channels
    if kept is None:
        return GatedNetwork(gate, network), spec
    try:
        models.narrow(network, kept)
    except TypeError as error:
        raise ValueError(f"{checkpoint.path}: its gate cannot be folded away: {error}") from error
    return network.requires_grad_(False), spec.select(kept)

"""The frequency gate: learned on-off switches of the channels (Xu et al., CVPR 2020, arXiv 2002.12416, figure 4)."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, overload

import torch
from torch import Tensor, nn
from torch.nn import functional

from freqlearn.channels import ChannelSet
from freqlearn.indexing import NUM_CHANNELS, integer
from freqlearn.models._batch_norm import SoloBatchNorm2d
from freqlearn.models._inputs import check_maps
from freqlearn.models._running_importance import RunningImportance
from freqlearn.models._switch import likelier_switches, sampled_switches


class FrequencyGate(nn.Module):
    """Switches each frequency channel on or off, image by image, and learns which ones a model needs.

    Global average pool -> 1x1 convolution -> BatchNorm -> ReLU -> grouped 1x1 convolution -> two logits (off, on) per
    channel -> a 0 or 1 that multiplies the channel's map. Three uses:

    - learned (training mode): switches are sampled (hard Gumbel-softmax, straight-through), and ``regulariser()`` times
      a lambda is added to the loss, so that a channel stays on only where it pays;
    - dynamic (evaluation mode): every image has its own switches, on where on is likelier; deterministic;
    - static (after ``freeze(k)``): the k most important channels for every image; nothing else is computed.

    The gate remembers its last batch, so torch.fx cannot trace it: give torchvision's ``create_feature_extractor`` the
    argument ``tracer_kwargs={"leaf_modules": [FrequencyGate]}``.

    Args:
        channels: The channels of the maps; a number n stands for the first n in index order (192: all).
        temperature: Temperature of the Gumbel-softmax, positive; settable, see ``anneal``. Only training uses it.

    Raises:
        ValueError: If the temperature is not positive and finite, or the number of channels is not in 1..192.
    """

    _temperature: Tensor
    _static_mask: Tensor

    def __init__(self, channels: ChannelSet | int = NUM_CHANNELS, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.channels = _channel_set(channels)
        count = len(self.channels)
        self.squeeze = nn.Conv2d(count, count, kernel_size=1)
        self.norm = SoloBatchNorm2d(count)
        self.logits = nn.Conv2d(count, 2 * count, kernel_size=1, groups=count)
        # Buffers: they follow the module to its device and into its state dict, and torch.compile does not recompile
        # when their values change.
        self.register_buffer("_temperature", torch.ones(()))
        self.register_buffer("_static_mask", torch.zeros(count, dtype=torch.bool))
        self.temperature = temperature
        self._frozen = False
        self._running = RunningImportance(count)
        self._last_switches: Tensor | None = None
        self._last_probability: Tensor | None = None
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        # DCTNet's: kaiming for the first layer; the last one starts with nearly every channel on (P = 0.87).
        nn.init.kaiming_normal_(self.squeeze.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.logits.weight, std=0.001)
        nn.init.zeros_(self.get_parameter("squeeze.bias"))
        with torch.no_grad():
            off_on = torch.tensor([0.1, 2.0])
            self.get_parameter("logits.bias").copy_(off_on.repeat(len(self.channels)))

    @overload
    def forward(self, maps: Tensor, *, return_mask: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, maps: Tensor, *, return_mask: Literal[True]) -> tuple[Tensor, Tensor]: ...
    def forward(self, maps: Tensor, *, return_mask: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Multiply each map by its switch.

        Args:
            maps: (N, C, h, w) float, standardised.
            return_mask: Also return the switches.

        Returns:
            (N, C, h, w), dtype and memory format of ``maps``; with ``return_mask`` also (N, C) float32, 0 or 1.

        Raises:
            ValueError: If the shape is another or the maps are not floating point.
        """
        check_maps(maps, len(self.channels))
        switches = self._switches(_pooled(maps))
        gated = maps * switches[:, :, None, None].to(maps.dtype)
        return (gated, switches) if return_mask else gated

    def gate_each(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Multiply each map of several images by its switch; the images may have different sizes.

        They count as one batch, as in ``forward``, and each image's switches come from its own maps.

        Args:
            maps: (C, h, w) float for each of one or more images, standardised.

        Returns:
            The same with the switches applied, and the switches, (N, C) float32, 0 or 1.

        Raises:
            ValueError: If a shape is another or maps are not floating point.
        """
        for image in maps:
            check_maps(image[None], len(self.channels))
        switches = self._switches(torch.stack([_pooled(image[None])[0] for image in maps]))
        gated = [image * on[:, None, None].to(image.dtype) for image, on in zip(maps, switches, strict=True)]
        return gated, switches

    def _switches(self, pooled: Tensor) -> Tensor:
        switches = self._static_switches(pooled) if self._frozen else self._computed_switches(pooled)
        self._last_switches = switches
        return switches

    def _static_switches(self, pooled: Tensor) -> Tensor:
        return self._static_mask.to(torch.float32).expand(pooled.shape[0], -1)  # (N, C)

    def _computed_switches(self, pooled: Tensor) -> Tensor:
        logits = self._switch_logits(pooled)  # (N, C, 2)
        self._last_probability = logits.detach().softmax(dim=-1)[..., 1]
        self._running.update(self._last_probability, training=self.training)
        return sampled_switches(logits, self._temperature) if self.training else likelier_switches(logits)

    def _switch_logits(self, pooled: Tensor) -> Tensor:
        # float32 also under autocast: the gate is a small part of the work, and its probabilities are a result.
        with _without_autocast(pooled.device.type):
            x = self.squeeze(pooled.to(self.squeeze.weight.dtype))
            x = self.logits(functional.relu(self.norm(x)))  # (N, 2C, 1, 1): off, on, off, on, ...
            logits: Tensor = x.float().reshape(pooled.shape[0], len(self.channels), 2)
            return logits

    @property
    def temperature(self) -> float:
        """Temperature of the Gumbel-softmax."""
        return float(self._temperature)

    @temperature.setter
    def temperature(self, value: float) -> None:
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"expected a positive, finite temperature, got {value}")
        self._temperature.fill_(value)

    def anneal(self, progress: float, *, start: float = 1.0, end: float = 0.5) -> float:
        """Set the temperature for this point of training, on the line from ``start`` to ``end``; return it.

        Args:
            progress: Share of training that is done, 0..1.
            start: Temperature at 0.
            end: Temperature at 1.

        Raises:
            ValueError: If ``progress`` is not in 0..1 or a temperature is not positive and finite.
        """
        if not 0 <= progress <= 1:
            raise ValueError(f"expected progress in 0..1, got {progress}")
        for value in (start, end):
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"expected positive, finite temperatures, got start={start}, end={end}")
        self.temperature = start + (end - start) * progress
        return self.temperature

    def regulariser(self) -> Tensor:
        """Return the share of switches that are on, to be multiplied by lambda and added to the loss.

        Returns:
            () float32: mean over the last batch's images and channels. Differentiable after a forward pass in training
            (the sampled switches, straight-through); constant otherwise.

        Raises:
            RuntimeError: If there was no forward pass.
        """
        return self._switches_of_last_batch("regulariser()").mean()

    @property
    def last_mask(self) -> Tensor:
        """(N, C) float32, 0 or 1: the last batch's switches, without gradient; RuntimeError before any."""
        return self._switches_of_last_batch("last_mask").detach()

    @property
    def channels_on(self) -> Tensor:
        """(N,) float32: how many channels each image of the last batch has likelier on than off.

        Those that evaluation switches on; in training, where switches are sampled, ``last_mask`` has others.

        Raises:
            RuntimeError: If there was no forward pass.
        """
        if self._frozen or self._last_probability is None:
            return self._switches_of_last_batch("channels_on").detach().sum(dim=1)
        return (self._last_probability > 0.5).sum(dim=1, dtype=torch.float32)

    def _switches_of_last_batch(self, wanted: str) -> Tensor:
        if self._last_switches is None:
            raise RuntimeError(f"{wanted} tells of the last batch, and there was none; call the gate first")
        return self._last_switches

    @property
    def importance(self) -> Tensor:
        """(C,) float32 on the gate's device: mean P(on) over this process's images, a copy.

        Over a run of batches in evaluation mode it is the exact mean over their images, in training mode an average of
        the last hundred or so batches; changing from the one to the other starts afresh, and so does
        ``reset_importance()``. Where several processes share the images, see ``importance_across_ranks()``.

        Raises:
            RuntimeError: If no image has been counted.
        """
        return self._running.own_mean()

    def importance_across_ranks(self) -> Tensor:
        """Return mean P(on) over the images of all processes, (C,) float32.

        A collective call: where torch.distributed is initialised, every process must make it. It changes nothing.

        Raises:
            RuntimeError: If no process has counted an image.
        """
        return self._running.mean_across_ranks()

    def reset_importance(self) -> None:
        """Start counting afresh, for instance before a ranking pass over an evaluation set."""
        self._running.reset()

    def counting_state(self) -> dict[str, Tensor | bool]:
        """What this process has counted for ``importance``, and in which mode, for ``set_counting_state``.

        For a training that is to go on exactly: each process has counted other images, and the state dict of one of
        them is what checkpoints hold.
        """
        return self._running.state()

    def set_counting_state(self, state: Mapping[str, Tensor | bool]) -> None:
        """Go on counting where ``counting_state`` was called."""
        self._running.set_state(state)

    @property
    def images_counted(self) -> float:
        """Number of images that ``importance`` is a mean of (in training mode: their total weight)."""
        return float(self._running.images)

    def fraction_on(self) -> float:
        """Return the mean of ``importance`` over the channels: the share of channels that an image has on, 0..1.

        Near 0, the regulariser has switched everything off: its lambda is too large.

        Raises:
            RuntimeError: If no image has been counted.
        """
        return float(self.importance.mean())

    def freeze(self, k: int) -> ChannelSet:
        """Keep the k most important channels for every image from now on, and stop learning.

        Output keeps all C channels, the others zero. Of equally important channels the first is kept. The gate's
        parameters no longer require gradients. Where torch.distributed is initialised, every process must make this
        call, and the importance over the images of all of them decides.

        Args:
            k: How many channels to keep, 1..C.

        Returns:
            The channels that stay on, in the gate's order.

        Raises:
            RuntimeError: If no process has counted an image.
            TypeError: If ``k`` is not an integer.
            ValueError: If ``k`` is not in 1..C.
        """
        k = integer(k, "k")
        if not 1 <= k <= len(self.channels):
            raise ValueError(f"expected k in 1..{len(self.channels)}, the gate's number of channels, got {k}")
        order = self.importance_across_ranks().sort(descending=True, stable=True).indices
        self._static_mask.zero_()
        self._static_mask[order[:k]] = True
        self._set_frozen(True)
        return self._kept_channels()

    def unfreeze(self) -> None:
        """Go back to computed switches; parameters require gradients again."""
        self._static_mask.zero_()
        self._set_frozen(False)

    @property
    def static_channels(self) -> ChannelSet | None:
        """The channels that ``freeze`` kept, in the gate's order; None while the switches are computed."""
        return self._kept_channels() if self._frozen else None

    def _kept_channels(self) -> ChannelSet:
        kept = [channel for channel, on in zip(self.channels, self._static_mask.tolist(), strict=True) if on]
        return ChannelSet.of(kept, name=f"gate-{len(kept)}")

    def _set_frozen(self, frozen: bool) -> None:
        self._frozen = frozen
        self._last_switches = self._last_probability = None
        # DistributedDataParallel waits for the gradient of every parameter that requires one.
        self.requires_grad_(not frozen)

    def extra_repr(self) -> str:
        """Describe the gate's channels and state."""
        state = str(self.static_channels) if self._frozen else f"temperature {self.temperature:.3g}"
        return f"{self.channels}, {state}"

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._running.to(self.squeeze.weight.device)  # to the parameters' device, but never to their precision
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "importance"] = self._running.mean.clone()
        destination[prefix + "images_counted"] = self._running.images.clone()

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        metadata: Any,
        strict: bool,
        missing: list[str],
        unexpected: list[str],
        errors: list[str],
    ) -> None:
        # The state dict is load_state_dict's own copy: what is taken out of it is not reported as unexpected.
        for name, target in (("importance", self._running.mean), ("images_counted", self._running.images)):
            value = state_dict.pop(prefix + name, None)
            if value is None:
                missing.append(prefix + name)
            elif value.shape != target.shape:
                errors.append(f"size mismatch for {prefix}{name}: expected {target.shape}, got {value.shape}")
            else:
                target.copy_(value)
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, missing, unexpected, errors)
        if bool(self._static_mask.any()) != self._frozen:
            self._set_frozen(not self._frozen)

    def __getstate__(self) -> dict[str, Any]:
        # Tensors with a history can neither be copied nor pickled.
        return {**self.__dict__, "_last_switches": None, "_last_probability": None}


def _pooled(maps: Tensor) -> Tensor:
    return maps.mean(dim=(2, 3), keepdim=True, dtype=torch.float32)  # (N, C, 1, 1)


def _channel_set(channels: ChannelSet | int) -> ChannelSet:
    if isinstance(channels, ChannelSet):
        return channels
    count = integer(channels, "a ChannelSet or a number of channels")
    if not 1 <= count <= NUM_CHANNELS:
        raise ValueError(f"expected 1..{NUM_CHANNELS} channels, got {count}")
    return ChannelSet.all() if count == NUM_CHANNELS else ChannelSet.of(range(count))


def _without_autocast(device_type: str) -> contextlib.AbstractContextManager[Any]:
    # Some devices ("meta") know no autocast and refuse to have it switched off.
    if not torch.amp.is_autocast_available(device_type):
        return contextlib.nullcontext()
    return torch.autocast(device_type, enabled=False)

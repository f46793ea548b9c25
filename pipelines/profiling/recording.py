"""Which module runs which operation, and which tensors go from module to module."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from freqlearn.pipelines.profiling.layers import Layer


class Recorder:
    """Watches one forward pass of a model, on the meta device, from inside a `with` block.

    Args:
        model: What will be called, once.
        counter: Counts its operations; it is entered after this and left before it.
        batch: What it will be called with.
    """

    def __init__(self, model: nn.Module, counter: FlopCounterMode, batch: Tensor) -> None:
        self._model = model
        self._counter = counter
        self._tallies = {name: _Tally(type(module).__name__) for name, module in model.named_modules()}
        self._running: list[_Call] = []
        self._operations = _Operations(counter)
        # Storages by identity. They are kept, so that none of them is freed and its identity given to another.
        self._known: dict[int, torch.UntypedStorage] = {}
        for tensor in (batch, *model.parameters(), *model.buffers()):
            self._is_new(tensor)
        self._hooks = ExitStack()

    def __enter__(self) -> Self:
        for name, module in self._model.named_modules():
            before = module.register_forward_pre_hook(partial(self._enter, name), prepend=True, with_kwargs=True)
            after = module.register_forward_hook(partial(self._leave, name))
            self._hooks.callback(before.remove)
            self._hooks.callback(after.remove)
        self._hooks.enter_context(self._operations)
        return self

    def __exit__(self, *_: object) -> None:
        self._hooks.close()

    def layers(self) -> tuple[Layer, ...]:
        """What was seen, a layer a module."""
        counted: set[int] = set()
        layers = []
        for name, module in self._model.named_modules():
            own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
            counted.update(map(id, own))
            unread = [p for p in own if _identity(p) not in self._operations.read]
            tally = self._tallies[name]
            layer = Layer(
                name=name,
                type=tally.type,
                calls=tally.calls,
                macs=tally.flops // 2,
                parameters=sum(p.numel() for p in own),
                unread_parameters=sum(p.numel() for p in unread),
                activation_elements=tally.elements,
                activation_bytes=tally.bytes,
                outputs=tally.outputs,
            )
            layers.append(layer)
        return tuple(layers)

    def not_counted(self) -> dict[str, int]:
        """Operation -> numbers that it computed, those first that computed most."""
        return dict(self._operations.not_counted.most_common())

    def _enter(self, name: str, _: nn.Module, args: Any, kwargs: Any) -> None:
        # What comes in and no module handed on was made by the code of the one that calls.
        if self._running:
            self._hand_on(self._tallies[self._running[-1].name], (args, kwargs))
        self._running.append(_Call(name, flops_before=self._counter.get_total_flops()))

    def _leave(self, name: str, _: nn.Module, __: Any, output: Any) -> None:
        call = self._running.pop()
        flops = self._counter.get_total_flops() - call.flops_before
        tally = self._tallies[name]
        tally.flops += flops - call.flops_of_parts
        if self._running:
            self._running[-1].flops_of_parts += flops
        tally.calls += 1
        if tally.calls == 1:
            tally.outputs = tuple(tuple(tensor.shape) for tensor in _tensors(output))
        self._hand_on(tally, output)

    def _hand_on(self, tally: "_Tally", value: Any) -> None:
        for tensor in _tensors(value):
            if self._is_new(tensor):
                size = tensor.untyped_storage().nbytes()
                tally.bytes += size
                tally.elements += size // tensor.element_size()

    def _is_new(self, tensor: Tensor) -> bool:
        identity = _identity(tensor)
        if identity in self._known:
            return False
        self._known[identity] = tensor.untyped_storage()
        return True


@dataclass
class _Tally:
    """What one module has done so far, without its parts."""

    type: str
    calls: int = 0
    flops: int = 0
    elements: int = 0
    bytes: int = 0
    outputs: tuple[tuple[int, ...], ...] = ()


@dataclass
class _Call:
    """A module that is running."""

    name: str
    flops_before: int
    flops_of_parts: int = 0


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's is not annotated
    """Notes which storages are read, and what the operations compute that FlopCounterMode has no formula for."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._formulas = counter.flop_registry
        self.read: set[int] = set()
        self.not_counted: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {_identity(tensor) for tensor in _tensors((args, kwargs))}
        self.read |= given
        if given and func._overloadpacket not in self._formulas:
            name = func._schema.name.removeprefix("aten::")
            # The first is what it is for; a pooling also gives indices, a normalisation statistics.
            for tensor in _tensors(result)[:1]:
                if func._schema.is_mutable or _identity(tensor) not in given:  # else a view, which computes nothing
                    self.not_counted[name] += tensor.numel()
        return result


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _identity(tensor: Tensor) -> int:
    """The same for all views of the same memory; on the meta device too, where no address tells them apart."""
    return int(tensor.untyped_storage()._cdata)

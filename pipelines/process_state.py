"""What a process has beside the weights: the states of its random generators, of its metrics and of its gates."""

import random
from typing import Any

import numpy as np
import torch
from torch import nn
from torchmetrics import Metric

from freqlearn.models import FrequencyGate


def random_state() -> dict[str, Any]:
    """The states of torch's (CPU and every CUDA device), NumPy's and Python's generators, as tensors and JSON types."""
    _, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, internal, next_gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [torch.from_numpy(np.asarray(keys, np.int64)), int(position), int(has_gauss), float(gauss)],
        "python": [version, torch.tensor(internal), next_gauss],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Restore what `random_state` gave. CUDA's are only restored on as many devices as there were."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    version, internal, next_gauss = state["python"]
    random.setstate((version, tuple(internal.tolist()), next_gauss))


def metric_states(module: nn.Module) -> dict[str, dict[str, Any]]:
    """The states of the metrics in a module that have counted anything, on the CPU.

    They are of this process only: torchmetrics adds the processes up when a metric is computed.
    """
    return {
        name: {state: _moved(value, torch.device("cpu")) for state, value in metric.metric_state.items()}
        for name, metric in module.named_modules()
        if isinstance(metric, Metric) and metric.update_called
    }


def set_metric_states(module: nn.Module, states: dict[str, dict[str, Any]]) -> None:
    """Let metrics go on counting where `metric_states` found them."""
    for name, metric in module.named_modules():
        if isinstance(metric, Metric) and name in states:
            for state, value in states[name].items():
                setattr(metric, state, _moved(value, metric.device))
            metric._update_count = max(metric._update_count, 1)  # it has counted: computing it needs no warning


def gate_states(module: nn.Module) -> dict[str, dict[str, Any]]:
    """What the gates in a module have counted in this process, by their names."""
    return {name: gate.counting_state() for name, gate in module.named_modules() if isinstance(gate, FrequencyGate)}


def set_gate_states(module: nn.Module, states: dict[str, dict[str, Any]]) -> None:
    """Let gates go on counting where `gate_states` found them."""
    for name, gate in module.named_modules():
        if isinstance(gate, FrequencyGate) and name in states:
            gate.set_counting_state(states[name])


def _moved(value: torch.Tensor | list[torch.Tensor], device: torch.device) -> torch.Tensor | list[torch.Tensor]:
    """A metric's state (a tensor, or a list of them) on a device, apart from the metric's own."""
    if isinstance(value, list):
        return [part.detach().to(device, copy=True) for part in value]
    return value.detach().to(device, copy=True)

"""The frequency gate under autocast, torch.compile, channels_last, torch.fx and DistributedDataParallel."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from freqlearn.models import FrequencyGate


def maps_of(seed: int, images: int = 8):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(images, 24, 6, 6, generator=generator)
    return maps + torch.randn(images, 24, 1, 1, generator=generator)


def test_probabilities_stay_float32_under_autocast(lively_gate, probabilities):
    gate = lively_gate().eval()
    maps = maps_of(0)
    with torch.autocast("cpu", torch.bfloat16):
        gated = gate(maps)
    assert gated.dtype == torch.float32
    torch.testing.assert_close(gate.importance.double(), probabilities(gate, maps).mean(0), rtol=0, atol=1e-6)


def test_trains_under_autocast_on_bfloat16_maps(lively_gate):
    gate = lively_gate()
    with torch.autocast("cpu", torch.bfloat16):
        gated = gate(maps_of(0).bfloat16())
        assert gated.dtype == torch.bfloat16
        loss = gated.square().mean() + gate.regulariser()
    loss.backward()
    assert gate.squeeze.weight.grad.isfinite().all()
    assert gate.squeeze.weight.grad.any()


@pytest.mark.parametrize("frozen", [False, True], ids=["learned", "static"])
def test_channels_last(lively_gate, frozen):
    gate = lively_gate().eval()
    maps = maps_of(0)
    expected = gate(maps)
    if frozen:
        gate.freeze(5)
        expected = gate(maps)
    gated = gate(maps.contiguous(memory_format=torch.channels_last))
    assert gated.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(gated, expected)
    assert gate(maps).is_contiguous()


def test_compiled_gate_does_as_the_eager_one(lively_gate):
    compiled_gate, gate = lively_gate(), lively_gate()
    compiled = torch.compile(compiled_gate, backend="aot_eager", fullgraph=True)
    optimisers = [torch.optim.SGD(each.parameters(), lr=0.1) for each in (compiled_gate, gate)]
    for step in range(3):
        maps = maps_of(step)
        for called, owner, optimiser in zip((compiled, gate), (compiled_gate, gate), optimisers, strict=True):
            owner.anneal(step / 3)
            torch.manual_seed(step)
            optimiser.zero_grad()
            (called(maps).square().mean() + owner.regulariser()).backward()
            optimiser.step()
    for (name, ours), theirs in zip(compiled_gate.state_dict().items(), gate.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=lambda text, name=name: f"{name}: {text}")
    compiled_gate.eval()
    gate.eval()
    for seed in range(2):
        torch.testing.assert_close(compiled(maps_of(seed)), gate(maps_of(seed)))
    torch.testing.assert_close(compiled_gate.importance, gate.importance)
    assert compiled_gate.images_counted == 16
    assert compiled_gate.freeze(5) == gate.freeze(5)
    assert torch.equal(compiled(maps_of(0)), gate(maps_of(0)))


def test_annealing_compiles_once(lively_gate):
    gate = lively_gate()
    compiled = torch.compile(gate, backend="eager", fullgraph=True)
    compiled(maps_of(0))
    with torch._dynamo.config.patch(error_on_recompile=True):
        for progress in (0.1, 0.2, 0.9):
            gate.anneal(progress)
            compiled(maps_of(1))


def test_feature_extractor(lively_gate):
    network = nn.Sequential(lively_gate(), nn.Conv2d(24, 4, 1)).eval()
    maps = maps_of(0)
    extractor = create_feature_extractor(network, ["1"], tracer_kwargs={"leaf_modules": [FrequencyGate]})
    assert torch.equal(extractor(maps)["1"], network(maps))


def test_sync_batch_norm_conversion_takes_the_gates():
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(FrequencyGate(24))
    assert type(converted.norm) is nn.SyncBatchNorm


def test_two_processes(lively_gate, tmp_path):
    """Two ranks see different images, and different numbers of them; the importance is that of all images."""
    script = Path(__file__).with_name("gate_process.py")
    rendezvous = tmp_path / "rendezvous"
    # A file and the loopback interface: no port that another test might have taken.
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(rendezvous), str(tmp_path / f"{rank}.json")],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        errors = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))

    assert first["parameters after training"] == second["parameters after training"]
    assert first["parameters after training"] != first["parameters before"]
    assert first["images"] == 24
    assert second["images"] == 8
    assert first["importance"] != second["importance"]
    assert first["importance across ranks"] == second["importance across ranks"]
    gate = FrequencyGate(24).eval()
    gate.load_state_dict({key: torch.tensor(value) for key, value in first["state"].items()})
    gate.reset_importance()
    for seed in (0, 2, 4, 1):
        gate(maps_of(seed))
    assert first["importance across ranks"] == pytest.approx(gate.importance.tolist(), abs=1e-6)
    assert first["kept"] == second["kept"] == list(gate.freeze(5))
    assert first["static step"] == second["static step"] == "done"

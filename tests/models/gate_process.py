"""One of the two processes of test_gate_environments.test_two_processes: rank, rendezvous file, output file."""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from freqlearn.models import FrequencyGate


def maps_of(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(8, 24, 6, 6, generator=generator)
    return maps + torch.randn(8, 24, 1, 1, generator=generator)


def step(network: nn.Module, gate: FrequencyGate, seed: int) -> None:
    optimiser = torch.optim.SGD((p for p in network.parameters() if p.requires_grad), lr=0.5)
    (network(maps_of(seed)).square().mean() + gate.regulariser()).backward()
    optimiser.step()


def main(rank: int, rendezvous: str) -> dict[str, object]:
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    torch.manual_seed(0)
    gate = FrequencyGate(24)
    nn.init.normal_(gate.logits.weight, std=2.0)
    network = DistributedDataParallel(nn.Sequential(gate, nn.Conv2d(24, 4, 1)))
    result: dict[str, object] = {"parameters before": gate.squeeze.weight.flatten().tolist()}

    torch.manual_seed(rank)  # each rank draws its own noise
    for number in range(3):
        step(network, gate, seed=100 + 2 * number + rank)
    result["parameters after training"] = gate.squeeze.weight.flatten().tolist()

    network.eval()
    with torch.no_grad():
        for seed in (0, 2, 4) if rank == 0 else (1,):
            # Through the wrapper where both ranks have a batch: it overwrites buffers with rank 0's.
            (network if seed < 2 else network.module)(maps_of(seed))
    result["images"] = gate.images_counted
    result["importance"] = gate.importance.tolist()
    result["importance across ranks"] = gate.importance_across_ranks().tolist()
    result["state"] = {key: value.tolist() for key, value in gate.state_dict().items()}

    result["kept"] = list(gate.freeze(5))
    network = DistributedDataParallel(nn.Sequential(gate, nn.Conv2d(24, 4, 1)))
    for number in range(2):  # an unused parameter would raise at the second
        step(network, gate, seed=200 + 2 * number + rank)
    result["static step"] = "done"
    dist.destroy_process_group()
    return result


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(main(int(sys.argv[1]), sys.argv[2])))

"""What tests of whole octave networks compare with: the authors' way of counting, and pictures without detail."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from freqlearn.models.octave import OctConv2d


def count_like_the_authors(network: nn.Module) -> tuple[float, float]:
    """Cost of a 224 px picture, also as the authors' README counts it.

    Their tool (github.com/Ldpe2G/DeepLearningForFun, CalculateFlopsTool) takes a multiply-accumulate as one operation,
    and adds every pixel that an average pooling reads.

    Args:
        network: For pictures, on the meta device.

    Returns:
        Millions of multiply-accumulates, and of operations as they count.
    """

    def pooled(x: tuple[int, ...], kernel: list[int], *_: Any, out_shape: tuple[int, ...], **__: Any) -> int:
        # The counter's own formulas count two for a multiply-accumulate.
        return 2 * torch.Size(out_shape).numel() * kernel[0] * kernel[-1]

    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.avg_pool2d: pooled})
    with counter, torch.no_grad():
        network.eval()(torch.empty(1, 3, 224, 224, device="meta"))
    total = counter.get_total_flops() / 2e6
    return total - counter.get_flop_counts()["Global"][torch.ops.aten.avg_pool2d] / 2e6, total


def enliven(network: nn.Module) -> nn.Module:
    """Give a network weights as after training: every channel has its own statistics, and no signal fades away.

    Initial weights of a depthwise convolution are so small that nothing but biases would reach the logits.

    Returns:
        The network, in evaluation mode.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | OctConv2d):
            # Of one tap: kernels may lose all others, see `blind`.
            nn.init.normal_(module.weight, std=(2 / module.weight.shape[1]) ** 0.5)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return network.eval()


def blind(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights with nothing but the centre of each kernel.

    On a picture of one colour all maps of such a network are constant, so that halving and doubling them changes
    nothing: an octave network must compute what the plain one computes.
    """
    seen = {}
    for key, value in state.items():
        seen[key] = value
        if value.dim() == 4 and value.shape[-1] > 1:
            middle = value.shape[-1] // 2
            seen[key] = torch.zeros_like(value)
            seen[key][..., middle, middle] = value[..., middle, middle]
    return seen


def joined_state(network: nn.Module) -> dict[str, Tensor]:
    """A network's state with one normalisation layer in place of a pair's two, high channels first."""
    state = {}
    for key, value in network.state_dict().items():
        if ".high." in key:
            low = network.state_dict()[key.replace(".high.", ".low.")]
            state[key.replace(".high.", ".")] = torch.cat((value, low)) if value.dim() else value
        elif ".low." not in key:
            state[key] = value
    return state


def one_colour() -> Tensor:
    """Two pictures of one colour each, (2, 3, 32, 32) float32."""
    return torch.tensor([[1.0, -0.5, 0.8], [-1.2, 0.3, 0.5]])[:, :, None, None].expand(-1, -1, 32, 32)


def is_pair_by_name(network: nn.Module, pictures: Tensor, names: list[str]) -> list[bool]:
    """Whether each of these modules gives a pair for these pictures."""
    given: dict[str, bool] = {}

    def remember(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            given[name] = isinstance(output, tuple)

        return hook

    handles = [network.get_submodule(name).register_forward_hook(remember(name)) for name in names]
    with torch.no_grad():
        network(pictures)
    for handle in handles:
        handle.remove()
    return [given[name] for name in names]

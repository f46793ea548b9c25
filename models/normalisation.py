"""Normalisation layers for feature maps (N, C, H, W), and what torchvision's ``norm_layer=`` takes, by name."""

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torchvision.models.convnext import LayerNorm2d

from freqlearn.indexing import integer

__all__ = ["LayerNorm2d", "NormName", "SwitchableNorm2d", "group_norm", "norm_layer"]

NormName = Literal["batch", "sync_batch", "group", "layer", "instance", "switchable"]

# torch.fx (torchvision's create_feature_extractor) cannot trace an `if` on a shape: the function is a leaf to it.
torch.fx.wrap("_switchable_norm")


def norm_layer(name: NormName, *, groups: int = 32) -> Callable[[int], nn.Module]:
    """Return what ``norm_layer=`` of a network takes: a function from a number of channels to a layer.

    ==============  ====================================================================================================
    batch           BatchNorm2d: each channel over the batch and its map; running statistics in evaluation.
    sync_batch      SyncBatchNorm: the same over the batches of all processes, on GPUs; in one process BatchNorm.
    group           GroupNorm: each image, groups of channels together (Wu and He, arXiv 1803.08494).
    layer           LayerNorm2d: each place of each image over its channels, as ConvNeXt does (arXiv 2201.03545).
    instance        InstanceNorm2d with weight and bias: each channel of each image; cannot train on maps of 1x1.
    switchable      SwitchableNorm2d: a learned mixture.
    ==============  ====================================================================================================

    Args:
        name: Which one.
        groups: For "group": at most so many groups, see ``group_norm``.

    Returns:
        A function that pickles, as long as the network keeps it.

    Raises:
        ValueError: If there is no such layer, or ``groups`` is below 1.
    """
    if integer(groups, "groups") < 1:
        raise ValueError(f"expected groups of at least 1, got {groups}")
    layers: dict[NormName, Callable[[int], nn.Module]] = {
        "batch": nn.BatchNorm2d,
        "sync_batch": nn.SyncBatchNorm,
        "group": partial(group_norm, groups=groups),
        "layer": LayerNorm2d,
        "instance": partial(nn.InstanceNorm2d, affine=True),
        "switchable": SwitchableNorm2d,
    }
    if name not in layers:
        raise ValueError(f"unknown norm {name!r}; known are {', '.join(get_args(NormName))}")
    return layers[name]


def group_norm(channels: int, *, groups: int = 32) -> nn.GroupNorm:
    """Return a GroupNorm for any number of channels.

    It has the largest number of groups that divides the channels, is at most ``groups`` and leaves two channels or more
    in each: a group of one would be InstanceNorm. 64 channels or more, if divisible by 32, have 32 groups, as in the
    paper (arXiv 1803.08494); 24 have 12; a prime number has one.

    Args:
        channels: Number of channels.
        groups: At most so many groups.
    """
    most = max(1, min(groups, channels // 2))
    return nn.GroupNorm(next(count for count in range(most, 0, -1) if channels % count == 0), channels)


class SwitchableNorm2d(_NormBase):
    """Normalises by a learned mixture of instance, layer and batch statistics (Luo et al., arXiv 1806.10779).

    For the mean and for the variance each layer has three weights, a softmax of three parameters:

        y = weight * (x - sum_k w_k mean_k) / sqrt(sum_k v_k var_k + eps) + bias,    k = instance, layer, batch

    Instance statistics are of each channel of each image, layer statistics of each image over all channels and places,
    batch statistics of each channel over the batch. Variances are those of the paper, divided by the number of values
    (its released code divides the instance variance by one less, which is undefined on maps of 1x1).

    In evaluation running averages take the place of the batch statistics, kept as BatchNorm2d keeps them and under the
    same names: with all weight on the batch it is BatchNorm2d in both modes, and a BatchNorm2d's state dict fits but
    for ``mean_weight`` and ``var_weight``. The paper evaluates with averages over some batches of the finished network:
    ``momentum=None``, then ``reset_running_stats()`` and those batches in training mode.

    A training batch with one value per channel has no batch variance (BatchNorm2d refuses it): the running averages are
    used, and stay as they are. A batch of one image is otherwise nothing special; its batch statistics are its instance
    statistics. Statistics are computed in float32 at least. Batch statistics are those of a process's own images.

    Args:
        num_features: Number of channels C.
        eps: Added to the variance.
        momentum: Share of a new batch in the running averages; None averages all batches since the last reset.

    Shape:
        (N, C, H, W) float -> the same; dtype and memory format too.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(num_features, eps, momentum)
        self.mean_weight = nn.Parameter(torch.ones(3))
        self.var_weight = nn.Parameter(torch.ones(3))

    def shares(self) -> Tensor:
        """Return the weights of the mixture: (2, 3), of mean and variance; instance, layer, batch. Rows sum to 1."""
        return torch.stack([self.mean_weight, self.var_weight]).softmax(dim=1)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W).

        Raises:
            ValueError: If the shape is another.
        """
        return _switchable_norm(
            input,
            self.weight,
            self.bias,
            self.shares(),
            (self.running_mean, self.running_var, self.num_batches_tracked),
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )

    def extra_repr(self) -> str:
        """Describe the layer."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


def _switchable_norm(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    shares: Tensor,
    running: tuple[Tensor, Tensor, Tensor],
    *,
    training: bool,
    momentum: float | None,
    eps: float,
) -> Tensor:
    if input.dim() != 4 or input.shape[1] != len(weight):
        raise ValueError(f"expected maps (N, {len(weight)}, H, W), got shape {tuple(input.shape)}")
    x = input.float() if input.dtype in (torch.float16, torch.bfloat16) else input
    var, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)  # (N, C, 1, 1): instance
    layer_var, layer_mean = _pooled(var, mean, dim=1)  # (N, 1, 1, 1)
    values = input.shape[0] * input.shape[2] * input.shape[3] if training else 0
    if values > 1:
        batch_var, batch_mean = _pooled(var, mean, dim=0)  # (1, C, 1, 1)
        # BatchNorm2d's running variance is of a sample: divided by one less than the number of values.
        _average(running, batch_mean.flatten(), batch_var.flatten() * (values / (values - 1)), momentum)
    else:
        batch_mean, batch_var = (statistic.view(1, -1, 1, 1) for statistic in running[:2])
    (mean_in, mean_ln, mean_bn), (var_in, var_ln, var_bn) = shares[0].unbind(), shares[1].unbind()
    mean = mean_in * mean + mean_ln * layer_mean + mean_bn * batch_mean  # (N, C, 1, 1)
    var = var_in * var + var_ln * layer_var + var_bn * batch_var
    scale = weight.view(1, -1, 1, 1) * (var + eps).rsqrt()
    return torch.addcmul(bias.view(1, -1, 1, 1) - mean * scale, x, scale).to(input.dtype)


def _pooled(var: Tensor, mean: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Variance and mean of equally large parts together: the parts' mean variance and the variance of their means."""
    between, pooled_mean = torch.var_mean(mean, dim=dim, correction=0, keepdim=True)
    return var.mean(dim=dim, keepdim=True) + between, pooled_mean


@torch.no_grad()
def _average(running: tuple[Tensor, Tensor, Tensor], mean: Tensor, var: Tensor, momentum: float | None) -> None:
    running_mean, running_var, batches = running
    batches.add_(1)
    for average, new in ((running_mean, mean), (running_var, var)):
        step = new.to(average.dtype) - average
        average.add_(step / batches if momentum is None else step * momentum)

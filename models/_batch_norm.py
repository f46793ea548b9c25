"""Batch normalisation of pooled vectors that a training batch of one does not break."""

from torch import Tensor, nn
from torch.nn import functional


class SoloBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d that uses its running statistics for a training batch with one value per channel.

    torch refuses such a batch: its variance is undefined. Here it is normalised as in evaluation and leaves the running
    statistics as they are. ``SyncBatchNorm.convert_sync_batchnorm`` replaces this layer as it does any BatchNorm2d.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, h, w)."""
        if self.training and input.shape[0] * input.shape[2] * input.shape[3] == 1:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        return super().forward(input)

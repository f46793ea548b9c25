"""Mixup and cutmix: batches whose pictures, and whose targets, are mixtures of two."""

import torch
from torchvision.transforms import v2


class Mixing:
    """Mixes the pictures of a batch as torchvision does; the randomness is torch's.

    The DCT is linear, so mixed coefficients are those of the mixed pixels, and standardised ones too. Cutmix copies a
    box of blocks. References: arXiv 1710.09412 (mixup), 1905.04899 (cutmix).
    """

    def __init__(self, *, mixup: float, cutmix: float, num_classes: int) -> None:
        """Choose what to mix by.

        Args:
            mixup: Alpha of mixup; 0 for none.
            cutmix: Alpha of cutmix; 0 for none. With both, each batch gets one of them, by equal chances.
            num_classes: Number of classes.

        Raises:
            ValueError: If both are 0.
        """
        ways: list[v2.Transform] = []
        if mixup:
            ways.append(v2.MixUp(alpha=mixup, num_classes=num_classes))
        if cutmix:
            ways.append(v2.CutMix(alpha=cutmix, num_classes=num_classes))
        if not ways:
            raise ValueError("expected mixup or cutmix above 0, got neither")
        self._mix = v2.RandomChoice(ways)

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mix a batch.

        Args:
            images: (N, C, h, w) float32.
            labels: (N,) int64.

        Returns:
            (N, C, h, w) float32 and (N, classes) float32, rows of sum 1.
        """
        mixed, targets = self._mix(images, labels)
        return mixed, targets

"""What every function on pictures refuses, in the same words."""

import torch

_REAL = (torch.float32, torch.float64)


def check_pictures(pictures: torch.Tensor) -> None:
    """Refuse what is not a stack of pictures of real numbers.

    Raises:
        TypeError: If it is no tensor, or not of float32 or float64.
        ValueError: If it has no height or no width.
    """
    if not isinstance(pictures, torch.Tensor):
        raise TypeError(f"expected a tensor of pictures (..., H, W), got {type(pictures).__name__}")
    if pictures.dtype not in _REAL:
        raise TypeError(f"expected pictures of float32 or float64, got {pictures.dtype}: convert them with .float()")
    if pictures.ndim < 2 or not all(pictures.shape[-2:]):
        raise ValueError(f"expected pictures (..., H, W) of at least one pixel, got shape {tuple(pictures.shape)}")

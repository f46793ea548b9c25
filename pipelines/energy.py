"""Ranking by energy: each channel's share of the total variance of the dequantised coefficients."""

import numpy as np
from numpy.typing import NDArray


def share_of_variance(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each channel's share of the total variance, (C,) float64 that sums to 1.

    It knows nothing of the task: the baseline that a learned ranking has to beat.

    Args:
        variance: (C,) float64, of the dequantised coefficients.

    Raises:
        ValueError: If no channel varies.
    """
    total = variance.sum()
    if not total > 0:
        raise ValueError("expected pictures that vary, got only constant channels")
    shares: NDArray[np.float64] = variance / total
    return shares

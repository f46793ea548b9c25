"""What channels may be ranked by: 192 numbers, from whatever holds them."""

from typing import Any, Protocol

import numpy as np

from freqlearn.indexing import NUM_CHANNELS, label


class HasValues(Protocol):
    """Anything that carries importances as ``.values``, 192 numbers in channel order."""

    @property
    def values(self) -> Any:
        """Return the 192 numbers."""


def importance_values(importance: Any) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return (192,) float64 importances in channel order.

    Args:
        importance: A sequence, array or tensor of 192 finite numbers, or an object that has them as ``.values``.

    Raises:
        ValueError: If they are not 192 finite numbers.
    """
    source = getattr(importance, "values", importance)
    if callable(source):  # a mapping's or a sparse tensor's method: not what is meant
        source = importance
    detach = getattr(source, "detach", None)
    if callable(detach):  # a torch tensor: maybe on an accelerator, maybe with a gradient, maybe bfloat16
        source = detach().cpu().double()
    try:
        values = np.asarray(source, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {NUM_CHANNELS} numbers as importance, got {type(importance).__name__}") from error
    if values.shape != (NUM_CHANNELS,):
        raise ValueError(f"expected {NUM_CHANNELS} numbers as importance, got shape {values.shape}")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        first = int(bad[0])
        raise ValueError(f"expected finite importances, got {values[first]} for channel {first} = {label(first)}")
    return values

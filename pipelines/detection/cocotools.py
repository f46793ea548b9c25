"""pycocotools, which reads masks: of the extra `detection`."""

from typing import Any


def load_masks() -> Any:
    """`pycocotools.mask`.

    Raises:
        ImportError: If it is not installed; the message says how to.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise ImportError("masks and average precision need pycocotools: pip install 'freqlearn[detection]'") from error
    return mask

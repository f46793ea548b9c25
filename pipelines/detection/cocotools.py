"""pycocotools, which reads masks and computes average precision: of the extra `detection`."""

import contextlib
import io
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


def make_coco(images: list[dict[str, Any]], annotations: list[dict[str, Any]], categories: list[dict[str, Any]]) -> Any:
    """A `pycocotools.coco.COCO` of these entries, without what its constructor prints.

    Raises:
        ImportError: If pycocotools is not installed; the message says how to.
    """
    load_masks()
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
        coco.createIndex()
    return coco

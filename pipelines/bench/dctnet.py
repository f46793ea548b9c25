"""DCTNet's recipe from its published steps: pixels, resized and encoded again twice, to read coefficients from that.

After the published loader (github.com/kaix90/DCTNet, classification/datasets, written anew): OpenCV decodes and crops
to 448 px; the picture and a copy of twice its size, whose subsampled chroma has the luma's number of blocks, are
encoded at quality 100 and 4:2:0; jpeg2dct reads both; channels are chosen, joined and standardised one by one. Its
random crop for training was not published; this is torchvision's. simplejpeg encodes in place of PyTurboJPEG: both
call libjpeg-turbo.
"""

from collections.abc import Sequence

import numpy as np
import torch

from freqlearn.pipelines.bench.geometry import Geometry
from freqlearn.pipelines.bench.peers import Pass, each, require
from freqlearn.spec import InputSpec


def dctnet(geometry: Geometry, spec: InputSpec) -> Pass:
    """The recipe for a spec of kind "dct".

    Args:
        geometry: Of training or evaluation, in pixels.
        spec: Channels, means and deviations.

    Raises:
        UnavailableError: If OpenCV, simplejpeg or jpeg2dct is missing.
    """
    cv2 = require("cv2", "opencv-python-headless")
    simplejpeg = require("simplejpeg", "simplejpeg")
    loads = require("jpeg2dct.numpy", "jpeg2dct", extra="jpeg2dct").loads
    indices: Sequence[int] = spec.channels.indices if spec.channels else ()
    subsets = [[index % 64 for index in indices if index // 64 == component] for component in range(3)]

    def coefficients(pixels: np.ndarray) -> Sequence[np.ndarray]:
        encoded = simplejpeg.encode_jpeg(pixels, quality=100, colorspace="BGR", colorsubsampling="420")
        planes: Sequence[np.ndarray] = loads(encoded)
        return planes

    def work(data: bytes) -> torch.Tensor:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        top, left, height, width = geometry.box(pixels.shape[:2])
        part = pixels[top : top + height, left : left + width]
        size = geometry.size_px
        part = np.ascontiguousarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR))
        if geometry.flipped():
            part = cv2.flip(part, 1)
        y, _, _ = coefficients(part)
        _, cb, cr = coefficients(cv2.resize(part, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR))
        tensors = [torch.from_numpy(plane.transpose(2, 0, 1)).float() for plane in (y, cb, cr)]
        maps = torch.cat([tensor[subset] for tensor, subset in zip(tensors, subsets, strict=True)])
        for channel, mean, std in zip(maps, spec.mean, spec.std, strict=True):
            channel.sub_(mean).div_(std)
        return maps

    return each(lambda photo: work(photo.data))

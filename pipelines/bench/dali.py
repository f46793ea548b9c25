"""NVIDIA DALI on the CPU, in batches as it wants them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from freqlearn.pipelines.bench.geometry import MEAN, RATIO, SCALE, STD, Geometry
from freqlearn.pipelines.bench.peers import BATCH, Pass, require
from freqlearn.pipelines.bench.photos import Photo


def dali(geometry: Geometry, *, num_threads: int = 1) -> Pass:
    """Its usual pipeline for ImageNet: decode a random part, resize, mirror, standardise.

    The boxes are of the same distribution as torchvision's, but not the same ones. What it returns stays DALI's: the
    copy into a tensor that its own loader makes is not counted.

    Args:
        geometry: What to make.
        num_threads: Of the pipeline.

    Raises:
        UnavailableError: If DALI is not installed.
    """
    module = require("nvidia.dali", "nvidia-dali-cuda130")
    pipeline = _pipeline(module, geometry, num_threads)

    def run(photos: Sequence[Photo]) -> None:
        nonlocal pipeline
        for start in range(0, len(photos), BATCH):
            batch = photos[start : start + BATCH]
            try:
                pipeline.feed_input("jpegs", [np.frombuffer(photo.data, np.uint8) for photo in batch])
                pipeline.run()
            except Exception:
                pipeline = _pipeline(module, geometry, num_threads)  # one that met a bad file is of no more use
                raise

    return run


def _pipeline(module: Any, geometry: Geometry, num_threads: int) -> Any:
    fn, types = module.fn, module.types
    # No prefetching: a pass ends when its work is done.
    pipeline = module.Pipeline(
        batch_size=BATCH, num_threads=num_threads, device_id=None, seed=0, prefetch_queue_depth=1
    )
    size, rgb = geometry.size_px, types.RGB
    with pipeline:
        jpegs = fn.external_source(name="jpegs", dtype=types.UINT8, ndim=1)
        if geometry.resize_px is None:
            part = fn.decoders.image_random_crop(jpegs, output_type=rgb, random_area=SCALE, random_aspect_ratio=RATIO)
            resized = fn.resize(part, size=[size, size], interp_type=types.INTERP_LINEAR, antialias=True)
            mirror = fn.random.coin_flip(probability=0.5)
        else:
            whole = fn.decoders.image(jpegs, output_type=rgb)
            resized = fn.resize(
                whole, resize_shorter=geometry.resize_px, interp_type=types.INTERP_LINEAR, antialias=True
            )
            mirror = 0
        maps = fn.crop_mirror_normalize(
            resized,
            mirror=mirror,
            crop=(size, size),
            dtype=types.FLOAT,
            output_layout="CHW",
            mean=[255 * value for value in MEAN],
            std=[255 * value for value in STD],
        )
        pipeline.set_outputs(maps)
    pipeline.build()
    return pipeline

"""Fixtures that every test folder may use: real photos, photo-like JPEG files, an independent coefficient reader."""

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jpeg_builder import NAMED_SAMPLINGS
from PIL import Image


def pytest_configure() -> None:
    """Let Ctrl-C interrupt what the tests start, also where a shell in the background lets them ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def photos() -> Path:
    """Folder of real photos ($FREQLEARN_DATA): imagenet-sample/, flowers/, coco-seg/."""
    folder = os.environ.get("FREQLEARN_DATA")
    if not folder:
        pytest.skip("needs real photos: set FREQLEARN_DATA to their folder")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"FREQLEARN_DATA={folder} is not a folder")
    return path


def _photo_like(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8 with a photo's 1/f spectrum and its correlated colours."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    amplitude = 1 / np.maximum(frequency, 1 / max(height, width))
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((3, height, width))) * amplitude, axes=(1, 2)).real
    noise /= noise.std(axis=(1, 2), keepdims=True) + 1e-9
    light, warm, green = noise
    rgb = np.stack([light + 0.4 * warm, light + 0.3 * green, light - 0.4 * warm], axis=-1)
    return np.clip(118 + 48 * rgb + rng.normal(0, 3, rgb.shape), 0, 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def photo_like() -> Callable[..., np.ndarray]:
    """`photo_like(height, width, seed=0)`: a photo-like (height, width, 3) uint8 array."""
    return _photo_like


@pytest.fixture(scope="session")
def make_jpeg(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """`make_jpeg(height, width, ...)`: the bytes of a photo-like JPEG file.

    Options: seed, quality, sampling (of NAMED_SAMPLINGS), progressive, optimise, restart_mcus (interval, 0: none),
    exif (bytes), pixels (an array instead of the photo-like one). libjpeg-turbo writes it, through Pillow, or through
    jpeglib for the samplings that Pillow has no name for (those are baseline without restart intervals).
    """
    folder = tmp_path_factory.mktemp("jpeg")

    def make(
        height: int,
        width: int,
        *,
        seed: int = 0,
        quality: int = 85,
        sampling: str = "4:2:0",
        progressive: bool = False,
        optimise: bool = False,
        restart_mcus: int = 0,
        exif: bytes = b"",
        pixels: np.ndarray | None = None,
    ) -> bytes:
        array = _photo_like(height, width, seed) if pixels is None else pixels
        if sampling in ("4:4:4", "4:2:2", "4:2:0", "gray"):
            image = Image.fromarray(array)
            if sampling == "gray":
                image = image.convert("L")
            options = {"progressive": progressive, "optimize": optimise, "restart_marker_blocks": restart_mcus}
            if sampling != "gray":
                options["subsampling"] = sampling
            file = io.BytesIO()
            image.save(file, "JPEG", quality=quality, exif=exif, **options)
            return file.getvalue()
        if progressive or optimise or restart_mcus or exif:
            raise ValueError(f"sampling {sampling} is written by jpeglib: baseline, no options")
        jpeglib = pytest.importorskip("jpeglib")
        image = jpeglib.from_spatial(array)
        # jpeglib counts (v, h).
        image.samp_factor = tuple((v, h) for h, v in NAMED_SAMPLINGS[sampling])
        path = folder / "made.jpg"
        image.write_spatial(str(path), qt=quality)
        return path.read_bytes()

    return make


@pytest.fixture(scope="session")
def read_planes(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[bytes], tuple[list[np.ndarray], list[np.ndarray]]]:
    """`read_planes(jpeg)`: quantised planes and quantisation tables by readers that are not ours.

    Planes: (rows, cols, 8, 8) int16, natural order, from libjpeg through jpeglib. Tables: (8, 8) uint16 per plane from
    Pillow (the `qt` of jpeglib 1.0.2 is wrong under NumPy 2.4).
    """
    jpeglib = pytest.importorskip("jpeglib")
    path = tmp_path_factory.mktemp("planes") / "read.jpg"

    def read(jpeg: bytes) -> tuple[list[np.ndarray], list[np.ndarray]]:
        path.write_bytes(jpeg)
        dct = jpeglib.read_dct(str(path))
        planes = [plane for plane in (dct.Y, dct.Cb, dct.Cr, dct.K) if plane is not None]
        with Image.open(io.BytesIO(jpeg)) as image:
            tables = [np.array(image.quantization[layer[3]], np.uint16).reshape(8, 8) for layer in image.layer]
        return [np.array(plane, np.int16) for plane in planes], tables

    return read

"""Peers that read all coefficients of a file."""

import ctypes
from collections.abc import Sequence

import freqlearn as fl
from freqlearn.pipelines.bench.compiling import compile_c
from freqlearn.pipelines.bench.peers import Pass, Peer, each, require
from freqlearn.pipelines.bench.photos import Photo

READ_DCT = "freqlearn.read_dct"
LIBJPEG = "libjpeg's jpeg_read_coefficients, in C"
JPEG2DCT = "jpeg2dct.loads"


def peers() -> list[Peer]:
    """Ours first."""
    return [
        Peer(READ_DCT, lambda: each(lambda photo: fl.read_dct(photo.data, decoder="native").planes)),
        Peer(LIBJPEG, _libjpeg),
        Peer("jpeglib.read_dct", _jpeglib),
        Peer(JPEG2DCT, _jpeg2dct),
    ]


def libjpeg_version() -> str:
    """Name and version of the libjpeg that is measured.

    Raises:
        UnavailableError: If it cannot be compiled against.
    """
    library = compile_c("coefficients", "jpeg").library
    library.restype = ctypes.c_char_p
    name: bytes = library()
    return name.decode()


def _libjpeg() -> Pass:
    read = compile_c("coefficients", "jpeg").read_coefficients
    read.argtypes, read.restype = [ctypes.c_char_p, ctypes.c_ulong], ctypes.c_long

    def run(photos: Sequence[Photo]) -> None:
        for photo in photos:
            if read(photo.data, len(photo.data)) < 0:
                raise ValueError(f"{photo.path}: libjpeg refuses it")

    return run


def _jpeglib() -> Pass:
    jpeglib = require("jpeglib", "jpeglib")
    return each(lambda photo: jpeglib.read_dct(str(photo.path)))  # it reads from files only


def _jpeg2dct() -> Pass:
    loads = require("jpeg2dct.numpy", "jpeg2dct", extra="jpeg2dct").loads
    return each(lambda photo: loads(photo.data))

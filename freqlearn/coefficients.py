"""One picture's coefficients, decoded when first asked for and shared by all images made from it."""

import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

from freqlearn import decoders
from freqlearn.decoders import Decoded, JpegFile
from freqlearn.info import ColorSpace, ImageInfo, Sampling

ImageSource: TypeAlias = Literal["native", "jpeg2dct", "pixels", "planes"]


class Layout(NamedTuple):
    """A picture's shape, known before it is decoded.

    Attributes:
        size_px: (height, width).
        sampling: (h, v) per component.
        color_space: What the components are.
        orientation: EXIF orientation, 1 to 8.
    """

    size_px: tuple[int, int]
    sampling: Sampling
    color_space: ColorSpace
    orientation: int


class Coefficients:
    """A picture's layout at once, its planes on demand.

    Safe to use from many threads. Pickles the file where there is one, not its planes.

    Attributes:
        layout: The picture's shape.
        source: Which decoder the planes come from.
        file: The JPEG file; None where there is none (pixels, planes).
        info: The file's headers; None where there is no JPEG file.
        path: Where the picture came from, where known.
        original: The JPEG file's bytes that the coefficients come from, changed since or not: who writes them can keep
            its metadata. None where there is none.
    """

    __slots__ = ("_decoded", "_lock", "file", "info", "layout", "original", "path", "source")

    def __init__(
        self,
        layout: Layout,
        source: ImageSource,
        *,
        file: JpegFile | None = None,
        info: ImageInfo | None = None,
        decoded: Decoded | None = None,
        path: str | None = None,
        original: bytes | None = None,
    ) -> None:
        if file is None and decoded is None:
            raise ValueError("expected a file or decoded planes, got neither")
        self.layout = layout
        self.source = source
        self.file = file
        self.info = info
        self.path = path
        self.original = file.data if file is not None else original
        self._decoded = decoded
        self._lock = threading.Lock()

    @classmethod
    def of_file(cls, file: JpegFile, info: ImageInfo) -> "Coefficients":
        """Coefficients of a JPEG file whose headers are read."""
        layout = Layout(info.size_px, info.sampling, info.color_space, info.orientation)
        return cls(layout, file.decoder, file=file, info=info, path=file.path)

    @property
    def is_decoded(self) -> bool:
        """Whether the planes are there already."""
        return self._decoded is not None

    def decoded(self) -> Decoded:
        """The planes; the first call decodes them.

        Raises:
            JpegError: If the file turns out to be damaged.
        """
        decoded = self._decoded
        if decoded is None:
            with self._lock:
                decoded = self._decoded
                if decoded is None and self.file is not None:
                    decoded = self._decoded = decoders.decode(self.file)
        return decoded  # type: ignore[return-value]  # one of the two is there, see __init__

    def __reduce__(self) -> tuple[Callable[..., "Coefficients"], tuple[Any, ...]]:
        if self.file is not None:
            # Not the planes: they are larger than the file and come back by decoding. Not FileBytes: the path is there.
            return Coefficients.of_file, (self.file._replace(data=bytes(self.file.data)), self.info)
        original = None if self.original is None else bytes(self.original)
        return _restore, (self.layout, self.source, self.decoded(), self.path, original)


def _restore(
    layout: Layout, source: ImageSource, decoded: Decoded, path: str | None, original: bytes | None
) -> Coefficients:
    for array in (*decoded.planes, *decoded.quant_tables):
        decoders.frozen(array)  # arrays come back from pickling writable
    return Coefficients(layout, source, decoded=decoded, path=path, original=original)

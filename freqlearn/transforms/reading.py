"""From bytes to a DCTImage."""

from typing import Any

from torch import nn

from freqlearn.image import DCTImage
from freqlearn.reading import read_dct


class ReadDCT(nn.Module):
    """Read the coefficients of a picture: bytes, path, array, PIL image, ... as `freqlearn.read_dct` takes them.

    With several arguments (a torchvision dataset's `transforms=`) the first one is read and the others pass through.
    A DCTImage passes through, so that a pipeline takes it too.

    Args:
        decoder: "auto", "native", "jpeg2dct" or "pixels".
        strict: whether a damaged file is an error; otherwise what could be read is kept.
        max_pixels: larger pictures are refused before anything is allocated; None: `read_dct`'s default.
    """

    def __init__(self, *, decoder: str = "auto", strict: bool = True, max_pixels: int | None = None) -> None:
        super().__init__()
        self.decoder = decoder
        self.strict = strict
        self.max_pixels = max_pixels

    def forward(self, source: Any, *others: Any) -> Any:
        """Read `source`.

        Raises:
            JpegError: if the file is damaged or unsupported.
        """
        img = source if isinstance(source, DCTImage) else self._read(source)
        return (img, *others) if others else img

    def _read(self, source: Any) -> DCTImage:
        limit = {} if self.max_pixels is None else {"max_pixels": self.max_pixels}
        return read_dct(source, decoder=self.decoder, strict=self.strict, **limit)

    def extra_repr(self) -> str:
        """The options."""
        return f"decoder={self.decoder!r}, strict={self.strict}, max_pixels={self.max_pixels}"

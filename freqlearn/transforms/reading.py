"""From bytes to a DCTImage."""

from typing import Any

from torch import nn

from freqlearn.image import DCTImage
from freqlearn.reading import DEFAULT_MAX_PIXELS, Decoder, read_dct


class ReadDCT(nn.Module):
    """Read the coefficients of a picture: bytes, path, array, PIL image, ... as `freqlearn.read_dct` takes them.

    With several arguments (a torchvision dataset's `transforms=`) the first one is read and the others pass through.
    A DCTImage passes through, so that a pipeline takes it too.

    Args:
        decoder: "auto", "native", "jpeg2dct" or "pixels".
        strict: whether a damaged file is an error; otherwise what could be read is kept.
        max_pixels: larger pictures are refused before anything is allocated.
    """

    def __init__(self, *, decoder: Decoder = "auto", strict: bool = True, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        super().__init__()
        self.decoder = decoder
        self.strict = strict
        self.max_pixels = max_pixels

    def forward(self, source: Any, *others: Any) -> Any:
        """Read `source`.

        Raises:
            JpegError: if the file is damaged or unsupported.
        """
        if isinstance(source, DCTImage):
            img = source
        else:
            img = read_dct(source, decoder=self.decoder, strict=self.strict, max_pixels=self.max_pixels)
        return (img, *others) if others else img

    def extra_repr(self) -> str:
        """The options."""
        return f"decoder={self.decoder!r}, strict={self.strict}, max_pixels={self.max_pixels}"

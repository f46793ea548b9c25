"""What can be wrong with one packed picture: by itself, and held against its photo."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from freqlearn import presets
from freqlearn.image import DCTImage
from freqlearn.indexing import label
from freqlearn.packed_set import PackedSet
from freqlearn.pipelines.data import reason
from freqlearn.reading import read_bytes, read_dct
from freqlearn.repacking import LONGEST_PX, PACKED_FACTORS, file_channels
from freqlearn.spec import InputSpec

# What float32 may add to half a quantisation step, in dequantised units: sums of some dozen values of up to 1024.
_FLOAT32 = 5e-3


class PictureChecks:
    """Names what is wrong with pictures of a packed set; safe to use from many threads."""

    def __init__(self, packed: PackedSet) -> None:
        """Check pictures of this set."""
        packing, spec = packed.packing, packed.spec
        self._short_side_px, self._crop_px = packing.short_side_px, spec.size_px
        self._factors = PACKED_FACTORS[packing.sampling]
        self._tables = packing.tables
        self._absent = ~file_channels(packing.channels, packing.sampling).mask().reshape(3, 8, 8)
        seen = InputSpec.unstandardised(packing.channels, spec.size_px, spec.resize_px)
        self._evaluation = presets.classification_eval(seen)
        steps = np.stack(packing.tables).reshape(-1)[list(packing.channels)]
        # With halved chroma Y alone is as evaluation sees it.
        compared = [i for i, index in enumerate(packing.channels) if index < 64 or packing.sampling == "4:4:4"]
        self._compared = np.array(compared, np.intp)
        self._bound = steps[compared].astype(np.float64) / 2 + _FLOAT32
        self._names = [label(packing.channels[i]) for i in compared]

    def faults(self, jpeg: bytes) -> list[str]:
        """What is wrong with a picture's file."""
        try:
            # A set may come from anywhere: no picture of another size is worth the memory.
            img = read_dct(jpeg, decoder="native", max_pixels=self._short_side_px * LONGEST_PX)
            complaints = img.warnings  # decodes it
        except (ValueError, OSError) as error:
            return [f"expected a JPEG file that can be decoded: {reason(error)}"]
        return [*complaints, *self._of_shape(img), *self._of_coefficients(img)]

    def is_enlarged(self, photo: DCTImage) -> bool:
        """Whether evaluation enlarges a photo."""
        return min(photo.size_px) < self._short_side_px

    def difference(self, jpeg: bytes, path: Path) -> tuple[list[str], bool]:
        """What evaluation sees otherwise than of the photo, beyond rounding; and whether it enlarges the photo."""
        try:
            photo = read_dct(read_bytes(path))
            seen, expected = (self._evaluation(one).numpy()[self._compared] for one in (jpeg, photo))
        except (ValueError, OSError) as error:
            return [f"cannot be held against {path}: {reason(error)}"], False
        largest = np.abs(seen - expected).max(axis=(1, 2), initial=0.0)
        worst = int(np.argmax(largest - self._bound)) if len(largest) else 0
        if len(largest) and not largest[worst] <= self._bound[worst]:
            return [
                f"expected what evaluation sees of {path}, but {self._names[worst]} differs by {largest[worst]:.4g}, "
                f"and rounding explains {self._bound[worst]:.4g}"
            ], self.is_enlarged(photo)
        return [], self.is_enlarged(photo)

    def _of_shape(self, img: DCTImage) -> Iterator[str]:
        height, width = img.size_px
        short, unit = self._short_side_px, 16
        if min(height, width) != short or any((side - self._crop_px) % unit for side in (height, width)):
            yield (
                f"expected a short side of {short} px and sides of {self._crop_px} px and a multiple of {unit}, got "
                f"{height}x{width} px (height x width)"
            )
        if img.color_space not in ("gray", "YCbCr"):
            yield f"expected gray or YCbCr, got {img.color_space}"
        elif img.color_space == "YCbCr" and img.sampling != self._factors:
            yield f"expected sampling factors {self._factors}, got {img.sampling}"

    def _of_coefficients(self, img: DCTImage) -> Iterator[str]:
        for number, (table, expected) in enumerate(zip(img.quant_tables, self._tables, strict=False)):
            if not np.array_equal(table, expected):
                yield f"expected the index's quantisation table of component {number}, got another"
        for number, (plane, absent) in enumerate(zip(img.planes, self._absent, strict=False)):
            found = plane.any(axis=(0, 1)) & absent
            if found.any():
                named = ", ".join(label(64 * number + int(place)) for place in np.flatnonzero(found)[:4])
                yield f"expected zero for channels that the index does not name, got others: {named}"

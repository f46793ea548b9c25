"""Which part of the stored picture is shown, at which size: integer boxes, one optional resize, one window."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels: rows `top` to `bottom`, columns `left` to `right`, ends excluded."""

    top: int
    left: int
    height: int
    width: int

    def __str__(self) -> str:
        # As X geometry strings and ImageMagick have it.
        return f"{self.width}x{self.height}{self.left:+}{self.top:+}"

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """First column right of the box."""
        return self.left + self.width

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def shifted(self, down: int, right: int) -> "Box":
        """The box, moved."""
        return Box(self.top + down, self.left + right, self.height, self.width)

    def transposed(self) -> "Box":
        """The box in the picture mirrored about its main diagonal."""
        return Box(self.left, self.top, self.width, self.height)

    def scaled(self, factor: int) -> "Box":
        """The box in the picture enlarged by a whole factor."""
        return Box(factor * self.top, factor * self.left, factor * self.height, factor * self.width)

    def contains(self, other: "Box") -> bool:
        """Whether `other` lies inside this box."""
        return (
            self.top <= other.top
            and self.left <= other.left
            and other.bottom <= self.bottom
            and other.right <= self.right
        )

    def holds(self, part: "Box") -> bool:
        """Whether `part`, given in pixels of this box, lies inside it."""
        return part.top >= 0 and part.left >= 0 and part.bottom <= self.height and part.right <= self.width

    def intersection(self, other: "Box") -> "Box":
        """The common part; of zero height or width (or both) where there is none."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        height = max(0, min(self.bottom, other.bottom) - top)
        width = max(0, min(self.right, other.right) - left)
        return Box(top, left, height, width)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Crop, then at most one resize, then a window, all in the stored picture's own orientation.

    Attributes:
        box: what is cut out of the stored picture, in its pixels. Always inside the picture.
        resized_px: (height, width) that the box is resized to; None while nothing was resized.
        window: the part of the resized box that is shown. May reach beyond it: that is padding.
        visible: the part of the window that shows picture; the rest of the window is padding.
    """

    box: Box
    resized_px: tuple[int, int] | None
    window: Box
    visible: Box

    @classmethod
    def whole(cls, size_px: tuple[int, int]) -> "Geometry":
        """All of a picture of `size_px` (height, width), unchanged."""
        box = Box(0, 0, *size_px)
        return cls(box, None, box, box)

    @classmethod
    def _of_box(cls, box: Box, resized_px: tuple[int, int] | None) -> "Geometry":
        shown = Box(0, 0, *(resized_px or box.size_px))
        return cls(box, resized_px, shown, shown)

    @property
    def scaled_px(self) -> tuple[int, int]:
        """(height, width) of the box after the resize."""
        return self.resized_px or self.box.size_px

    @property
    def is_resampled(self) -> bool:
        """Whether the resize changes the size."""
        return self.scaled_px != self.box.size_px

    @property
    def is_padded(self) -> bool:
        """Whether the window shows anything but picture."""
        return not self.visible.contains(self.window)

    def shows_all_of(self, size_px: tuple[int, int]) -> bool:
        """Whether a picture of `size_px` is shown as it is."""
        whole = Box(0, 0, *size_px)
        return self.box == self.window == self.visible == whole and not self.is_resampled

    def crop(self, box: Box) -> "Geometry":
        """Show only `box`, given in pixels of the present window; beyond the window there is padding.

        Before a resize this moves the crop box, after it only the window: the pixels outside the window still
        count at its border, as in a pixel pipeline that resizes first.
        """
        if self.resized_px is None and self.window.holds(box):
            return self._of_box(box.shifted(self.box.top, self.box.left), None)
        window = box.shifted(self.window.top, self.window.left)
        return Geometry(
            box=self.box,
            resized_px=self.scaled_px,
            window=window,
            visible=self.visible.intersection(self.window).intersection(window),
        )

    def upscale(self, factor: int) -> "Geometry":
        """The same part of the picture, enlarged by a whole factor: one resize, to a larger size."""
        height, width = self.scaled_px
        return Geometry(
            box=self.box,
            resized_px=(factor * height, factor * width),
            window=self.window.scaled(factor),
            visible=self.visible.scaled(factor),
        )

    def resize(self, size_px: tuple[int, int]) -> "Geometry":
        """Resize what is shown to `size_px` (height, width).

        Raises:
            ValueError: if it was resized before, or padded. One antialiased resize is one banded matrix; two in a
                row, or one across padding, are not what the plan can hold.
        """
        if size_px == self.window.size_px:
            return self if self.resized_px is not None else replace(self, resized_px=size_px)
        if self.is_padded:
            raise ValueError(
                f"cannot resize to {size_px}: the picture is already padded (window {self.window} around picture "
                f"{self.visible}). Resize first and crop afterwards, or crop inside the picture."
            )
        if self.is_resampled:
            raise ValueError(
                f"cannot resize to {size_px}: the picture is already resized from {self.box.size_px} to "
                f"{self.scaled_px}, and a plan holds one resize. Keep one of Resize and RandomResizedCrop."
            )
        return self._of_box(self.window.shifted(self.box.top, self.box.left), size_px)

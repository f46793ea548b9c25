"""What is still to be done to a picture: the pending geometry and colour of a DCTImage.

Transforms do not touch coefficients; each returns an image with a longer plan, and `freqlearn.operator` carries out the
whole of it at once. Everything here is arithmetic on a few integers.
"""

from dataclasses import dataclass, field, replace

from freqlearn.color import Brightness, ColorStep, Contrast, Fill, Hue, Saturation
from freqlearn.dct import BLOCK
from freqlearn.geometry import Box, Geometry
from freqlearn.indexing import integer

# EXIF orientation (tag 0x0112) -> (transpose, then flip horizontally, then flip vertically). The same pictures as
# PIL.ImageOps.exif_transpose: 6 is "rotate 90 degrees clockwise to view", 8 counter-clockwise.
_EXIF_STEPS: dict[int, tuple[bool, bool, bool]] = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Pending operations on a picture, in the order of the calls that added them.

    Boxes and sizes in the methods' arguments are in the *logical* picture, the one a viewer would see at that point.
    The fields hold them in the stored picture's frame; the transposition and the flips come last, transposition
    first. That is exact: resizing and cropping commute with mirroring.

    Attributes:
        size_px: (height, width) of the stored picture.
        geometry: crop box, resized size and window, in the stored picture's frame.
        transposed: whether rows and columns are exchanged.
        flip_horizontal: whether left and right are exchanged (after the transposition).
        flip_vertical: whether top and bottom are exchanged (after the transposition).
        oriented: whether the EXIF orientation is already part of the plan; it applies once.
        colors: colour steps and fill values, in order.
        resized_turned: how the picture was turned when it was resized; (transposed, flip_horizontal, flip_vertical).
            To a picture that is one, but not to masks: the nearest pixel is not the nearest of the mirrored mask.
    """

    size_px: tuple[int, int]
    geometry: Geometry
    transposed: bool = False
    flip_horizontal: bool = False
    flip_vertical: bool = False
    oriented: bool = False
    colors: tuple[ColorStep, ...] = ()
    resized_turned: tuple[bool, bool, bool] = field(default=(False, False, False), compare=False, repr=False)

    @classmethod
    def identity(cls, size_px: tuple[int, int]) -> "Plan":
        """The plan that leaves a picture of `size_px` (height, width) as it is."""
        height, width = size_px
        if height < 1 or width < 1:
            raise ValueError(f"expected a picture of at least 1x1 px, got (height, width) = {size_px}")
        return cls(size_px=(height, width), geometry=Geometry.whole((height, width)))

    @property
    def turned(self) -> tuple[bool, bool, bool]:
        """(transposed, flip_horizontal, flip_vertical)."""
        return self.transposed, self.flip_horizontal, self.flip_vertical

    @property
    def is_identity(self) -> bool:
        """Whether the plan changes nothing."""
        return not any(self.turned) and not self.colors and self.geometry.shows_all_of(self.size_px)

    @property
    def output_size(self) -> tuple[int, int]:
        """(height, width) of the logical picture after the plan, in px."""
        height, width = self.geometry.window.size_px
        return (width, height) if self.transposed else (height, width)

    @property
    def output_blocks(self) -> tuple[int, int]:
        """(height, width) of the logical picture after the plan, in blocks.

        Raises:
            ValueError: if it is not whole blocks of 8x8 px.
        """
        height, width = self.output_size
        if height % BLOCK or width % BLOCK:
            whole = (-(-height // BLOCK) * BLOCK, -(-width // BLOCK) * BLOCK)
            raise ValueError(
                f"expected a picture of whole 8x8 blocks, got {height}x{width} px (height x width) after its "
                f"transforms; end with a crop or resize to multiples of 8, for instance CenterCrop({whole}), or let "
                'ToFrequencyTensor(spec, pad="mean") extend it with one colour'
            )
        return height // BLOCK, width // BLOCK

    @property
    def box(self) -> Box:
        """The crop box in the stored picture, before any resize, flip or transposition."""
        return self.geometry.box

    @property
    def resized_px(self) -> tuple[int, int] | None:
        """(height, width) that the crop box is resized to, in the stored picture's frame; None: not resized."""
        return self.geometry.resized_px

    @property
    def window(self) -> Box:
        """The part of the resized crop box that is shown, in the stored picture's frame."""
        return self.geometry.window

    def crop(
        self,
        *,
        top: int,
        left: int,
        height: int,
        width: int,
        fill: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> "Plan":
        """Cut a box out of the logical picture; where it reaches beyond the picture, there is padding.

        Args:
            top: first row; may be negative.
            left: first column; may be negative.
            height: in px, at least 1.
            width: in px, at least 1.
            fill: RGB (0..255) of the padding. Colour steps added later change it like the picture.

        Raises:
            ValueError: if the box is empty, or padding would be added around padding of another colour.
        """
        if height < 1 or width < 1:
            raise ValueError(f"expected a crop of at least 1x1 px, got height {height}, width {width}")
        stored = self._stored(Box(top, left, height, width))
        pads = not self.geometry.window.holds(stored)
        return self._showing(self.geometry.crop(stored), self._colors_with_fill(fill) if pads else self.colors)

    def to_whole_blocks(self, fill: tuple[float, float, float] | None = None) -> "Plan":
        """The plan, its picture extended below and at the right to multiples of 8.

        Args:
            fill: RGB (0..255) of what is added, as in `crop`; None where that means nothing.

        Raises:
            ValueError: if there is padding of another colour already.
        """
        height, width = (-(-side // BLOCK) * BLOCK for side in self.output_size)
        if fill is not None:
            return (
                self
                if (height, width) == self.output_size
                else self.crop(top=0, left=0, height=height, width=width, fill=fill)
            )
        return self._showing(self.geometry.crop(self._stored(Box(0, 0, height, width))), self.colors)

    def resize(self, height: int, width: int) -> "Plan":
        """Resize the logical picture, antialiased bilinear.

        Raises:
            ValueError: if a size is below 1, or the picture was resized or padded before.
        """
        if height < 1 or width < 1:
            raise ValueError(f"expected a size of at least 1x1 px, got height {height}, width {width}")
        size_px = (width, height) if self.transposed else (height, width)
        resized = self._showing(self.geometry.resize(size_px), self.colors)
        return resized if self.geometry.is_resampled else replace(resized, resized_turned=self.turned)

    def upscale(self, factor: int) -> "Plan":
        """Enlarge the logical picture by a whole factor: the same view, in one resampling from the stored picture.

        It may come after a resize, which it makes larger. Colour steps stay as they are: contrast blends with the mean
        gray of the picture at its step, whatever the picture's size.

        Raises:
            ValueError: if the factor is no whole number of at least 1.
        """
        if integer(factor, "factor") < 1:
            raise ValueError(f"expected a whole factor of at least 1 to enlarge the picture by, got {factor}")
        return self if factor == 1 else self._showing(self.geometry.upscale(factor), self.colors)

    def hflip(self) -> "Plan":
        """Exchange left and right."""
        return replace(self, flip_horizontal=not self.flip_horizontal)

    def vflip(self) -> "Plan":
        """Exchange top and bottom."""
        return replace(self, flip_vertical=not self.flip_vertical)

    def transpose(self) -> "Plan":
        """Exchange rows and columns of the logical picture."""
        return replace(
            self,
            transposed=not self.transposed,
            flip_horizontal=self.flip_vertical,
            flip_vertical=self.flip_horizontal,
        )

    def orient(self, orientation: int) -> "Plan":
        """Turn the picture upright by its EXIF orientation, 1 to 8; a second call changes nothing."""
        if orientation not in _EXIF_STEPS:
            raise ValueError(f"expected an EXIF orientation of 1 to 8, got {orientation}")
        if self.oriented:
            return self
        transpose, flip_horizontal, flip_vertical = _EXIF_STEPS[orientation]
        plan = self.transpose() if transpose else self
        plan = plan.hflip() if flip_horizontal else plan
        plan = plan.vflip() if flip_vertical else plan
        return replace(plan, oriented=True)

    def __str__(self) -> str:
        if self.is_identity:
            return "nothing"
        resized_px = self.resized_px if self.geometry.is_resampled else None
        steps = [
            f"crop {self.box}" if self.box != Box(0, 0, *self.size_px) else "",
            f"resize to {resized_px[1]}x{resized_px[0]} px" if resized_px else "",
            f"show {self.window}" if self.window != Box(0, 0, *self.geometry.scaled_px) else "",
            "transpose" if self.transposed else "",
            "flip left-right" if self.flip_horizontal else "",
            "flip top-bottom" if self.flip_vertical else "",
            *(str(color) for color in self.colors),
        ]
        return ", ".join(step for step in steps if step)

    def brightness(self, factor: float) -> "Plan":
        """Multiply RGB by `factor`, 0 or more."""
        _check_factor("brightness", factor)
        return self._with_color(Brightness(factor), changes=factor != 1.0)

    def contrast(self, factor: float) -> "Plan":
        """Blend with the mean gray of the picture as it is at this point, 0 or more; 0 is all gray, 1 no change."""
        _check_factor("contrast", factor)
        return self._with_color(Contrast(factor, self.geometry), changes=factor != 1.0)

    def saturation(self, factor: float) -> "Plan":
        """Blend with the gray picture, 0 or more; 0 is all gray, 1 no change."""
        _check_factor("saturation", factor)
        return self._with_color(Saturation(factor), changes=factor != 1.0)

    def hue(self, factor: float) -> "Plan":
        """Rotate the colours by `factor` turns, -0.5 to 0.5."""
        if not -0.5 <= factor <= 0.5:
            raise ValueError(f"expected a hue factor of -0.5 to 0.5 turns, got {factor}")
        return self._with_color(Hue(factor), changes=factor != 0.0)

    def _showing(self, geometry: Geometry, colors: tuple[ColorStep, ...]) -> "Plan":
        # What `replace` does, in a third of its time: a loader does it twice an image.
        return Plan(self.size_px, geometry, *self.turned, self.oriented, colors, self.resized_turned)

    def _with_color(self, step: ColorStep, *, changes: bool) -> "Plan":
        return replace(self, colors=(*self.colors, step)) if changes else self

    def _stored(self, box: Box) -> Box:
        """A box of the logical picture in the stored frame (relative to the window)."""
        if self.flip_vertical or self.flip_horizontal:
            height, width = self.output_size
            top = height - box.bottom if self.flip_vertical else box.top
            left = width - box.right if self.flip_horizontal else box.left
            box = Box(top, left, box.height, box.width)
        return box.transposed() if self.transposed else box

    def _colors_with_fill(self, fill: tuple[float, float, float]) -> tuple[ColorStep, ...]:
        if self.geometry.is_padded:
            if self.colors and self.colors[-1] == Fill(fill):
                return self.colors
            raise ValueError(
                f"cannot pad with {fill}: the picture is already padded, with another colour or before a colour "
                "change, and a plan holds one. Pad once, in the last crop."
            )
        return (*self.colors, Fill(fill))


def _check_factor(name: str, factor: float) -> None:
    if not 0.0 <= factor < float("inf"):
        raise ValueError(f"expected a finite {name} factor of 0 or more, got {factor}")

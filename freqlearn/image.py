"""DCTImage: a picture as the 8x8 DCT coefficients that its JPEG file holds."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from freqlearn import rendering
from freqlearn.coefficients import Coefficients, ImageSource
from freqlearn.decoders import JpegFile
from freqlearn.encoding import Subsampling, encode
from freqlearn.info import ColorSpace, ImageInfo, Sampling, component_size, describe_layout
from freqlearn.keeping import kept
from freqlearn.plan import Plan
from freqlearn.planes import checked_planes
from freqlearn.spec import InputSpec
from freqlearn.ycbcr import Three, rgb_to_ycbcr


class DCTImage:
    """A picture's coefficients, and what is still to be done to it.

    Immutable, and lazy: headers are read at once, planes at first access, and transforms only add to `plan`. Read one
    with `freqlearn.read_dct`, or make one with `DCTImage.from_rgb` or `DCTImage.from_planes`.

    A damaged JPEG file whose end is present shows only when it is decoded: `planes`, `quant_tables`, `complete`,
    `warnings`, `dequantised()` and `to_rgb()` decode, and may raise `JpegError`; everything else does not.
    """

    __slots__ = ("_coefficients", "_plan")
    _coefficients: Coefficients
    _plan: Plan

    def __init__(self, coefficients: Coefficients, plan: Plan | None = None) -> None:
        """For the package's own use: see `freqlearn.read_dct` and `DCTImage.from_planes`."""
        object.__setattr__(self, "_coefficients", coefficients)
        object.__setattr__(self, "_plan", plan or Plan.identity(coefficients.layout.size_px))

    @classmethod
    def from_planes(
        cls,
        planes: Sequence[NDArray[Any]],
        quant_tables: Sequence[NDArray[Any]] | None = None,
        *,
        size_px: tuple[int, int],
        sampling: Sequence[tuple[int, int]] | None = None,
        color_space: ColorSpace | None = None,
        orientation: int = 1,
    ) -> "DCTImage":
        """An image of given coefficients, which are copied.

        Args:
            planes: (rows, cols, 8, 8) per component, natural order: int16 quantised, or float32.
            quant_tables: (8, 8) integers in 1..65535 per component; all ones by default.
            size_px: (height, width) of the picture.
            sampling: (h, v) per component, 1 to 4 each; all (1, 1) by default.
            color_space: "gray" (default for one component), "YCbCr" (for three), "RGB", "CMYK", "YCCK" or "unknown".
            orientation: EXIF orientation, 1 to 8.

        Raises:
            TypeError: If a plane is neither int16 nor float32, or a table does not hold integers.
            ValueError: If numbers of components or shapes do not agree, or a value is out of range.
        """
        layout, decoded = checked_planes(planes, quant_tables, size_px, sampling, color_space, orientation)
        return cls(Coefficients(layout, "planes", decoded=decoded))

    @classmethod
    def from_rgb(
        cls,
        pixels: NDArray[np.uint8],
        *,
        quality: int | None = None,
        quant_tables: Sequence[NDArray[Any]] | None = None,
        sampling: Subsampling | Sequence[tuple[int, int]] = "4:2:0",
        channels: Iterable[int] | None = None,
    ) -> "DCTImage":
        """Encode pixels as JPEG does, up to the quantised coefficients, and compute only the channels that are wanted.

        The coefficients are those of `cjpeg -dct float`: the same rounded colours, downsampled chroma and repeated
        edges, and the same float32 operations, on every processor. libjpeg-turbo's vector code for x86 gives equal
        ones; libjpeg's portable code rounds a few that lie halfway between two numbers the other way.

        Args:
            pixels: (H, W, 3) RGB or (H, W) gray uint8, in any memory layout.
            quality: libjpeg's, 1 to 100, with the quantisation tables of JPEG's annex K; 75 if nothing is said.
            quant_tables: Instead of a quality, (8, 8) integers in 1..65535 per component, natural order.
            sampling: "4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1" or "4:1:0", or (h, v) per component as in another
                image's `sampling`. Gray has none.
            channels: Those to compute, a ChannelSet or numbers 64*component + 8*v + u; all others are zero. The ones
                that are computed equal those of the whole. All by default.

        Returns:
            An image of int16 planes; `source` is "planes".

        Raises:
            TypeError: If the pixels are not a uint8 array, or a number is not an integer.
            ValueError: If shapes do not agree, a value is out of range, a side is above 65,535 px, or quality and
                tables are both given.
        """
        return cls(encode(pixels, quality=quality, quant_tables=quant_tables, sampling=sampling, channels=channels))

    @property
    def planes(self) -> tuple[NDArray[Any], ...]:
        """(rows, cols, 8, 8) per component as stored in the file, natural order, read-only: int16 quantised.

        float32 where `source` is "pixels". Block counts are those of the component's true size, without MCU padding.
        Decodes the file at first access.
        """
        return self._coefficients.decoded().planes

    @property
    def quant_tables(self) -> tuple[NDArray[np.uint16], ...]:
        """(8, 8) uint16 per plane, natural order, read-only; all ones for pixels. Decodes the file at first access."""
        return self._coefficients.decoded().quant_tables

    @property
    def complete(self) -> bool:
        """False if data was missing or damaged, which only `strict=False` allows. Decodes the file at first access."""
        return self._coefficients.decoded().complete

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the file. Decodes it at first access."""
        return self._coefficients.decoded().warnings

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width) of the file's picture, before the plan; `plan.output_size` is the size after it."""
        return self._coefficients.layout.size_px

    @property
    def sampling(self) -> Sampling:
        """(h, v) sampling factors per plane, as in the file."""
        return self._coefficients.layout.sampling

    @property
    def color_space(self) -> ColorSpace:
        """What the planes are: "gray", "YCbCr", "RGB", "CMYK", "YCCK" or "unknown"."""
        return self._coefficients.layout.color_space

    @property
    def orientation(self) -> int:
        """EXIF orientation, 1 to 8, not applied; 1 where the file has none."""
        return self._coefficients.layout.orientation

    @property
    def source(self) -> ImageSource:
        """Where the planes come from: decoder "native", "jpeg2dct" or "pixels", or "planes" (in memory)."""
        return self._coefficients.source

    @property
    def info(self) -> ImageInfo | None:
        """The JPEG file's headers; None where `source` is "pixels" or "planes"."""
        return self._coefficients.info

    @property
    def jpeg(self) -> bytes | None:
        """The JPEG file's bytes; None where `source` is "pixels" or "planes"."""
        file = self._coefficients.file
        return None if file is None else file.data

    @property
    def original_jpeg(self) -> bytes | None:
        """The bytes of the JPEG file that the picture comes from, also if less is kept of it; None if there is none.

        Its metadata are the picture's; its coefficients may be others.
        """
        return self._coefficients.original

    @property
    def path(self) -> str | None:
        """Where the picture came from, where known."""
        return self._coefficients.path

    @property
    def undecoded_file(self) -> JpegFile | None:
        """The file, where the native operator can take what it needs straight from the bytes; else there are planes.

        None for planes that are in memory, and for files whose damage is to be left out (`strict=False`).
        """
        file = self._coefficients.file
        if file is None or self._coefficients.is_decoded or not file.strict or file.decoder != "native":
            return None
        return file

    @property
    def is_decoded(self) -> bool:
        """Whether the planes are in memory."""
        return self._coefficients.is_decoded

    @property
    def nbytes(self) -> int:
        """Bytes that the planes take in memory, decoded or not."""
        if self.jpeg is None:
            return sum(plane.nbytes for plane in self.planes)
        sizes = [component_size(self.size_px, self.sampling, i) for i in range(len(self.sampling))]
        blocks = sum(-(-height // 8) * -(-width // 8) for height, width in sizes)
        return blocks * 64 * np.dtype(np.int16).itemsize

    @property
    def plan(self) -> Plan:
        """What is still to be done: crop, resize, window, flips, colour."""
        return self._plan

    def with_plan(self, plan: Plan) -> "DCTImage":
        """The same data, shared, with another plan.

        Raises:
            TypeError: If it is not a Plan.
            ValueError: If the plan is for a picture of another size.
        """
        if not isinstance(plan, Plan):
            raise TypeError(f"expected a Plan, got {type(plan).__name__}")
        if plan.size_px != self.size_px:
            raise ValueError(
                f"expected a plan for a picture of (height, width) = {self.size_px}, got one for {plan.size_px}: start "
                "from the image's own plan, or from Plan.identity(image.size_px)"
            )
        return DCTImage(self._coefficients, plan)

    def keep(self, channels: Iterable[int]) -> "DCTImage":
        """The file's picture with every other coefficient zero; the plan stays.

        Literal: these are the file's channels. After a resize a model's channels are mixtures of several of the file's,
        of higher ones too, so that it may miss more than the numbers say.

        What is kept is exact. The rest is gone from the new image: only this one, or its file, brings it back. Decodes
        the file.

        Args:
            channels: Those to keep, a ChannelSet or numbers 64*component + 8*v + u. Gray has those of Y only.

        Returns:
            A new image with planes in memory (`source` is "planes"), and the same tables, sampling and orientation.

        Raises:
            JpegError: If the file turns out to be damaged.
            TypeError: If a channel is not an integer.
            ValueError: If the planes are neither gray nor Y, Cb and Cr, or the channels are not a valid set.
        """
        return DCTImage(kept(self._coefficients, channels), self._plan)

    def keep_visible(
        self,
        spec: InputSpec,
        *,
        tolerance: float = 0.0,
        negligible: float = 0.0,
        whole_picture: bool = False,
        exif_orientation: bool = False,
    ) -> "DCTImage":
        """The file's picture with every coefficient zero that a model's evaluation does not weigh; the plan stays.

        Evaluation is `presets.classification_eval(spec)`: of the new image and of this one it makes the same tensor, to
        the bit, if it has the same tolerance and orientation and nothing is negligible. A random crop may weigh what is
        gone.

        What is kept is exact. The rest is gone from the new image: only this one, or its file, brings it back. Decodes
        the file.

        Args:
            spec: What the model expects, of kind "dct".
            tolerance: As in `transforms.ToFrequencyTensor`: an AC coefficient goes from all blocks if one step of its
                quantisation in every block changes no value of the tensor by as much as this, in dequantised units. 0:
                only what has no weight at all, which after a resize is little but what lies outside of the crop. Stay
                well below 1: a coefficient goes however many steps it has, so of files of fine steps the strong ones.
            negligible: An AC coefficient goes from its block if it alone changes no value of the tensor by as much as
                this, in dequantised units, before standardising. Saves more for the same error than a tolerance; many
                that are small add up to a few times as much.
            whole_picture: Keep the same coefficients in the blocks that the centre crop does not touch as well.
            exif_orientation: Whether evaluation turns pictures upright first.

        Returns:
            A new image with planes in memory (`source` is "planes"), and the same tables, sampling and orientation.

        Raises:
            JpegError: If the file turns out to be damaged.
            TypeError: If `spec` is no InputSpec, or `tolerance` or `negligible` no number.
            ValueError: If the spec is of kind "rgb", a number out of range, or the picture is none that evaluation
                takes: its planes are not gray, YCbCr or equally sampled RGB, or it is too small and nothing resizes it.
        """
        # The operator needs torch, which a plain decode does not.
        from freqlearn.visibility import visible

        left = visible(
            self._coefficients,
            spec,
            tolerance=tolerance,
            negligible=negligible,
            whole_picture=whole_picture,
            exif_orientation=exif_orientation,
        )
        return DCTImage(left, self._plan)

    def dequantised(self) -> Three:
        """Y, Cb, Cr of the file's picture, whatever its colours; the plan is not applied.

        Returns:
            Three planes (rows, cols, 8, 8) float32, dequantised, natural order. RGB is converted by the linear
            matrix; gray has zero Cb and Cr on Y's grid. `component_size_px` gives their sizes.

        Raises:
            JpegError: If the file turns out to be damaged.
            ValueError: If the planes cannot be made Y, Cb, Cr: four components, or RGB with unequal sampling.
        """
        self._require_ycbcr()
        planes = [_dequantised(plane, table) for plane, table in zip(self.planes, self.quant_tables, strict=True)]
        if self.color_space == "gray":
            zero = np.zeros_like(planes[0])
            return planes[0], zero, zero
        if self.color_space == "RGB":
            return rgb_to_ycbcr(*planes)
        y, cb, cr = planes
        return y, cb, cr

    def component_size_px(self, component: int) -> tuple[int, int]:
        """(height, width) in samples of a component of `dequantised()`: 0, 1, 2 for Y, Cb, Cr; before the plan."""
        if component not in (0, 1, 2):
            raise ValueError(f"expected component 0 (Y), 1 (Cb) or 2 (Cr), got {component}")
        return component_size(self.size_px, self.sampling, 0 if self.color_space == "gray" else component)

    def to_rgb(self) -> NDArray[np.uint8]:
        """The picture as pixels: float IDCT, and chroma brought to size by libjpeg's filters.

        With nothing pending this is the file's picture, at most 3 levels from libjpeg's own decode. With a plan
        pending it is the picture after the plan, made from the same coefficients that a model would get.

        Returns:
            (height, width, 3) uint8.

        Raises:
            JpegError: If the file turns out to be damaged.
            ValueError: If the planes are not gray, YCbCr or RGB.
        """
        if not self.plan.is_identity:
            # The operator needs torch, which a plain decode does not.
            from freqlearn.reconstruction import planned_rgb

            return planned_rgb(self)
        if self.color_space not in ("gray", "YCbCr", "RGB"):
            self._refuse()
        height, width = self.size_px
        planes = []
        for index, (plane, table) in enumerate(zip(self.planes, self.quant_tables, strict=True)):
            size_px = component_size(self.size_px, self.sampling, index)
            samples = rendering.samples(_dequantised(plane, table), size_px)
            planes.append(rendering.upsample(samples, height, width, rendering.reduction(self.sampling, index)))
        return rendering.to_uint8_rgb(tuple(planes), self.color_space)

    def _require_ycbcr(self) -> None:
        equal = len(set(self.sampling)) == 1
        if self.color_space not in ("gray", "YCbCr") and not (self.color_space == "RGB" and equal):
            self._refuse()

    def _refuse(self) -> NoReturn:
        where = f"{self.path}: " if self.path else ""
        raise ValueError(
            f"{where}expected gray, YCbCr or equally sampled RGB planes, got {self.color_space}, sampling "
            f"{self.sampling}: read the file with decoder='pixels' (decoder='auto' does so by itself)"
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"DCTImage is immutable: cannot set {name!r}; with_plan() gives a changed copy")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"DCTImage is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[Callable[..., "DCTImage"], tuple[Any, ...]]:
        return DCTImage, (self._coefficients, self._plan)

    def __repr__(self) -> str:
        layout = self._coefficients.layout
        text = (
            self.info.describe() if self.info else describe_layout(layout.size_px, layout.color_space, layout.sampling)
        )
        plan = "" if self.plan.is_identity else f", pending: {self.plan}"
        return f"DCTImage({text}, {self.source}{plan})"


def _dequantised(plane: NDArray[Any], table: NDArray[np.uint16]) -> NDArray[np.float32]:
    product: NDArray[np.float32] = np.multiply(plane, table, dtype=np.float32)
    return product

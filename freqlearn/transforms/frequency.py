"""The last step: carry out the plan, standardise."""

from typing import Any, Literal

import torch

from freqlearn import native_operator
from freqlearn.channels import ChannelSet
from freqlearn.flat_color import BLACK, Color
from freqlearn.image import DCTImage
from freqlearn.indexing import integer
from freqlearn.plan import Plan
from freqlearn.spec import InputSpec
from freqlearn.transforms.base import Transform
from freqlearn.transforms.targets import carry_out, is_target


class ToFrequencyTensor(Transform):
    """Carry out the image's plan, once and straight from the file, and give the wanted channels as a tensor.

    Native: only what the plan needs of the file is decoded, only the wanted channels are computed.

    Of a sample, torchvision's BoundingBoxes, Mask and KeyPoints are taken through the image's plan too, in pixels of
    the picture before `upscale` and `pad`; they must be given in pixels of the stored picture. Everything else is left
    alone.

    Args:
        spec: the channels with their mean and std; or a ChannelSet for the channels as they are, dequantised.
        dtype: of the tensor, floating point; everything is computed in float32.
        upscale: whole factor by which the picture is enlarged at last, in the same single resampling: 2 for one block
            each 4 px of the picture.
        pad: what to do with a picture that is no whole number of blocks, enlarged: "error"; or "mean" or "black" to
            extend it below and at the right with the spec's mean colour, or with black.
        memory_format: torch.contiguous_format, or torch.channels_last for channels next to each other in memory.
        tolerance: an AC coefficient (v, u) is taken as zero in all blocks if one step of its quantisation in every
            block changes no value of the result by as much as this, in dequantised units. 0, the default, is exact.
            Pictures that are made much smaller have many such coefficients: docs/performance.md has errors and times.

    Raises:
        TypeError: if `spec` is neither, `dtype` is no torch.dtype or `tolerance` no number.
        ValueError: if the spec is of kind "rgb", or an option is out of range.

    Shape:
        The result is (C, upscale*H/8, upscale*W/8) for a picture of H x W px, rounded up where it is padded.
    """

    def __init__(
        self,
        spec: InputSpec | ChannelSet,
        *,
        upscale: int = 1,
        pad: Literal["error", "mean", "black"] = "error",
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
        tolerance: float = 0.0,
    ) -> None:
        super().__init__()
        native_operator.check_layout(dtype, memory_format)
        native_operator.check_tolerance(tolerance)
        self.dtype = dtype
        self.memory_format = memory_format
        self.tolerance = tolerance
        self.standardised = isinstance(spec, InputSpec)
        if isinstance(spec, InputSpec):
            if spec.kind != "dct" or spec.channels is None:
                raise ValueError(
                    f"expected an InputSpec of frequency channels (kind 'dct'), got kind {spec.kind!r}; "
                    "freqlearn.presets makes the pipeline of either kind"
                )
            self.channels = spec.channels
            mean, std = spec.mean, spec.std
        elif isinstance(spec, ChannelSet):
            self.channels = spec
            mean, std = (0.0,) * len(spec), (1.0,) * len(spec)
        else:
            raise TypeError(f"expected an InputSpec or a ChannelSet, got {type(spec).__name__}")
        if integer(upscale, "upscale") < 1:
            raise ValueError(f"expected upscale as a whole factor of at least 1, got {upscale}")
        self.upscale = upscale
        self.pad = pad
        self._fill = _fill(spec, pad)
        self.target = native_operator.target(self.channels.indices, mean, std, tolerance=tolerance)

    def planned(self, img: DCTImage) -> DCTImage:
        """The image with all in its plan that is to be carried out: enlarged and, if asked for, of whole blocks.

        Raises:
            ValueError: if it is padded with another colour already.
        """
        plan = img.plan.upscale(self.upscale)
        if self._fill is not None:
            plan = plan.to_whole_blocks(self._fill)
        return img if plan is img.plan else img.with_plan(plan)

    def transform(self, img: DCTImage, params: dict[str, Any]) -> torch.Tensor:
        """(C, H/8, W/8) of `dtype`, of the enlarged and padded picture."""
        return native_operator.execute_image(
            self.planned(img), self.target, dtype=self.dtype, memory_format=self.memory_format
        )

    def _changed(self, leaves: list[Any], images: list[DCTImage]) -> list[Any]:
        changed = super()._changed(leaves, images)
        if not any(is_target(leaf) for leaf in leaves):
            return changed
        plan = _shared(images)
        return [carry_out(plan, leaf) if is_target(leaf) else leaf for leaf in changed]

    def extra_repr(self) -> str:
        """Channels, whether standardised, and the options."""
        return (
            f"channels={self.channels.name or len(self.channels)}, standardised={self.standardised}, "
            f"upscale={self.upscale}, pad={self.pad!r}, dtype={self.dtype}, memory_format={self.memory_format}, "
            f"tolerance={self.tolerance}"
        )


def _fill(spec: InputSpec | ChannelSet, pad: str) -> Color | None:
    """The colour of what is added; None: nothing is."""
    if pad not in ("error", "mean", "black"):
        raise ValueError(f'expected pad as "error", "mean" or "black", got {pad!r}')
    if pad != "mean":
        return None if pad == "error" else BLACK
    if not isinstance(spec, InputSpec):
        raise ValueError('expected an InputSpec for pad="mean", whose mean colour it is, got a ChannelSet')
    return spec.mean_color


def _shared(images: list[DCTImage]) -> Plan:
    """The plan of all images of a sample with boxes, masks or key points."""
    plans = {img.plan for img in images}
    if len(plans) > 1:
        raise ValueError(
            "expected one plan for all images of a sample with boxes, masks or key points, which belong to the one as "
            f"to the other, got {' and '.join(sorted(map(str, plans)))}"
        )
    return plans.pop()

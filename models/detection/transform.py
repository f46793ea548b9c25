"""What takes the place of a detector's resizing and normalising: maps are finished, they are only batched."""

from collections.abc import Sequence

from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from freqlearn.models.detection.sized_maps import Detection, Size, SizedMaps, Target

_PADDED_TO_PX = 32  # torchvision's: the stride of the coarsest ResNet stage


class MapsTransform(GeneralizedRCNNTransform):
    """Pads standardised maps of several sizes into a batch, and tells the detector the pictures' sizes in pixels.

    A batch is padded to a multiple of 32 picture pixels, as torchvision pads its own, with the maps of a flat picture.

    Args:
        px_per_cell: Picture pixels per cell of the maps.
        padding: C values that a flat picture's maps have.
    """

    def __init__(self, px_per_cell: int, padding: Sequence[float]) -> None:
        super().__init__(
            min_size=(),  # type: ignore[arg-type]  # no resizing
            max_size=0,
            image_mean=[],
            image_std=[],
            size_divisible=_PADDED_TO_PX // px_per_cell,
        )
        self.px_per_cell = px_per_cell
        # Not a buffer: a state dict does not hold the spec that it is made from, and the meta device would lose it.
        self.padding = tuple(padding)

    def forward(
        self, images: list[Tensor], targets: list[Target] | None = None
    ) -> tuple[ImageList, list[Target] | None]:
        """Make a batch of maps.

        Args:
            images: (C, h, w) each; `SizedMaps` to say the pictures' sizes and their paddings.
            targets: Passed on.

        Returns:
            The batch, ``tensors`` (N, C, h', w') and ``image_sizes`` in picture pixels; and the targets.
        """
        batch, targets = super().forward(images, targets)
        if isinstance(images, SizedMaps):
            padding, batch.image_sizes = images.padding, images.picture_sizes
        else:
            padding = self.padding_like(images)
            batch.image_sizes = [(h * self.px_per_cell, w * self.px_per_cell) for h, w in batch.image_sizes]
        for position, (image, values) in enumerate(zip(images, padding, strict=True)):
            h, w = image.shape[-2:]
            batch.tensors[position, :, h:] = values[:, None, None]
            batch.tensors[position, :, :h, w:] = values[:, None, None]
        return batch, targets

    def padded_alike(self, images: Sequence[Tensor]) -> list[list[int]]:
        """Group pictures, by their positions, that are padded to the same size when each is a batch of its own."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for position, image in enumerate(images):
            padded = tuple(-(-side // self.size_divisible) for side in image.shape[-2:])
            groups.setdefault(padded, []).append(position)
        return list(groups.values())

    def padding_like(self, images: Sequence[Tensor]) -> Tensor:
        """Return the padding of each picture, (N, C) of the maps' dtype and device."""
        return images[0].new_tensor(self.padding).expand(len(images), -1)

    def normalize(self, image: Tensor) -> Tensor:
        """Return the maps as they are: they come standardised."""
        return image

    def resize(self, image: Tensor, target: Target | None = None) -> tuple[Tensor, Target | None]:
        """Return both as they are, in evaluation too (where torchvision ignores its own ``_skip_resize``)."""
        return image, target

    def postprocess(
        self, result: list[Detection], image_shapes: list[Size], original_image_sizes: list[Size]
    ) -> list[Detection]:
        """Return the detections as they are: torchvision calls it with the maps' shapes as sizes. See `scale`."""
        return result

    def scale(
        self, result: list[Detection], picture_sizes: list[Size], output_sizes: list[Size], paste_masks: bool = True
    ) -> list[Detection]:
        """Scale boxes to other sizes and paste masks there, by torchvision's ``postprocess``.

        Args:
            result: Detections in picture pixels; masks as the mask head gives them, (K, 1, 28, 28).
            picture_sizes: (height, width) of each picture.
            output_sizes: (height, width) to scale to.
            paste_masks: Whether to paste masks; otherwise they stay as they are.

        Returns:
            Detections in pixels of the output, masks (K, 1, height, width).
        """
        if paste_masks:
            return super().postprocess(result, picture_sizes, output_sizes)
        masks = [{"masks": found.pop("masks")} if "masks" in found else {} for found in result]
        scaled = super().postprocess(result, picture_sizes, output_sizes)
        return [found | mask for found, mask in zip(scaled, masks, strict=True)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(px_per_cell={self.px_per_cell}, size_divisible={self.size_divisible})"

"""One batch on its way through a BatchDecoder: planned in order, decoded by whoever has time."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import torch

from freqlearn import _native, native_operator
from freqlearn.errors import ImageError
from freqlearn.image import DCTImage
from freqlearn.plan import Plan
from freqlearn.transforms.pipeline import Pipeline

# What a file that cannot be read raises; anything else is a mistake in the program.
UNREADABLE = (ImageError, OSError)

OnError = Literal["raise", "replace", "drop"]
Result = TypeVar("Result")


class Run:
    """One batch.

    Attributes:
        sources: The images, as the caller gave them.
        errors: Why images could not be read, by index.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sources: Sequence[Any],
        *,
        on_error: OnError,
        on_plan: Callable[[int, Plan], None] = lambda place, plan: None,
    ) -> None:
        """Nothing is done yet.

        Args:
            pipeline: What is to be done to each image.
            sources: The images.
            on_error: "raise" stops at an image that cannot be read; "replace" goes on without it as long as there is
                one that can, "drop" in any case.
            on_plan: Called with an image's index and its plan, before ToFrequencyTensor adds to it; what it raises is
                the image's fault.
        """
        self.sources = sources
        self.errors: dict[int, Exception] = {}
        self._pipeline = pipeline
        self._on_error = on_error
        self._on_plan = on_plan
        self._size_px: tuple[int, int] | None = None

    def decode(self, pool: _native.Pool, allocate: Callable[[tuple[int, int]], torch.Tensor]) -> torch.Tensor | None:
        """Decode all images.

        Args:
            pool: Whose threads help the calling one.
            allocate: (H/8, W/8) of the images as transformed -> (N, C, H/8, W/8) tensor of one of
                `native_operator.DTYPES`, not filled.

        Returns:
            That tensor; undefined at the places in `errors`. With "drop", None if no image could even be planned.

        Raises:
            Exception: What the first image that cannot be used raised, with its index and path.
        """
        images: torch.Tensor | None = None
        places = []
        with _native.Batch(pool, self._pipeline.last.target) as jobs:
            for place, source in enumerate(self.sources):
                img = self._tried(place, self._planned, place, source)
                if img is not None and images is None:
                    images = allocate(img.plan.output_blocks)  # what fails here is no image's fault
                    _write_to(jobs, images)
                if img is not None and self._tried(place, _added, jobs, place, img):
                    places.append(place)
                if place in self.errors and not self._goes_on(self.errors[place]):
                    break
            for addition in jobs.finish():
                place = places[addition]
                try:
                    jobs.raise_error(addition)
                except Exception as error:
                    self._failed(place, error)
        return self._checked(images)

    def _planned(self, place: int, source: Any) -> DCTImage:
        transformed = self._pipeline.plan(source)
        img = self._pipeline.last.planned(transformed)
        if self._size_px is None:
            _ = img.plan.output_blocks  # an error unless they are whole
            self._size_px = img.plan.output_size
        elif img.plan.output_size != self._size_px:
            raise _other_size(img.plan.output_size, self._size_px)
        self._on_plan(place, transformed.plan)
        return img

    def _tried(self, place: int, work: Callable[..., Result], *arguments: Any) -> Result | None:
        """What `work` returns; None if it fails, which is then the fault of the image at `place`."""
        try:
            return work(*arguments)
        except Exception as error:
            self._failed(place, error)
            return None

    def _failed(self, place: int, error: Exception) -> None:
        if isinstance(error, ImageError):
            error.path = error.path or path_of(self.sources[place])
        self.errors[place] = error

    def _goes_on(self, error: Exception) -> bool:
        return self._on_error != "raise" and isinstance(error, UNREADABLE)

    def _checked(self, images: torch.Tensor | None) -> torch.Tensor | None:
        fatal = [index for index in sorted(self.errors) if not self._goes_on(self.errors[index])]
        if not fatal and (self._on_error == "drop" or len(self.errors) < len(self.sources)):
            return images
        first, *others = fatal or sorted(self.errors)
        error = self._located(first)
        for index in others:
            error.add_note(f"{self._where(index)} as well: {self.errors[index]}")
        raise error

    def _located(self, index: int) -> Exception:
        """The error, which says where it was."""
        error = self.errors[index]
        if isinstance(error, ImageError):
            error.message = f"{error.message} ({self._where(index)})"
        else:
            path = path_of(self.sources[index])
            error.add_note(self._where(index) + (f": {path}" if path else ""))
        return error

    def _where(self, index: int) -> str:
        return f"image {index} of {len(self.sources)}, counted from 0"


def _write_to(jobs: _native.Batch, images: torch.Tensor) -> None:
    (n, c, h, w), (along_n, along_c, along_h, along_w) = images.shape, images.stride()
    jobs.write_to(
        images.data_ptr(), native_operator.DTYPES[images.dtype], (n, c, h, w), (along_n, along_c, along_h, along_w)
    )


def _added(jobs: _native.Batch, place: int, img: DCTImage) -> bool:
    plan, file = native_operator.plan_of(img.plan), img.undecoded_file
    if file is not None:
        jobs.add(place, file.data, plan, file.max_pixels)
    else:
        jobs.add_planes(place, img.planes, img.quant_tables, img.sampling, img.color_space, plan)
    return True


def path_of(source: Any) -> str | None:
    """Where an image comes from, where it says so."""
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else getattr(source, "path", None)


def _other_size(size_px: tuple[int, int], expected: tuple[int, int]) -> ValueError:
    return ValueError(
        f"expected all images of the batch to come out of the transform with (height, width) = {expected} px, as the "
        f"first one does, got {size_px}: let it end with a crop or a resize to one size"
    )

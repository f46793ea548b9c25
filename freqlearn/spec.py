"""InputSpec: everything a model assumes of its input, in one object that a checkpoint carries."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from freqlearn import atomic, flat_color
from freqlearn.channels import ChannelSet
from freqlearn.documents import Format
from freqlearn.indexing import integer, label

Kind = Literal["dct", "rgb"]
Resampling = Literal["bilinear"]

_VERSION = 1
_FORMAT = Format(
    "freqlearn.input_spec",
    _VERSION,
    "an InputSpec",
    ("kind", "channels", "mean", "std", "size_px", "resize_px", "resampling", "source"),
    "measure the statistics anew",
)
_BYTES_PER_VALUE = 4  # float32


@dataclass(frozen=True)
class InputSpec:
    """Everything a model assumes of its input.

    Args:
        kind: "dct" for frequency channels, "rgb" for pixels.
        channels: The frequency channels in the order of the tensor's channel axis; None for "rgb".
        mean: Mean of every channel, subtracted. Dequantised units for "dct", of pixels in 0..1 for "rgb".
        std: Standard deviation of every channel, divided by; positive, same units.
        size_px: Height and width of the picture that the model sees, in pixels; a multiple of 8 for "dct".
        resize_px: What evaluation resizes the picture's short side to before the centre crop to ``size_px``; None if it
            does not resize.
        resampling: How pictures are resized; only antialiased bilinear.
        version: Version of this description; only 1.
        source: Where mean and std come from, for people; does not take part in equality.

    Raises:
        TypeError: If a field has the wrong type.
        ValueError: If the fields contradict each other, or a number is not finite or out of range.
    """

    kind: Kind
    channels: ChannelSet | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size_px: int
    resize_px: int | None = None
    resampling: Resampling = "bilinear"
    version: int = _VERSION
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _FORMAT.check_version(self.version)
        if self.kind not in get_args(Kind):
            raise ValueError(f'expected the kind "dct" or "rgb", got {self.kind!r}')
        if self.resampling not in get_args(Resampling):
            raise ValueError(f'expected the resampling "bilinear", the only one there is, got {self.resampling!r}')
        if not isinstance(self.source, str):
            raise TypeError(f"expected the source of mean and std as text, got {self.source!r}")
        if self.kind == "dct" and not isinstance(self.channels, ChannelSet):
            raise TypeError(f'expected a ChannelSet for the kind "dct", got {self.channels!r}')
        if self.kind == "rgb" and self.channels is not None:
            raise ValueError(f'expected no ChannelSet for the kind "rgb", got {self.channels}')
        self._check_sizes()
        object.__setattr__(self, "mean", self._checked_numbers("mean", self.mean))
        object.__setattr__(self, "std", self._checked_numbers("std", self.std))
        for position, std in enumerate(self.std):
            if std <= 0:
                raise ValueError(
                    f"expected a positive std, got {std} for {self._channel_name(position)}; "
                    "a channel that never varies carries nothing: choose channels without it"
                )

    @classmethod
    def unstandardised(cls, channels: ChannelSet, size_px: int, resize_px: int | None = None) -> Self:
        """Return a spec with mean 0 and std 1: the channels as they are, dequantised.

        Args:
            channels: Frequency channels.
            size_px: Height and width in pixels, a multiple of 8.
            resize_px: Short side before the centre crop in evaluation; None for no resize.

        Raises:
            ValueError: If the sizes contradict each other.
        """
        if not isinstance(channels, ChannelSet):
            raise TypeError(f"expected a ChannelSet, got {channels!r}")
        zeros, ones = (0.0,) * len(channels), (1.0,) * len(channels)
        return cls("dct", channels, zeros, ones, size_px, resize_px, source="not standardised")

    @classmethod
    def preset(cls, name: str) -> "InputSpec":
        """Return a named spec; ``preset_names`` lists them.

        Args:
            name: For instance "imagenet-rgb" or "dctnet-resnet50-24".

        Raises:
            ValueError: If there is no such preset.
        """
        from freqlearn.named_specs import named_spec  # it builds InputSpecs, so it imports this module

        return named_spec(name)

    @staticmethod
    def preset_names() -> tuple[str, ...]:
        """Return the names that ``preset`` knows."""
        from freqlearn.named_specs import NAMES

        return NAMES

    @property
    def in_channels(self) -> int:
        """Number of channels of the model's input."""
        return len(self.mean)

    @property
    def map_size(self) -> int:
        """Height and width of the model's input: size_px/8 for "dct", size_px for "rgb"."""
        return self.size_px // 8 if self.kind == "dct" else self.size_px

    @property
    def bytes_per_image(self) -> int:
        """Bytes of one image's input as float32."""
        return self.in_channels * self.map_size**2 * _BYTES_PER_VALUE

    @property
    def mean_color(self) -> flat_color.Color:
        """(R, G, B), 0..255: the colour of a flat picture with this spec's mean DC; see `flat_color.mean_color`."""
        return flat_color.mean_color(self)

    def flat_values(self, color: Sequence[float]) -> tuple[float, ...]:
        """Return the standardised values, one a channel, that a flat picture of a colour has everywhere.

        Args:
            color: (R, G, B), 0..255; of ``mean_color``, a DC's value is 0.

        Raises:
            ValueError: If the colour is not three finite numbers.
        """
        return flat_color.flat_values(self, color)

    def select(self, channels: ChannelSet) -> "InputSpec":
        """Return the spec of some of the channels, in the order given, each with its mean and std.

        Args:
            channels: Channels, each of which this spec has.

        Raises:
            ValueError: If this spec is of the kind "rgb" or lacks one of the channels.
        """
        if self.channels is None:
            raise ValueError(f'expected a spec of the kind "dct" to select {channels} from, got one of the kind "rgb"')
        positions = self.channels.positions(channels)
        mean, std = (tuple(values[p] for p in positions) for values in (self.mean, self.std))
        return replace(self, channels=channels, mean=mean, std=std)

    def with_std_floor(self, floor: float) -> "InputSpec":
        """Return the spec that divides no channel by less than `floor`.

        Standardising blows every channel up to unit variance, those too that hold little but noise; with a floor they
        keep an amplitude in proportion to what they hold.

        Args:
            floor: Least standard deviation; positive, in the units of ``std``.

        Raises:
            ValueError: If the floor is not a positive number.
        """
        if not (math.isfinite(floor) and floor > 0):
            raise ValueError(f"expected a positive number as floor of the std, got {floor}")
        source = "; ".join(part for part in (self.source, f"std at least {floor:g}") if part)
        return replace(self, std=tuple(max(std, float(floor)) for std in self.std), source=source)

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as JSON types, with a format and version field."""
        return _FORMAT.document(
            kind=self.kind,
            channels=None if self.channels is None else self.channels.to_dict(),
            mean=list(self.mean),
            std=list(self.std),
            size_px=self.size_px,
            resize_px=self.resize_px,
            resampling=self.resampling,
            source=self.source,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the spec that ``to_dict`` described.

        Args:
            data: Exactly the fields that ``to_dict`` writes.

        Raises:
            TypeError: If a field has the wrong type.
            ValueError: If the data are something else, of another version, with unknown or missing fields, or invalid.
        """
        fields = _FORMAT.checked(data)
        if fields["channels"] is not None:
            fields["channels"] = ChannelSet.from_dict(fields["channels"])
        return cls(**fields)

    def to_json(self) -> str:
        """Return the spec as JSON text; every number survives the round trip exactly."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the spec that ``to_json`` wrote.

        Args:
            text: JSON text.

        Raises:
            TypeError: If a field has the wrong type.
            ValueError: If the text is not JSON or not an InputSpec that is understood.
        """
        return cls.from_dict(_FORMAT.parsed(text))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the spec to a JSON file, replacing it in one step.

        Args:
            path: File to write; its folder must exist.

        Raises:
            OSError: If it cannot be written.
        """
        atomic.write_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the spec that ``save`` wrote.

        Args:
            path: JSON file.

        Raises:
            OSError: If it cannot be read.
            ValueError: If it is not an InputSpec that is understood; the message names the file.
        """
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{os.fspath(path)}: expected an InputSpec as JSON, got a file that is no text") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    def __repr__(self) -> str:
        return f"InputSpec({self})"  # 192 means and as many deviations would bury what one looks for

    def __str__(self) -> str:
        content = "RGB" if self.channels is None else str(self.channels)
        resized = "" if self.resize_px is None else f", short side resized to {self.resize_px} px"
        return f"{content}, {self.size_px} px ({self.in_channels}x{self.map_size}x{self.map_size}){resized}"

    def _check_sizes(self) -> None:
        object.__setattr__(self, "size_px", integer(self.size_px, "size_px"))
        if self.size_px < 1:
            raise ValueError(f"expected a positive size_px, got {self.size_px}")
        if self.kind == "dct" and self.size_px % 8:
            near = max(8, round(self.size_px / 8) * 8)
            raise ValueError(f"expected size_px to be a multiple of 8, JPEG's block, got {self.size_px}; use {near}")
        if self.resize_px is None:
            return
        object.__setattr__(self, "resize_px", integer(self.resize_px, "resize_px"))
        if self.resize_px < self.size_px:
            raise ValueError(
                f"expected resize_px of at least size_px = {self.size_px}, got {self.resize_px}; "
                "the centre crop must fit into the resized picture"
            )

    def _checked_numbers(self, name: str, values: Iterable[Any]) -> tuple[float, ...]:
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise TypeError(f"expected {name} as a sequence of numbers, got {values!r}")
        numbers = []
        for position, value in enumerate(values):
            if isinstance(value, bool | str | bytes):
                raise TypeError(f"expected {name} as numbers, got {value!r} at position {position}")
            try:
                number = float(value)
            except TypeError as error:
                raise TypeError(f"expected {name} as numbers, got {value!r} at position {position}") from error
            if not math.isfinite(number):
                raise ValueError(f"expected finite numbers as {name}, got {number} at position {position}")
            numbers.append(number)
        expected = 3 if self.channels is None else len(self.channels)
        if len(numbers) != expected:
            what = "R, G, B" if self.channels is None else str(self.channels)
            raise ValueError(f"expected {expected} numbers as {name}, one for each of {what}, got {len(numbers)}")
        return tuple(numbers)

    def _channel_name(self, position: int) -> str:
        return "RGB"[position] if self.channels is None else f"channel {label(self.channels[position])}"

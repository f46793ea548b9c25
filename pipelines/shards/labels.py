"""What a shard's sample is: an encoded picture, and the number of its class."""

import json
from dataclasses import dataclass

from freqlearn.pipelines.data import SampleError
from freqlearn.pipelines.shards.reading import Raw
from freqlearn.sources import FileBytes

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp")


def image_of(sample: Raw, url: str) -> FileBytes:
    """The encoded picture of a sample; its `path` is SHARD/MEMBER.

    Raises:
        SampleError: If it has none, or several.
    """
    found = [suffix for suffix in IMAGE_SUFFIXES if suffix in sample]
    if len(found) != 1:
        raise SampleError(
            f"{url}/{sample['__key__']}: expected one image ({', '.join(f'.{name}' for name in IMAGE_SUFFIXES)}), got "
            f"{_members(sample)}; what follows the first dot of a member's name is its extension"
        )
    return FileBytes(sample[found[0]], image_name(sample, url))


def image_name(sample: Raw, url: str) -> str:
    """What errors call a sample: SHARD/MEMBER, of its picture where it has one."""
    found = [suffix for suffix in IMAGE_SUFFIXES if suffix in sample]
    return f"{url}/{sample['__key__']}" + (f".{found[0]}" if len(found) == 1 else "")


@dataclass(frozen=True)
class Labels:
    """From a sample to the number of its class.

    Attributes:
        classes: Class names; a label is an index into them.
        field: Which entry of a .json member is the label.
    """

    classes: tuple[str, ...]
    field: str = "label"

    def __call__(self, sample: Raw, url: str) -> int:
        """The label: of a .cls member, else of the field in a .json member, else of a .txt member.

        Each is the name of a class, or its number.

        Raises:
            SampleError: If there is none, or it is of no known class.
        """
        where = f"{url}/{sample['__key__']}"
        if "cls" in sample:
            return self._label(_text(sample["cls"], f"{where}.cls"), f"{where}.cls")
        fields = _parsed(sample["json"], f"{where}.json") if "json" in sample else None
        if isinstance(fields, dict) and self.field in fields:
            return self._label(fields[self.field], f"{where}.json")
        if "txt" in sample:
            return self._label(_text(sample["txt"], f"{where}.txt"), f"{where}.txt")
        raise SampleError(
            f"{where}: expected a label (.cls, .txt, or .json with the field {self.field!r}), got {_members(sample)}"
        )

    def _label(self, value: object, where: str) -> int:
        number = _number(value)
        named = self.classes.index(value) if isinstance(value, str) and value in self.classes else None
        if number is not None and not 0 <= number < len(self.classes):
            number = None
        if number is None and named is None:
            raise SampleError(
                f"{where}: expected the name of a class or its number, 0 to {len(self.classes) - 1}, got {value!r}"
            )
        if number is not None and named is not None and number != named:
            raise SampleError(
                f"{where}: {value!r} is the name of class {named} and the number of another; let the classes' file "
                "name them in the order of their numbers"
            )
        return named if number is None else number  # type: ignore[return-value]


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise SampleError(f"{where}: expected text in UTF-8: {error}") from error


def _parsed(content: bytes, where: str) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SampleError(f"{where}: expected JSON: {error}") from error


def _members(sample: Raw) -> str:
    return ", ".join(f".{suffix}" for suffix in sample if not suffix.startswith("__")) or "nothing"

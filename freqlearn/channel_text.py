"""Channel sets as people write them on a command line."""

import os
import re
from pathlib import Path

from freqlearn.channels import ChannelSet
from freqlearn.indexing import COMPONENTS, NUM_CHANNELS, channel_index

_LABEL = re.compile(r"(Y|Cb|Cr)\((\d+),(\d+)\)", re.IGNORECASE)
_FORMS = (
    '"all"; 24, 32, 48 or 64 for the published sets; "Y", "Cb", "Cr" for a component; "zigzag-Y-CB-CR" with three '
    'counts; indices and ranges such as "0-63,64,128"; labels such as "Y(0,0),Cb(0,1)"; or a JSON file of a channel set'
)


def parse_channels(text: str) -> ChannelSet:
    """Return the channel set that a text means.

    Args:
        text: "all" (or "192"); "24", "32", "48", "64" (or "DCT-24", ...) for the published sets; "Y", "Cb" or "Cr" for
            the 64 channels of a component; "zigzag-16-4-4"; a comma-separated list of indices (0..191), ranges
            ("0-63") and labels ("Y(0,3)") in the order wanted; or the path of a JSON file, ending in .json.

    Raises:
        OSError: If the JSON file cannot be read.
        ValueError: If the text means no channel set.
    """
    text = text.strip()
    if text.endswith(".json"):
        return _from_file(text)
    name = text.lower().removeprefix("dct-")
    if name in ("all", "all-192", str(NUM_CHANNELS)):
        return ChannelSet.all()
    match name:
        case "24":
            return ChannelSet.square(24)
        case "32":
            return ChannelSet.square(32)
        case "48":
            return ChannelSet.square(48)
        case "64":
            return ChannelSet.square(64)
    if zigzag := re.fullmatch(r"zigzag-(\d+)-(\d+)-(\d+)", name):
        y, cb, cr = (int(count) for count in zigzag.groups())
        return ChannelSet.zigzag(y, cb, cr)
    for component, known in enumerate(COMPONENTS):
        if name == known.lower():
            return ChannelSet(tuple(range(64 * component, 64 * (component + 1))), known)
    if name.isdecimal() and int(name) < NUM_CHANNELS:
        raise ValueError(
            f"expected the number of channels of a published set: 24, 32, 48, 64 or 192; got {text}. For the channel "
            f"of index {text} alone write {text}-{text}; for the {text} best of a ranking give its importance and top"
        )
    try:
        # A comma inside a label's parentheses separates v from u.
        return ChannelSet.of([i for item in re.split(r",(?![^(]*\))", text) for i in _item(item.strip())])
    except ValueError as error:
        raise ValueError(f"expected channels as {_FORMS}; got {text!r}: {error}") from error


def _item(text: str) -> list[int]:
    if found := _LABEL.fullmatch(text):
        component, v, u = found.groups()
        return [channel_index(component.capitalize(), int(v), int(u))]
    if found := re.fullmatch(r"(\d+)(?:-(\d+))?", text):
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise ValueError(f"expected a range upwards, got {text!r}")
        if last >= NUM_CHANNELS:  # before a list of that length is made
            raise ValueError(f"expected a channel index in 0..{NUM_CHANNELS - 1}, got {last}")
        return list(range(first, last + 1))
    raise ValueError(f"{text!r} is none of these")


def _from_file(path: str) -> ChannelSet:
    try:
        return ChannelSet.from_json(Path(path).read_text(encoding="utf-8"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error

"""A profile, or two side by side, as tables of text for people."""

from collections.abc import Iterator
from difflib import SequenceMatcher

from freqlearn.pipelines.profiling.layers import Layer, Line, Profile
from freqlearn.pipelines.tables import table

_LISTED = 6


def text(profile: Profile, *, depth: int | None = None) -> str:
    """What a model costs, layer by layer.

    Args:
        profile: The costs.
        depth: How deep to go; by default `Profile.usual_depth`.
    """
    depth = profile.usual_depth if depth is None else depth
    rows = [
        {"layer": label(line), "type": "" if line.itself else line.layer.type, "output": _outputs(line)}
        | _costs(line.layer, profile.macs)
        for line in profile.lines(depth)
    ]
    if depth:
        rows.append({"layer": "total", "type": profile.total.type, "output": ""} | _costs(profile.total, profile.macs))
    return "\n\n".join([_heading(profile), table(rows), _notes(profile)])


def side_by_side(first: Profile, second: Profile, *, depth: int | None = None) -> str:
    """What two models cost, layer beside layer of the same name.

    Args:
        first: Costs of a model, A.
        second: Costs of another, B.
        depth: How deep to go; by default deep enough for both.
    """
    depth = max(first.usual_depth, second.usual_depth) if depth is None else depth
    rows = [
        _compared(label(line), a.layer if a else None, b.layer if b else None)
        for a, b in pairs(first, second, depth)
        if (line := a or b)
    ]
    if depth:
        rows.append(_compared("total", first.total, second.total))
    heading = "\n".join(f"{letter}  {_heading(profile)}" for letter, profile in (("A", first), ("B", second)))
    notes = "\n".join(f"{letter}: {_notes(profile)}" for letter, profile in (("A", first), ("B", second)))
    return "\n\n".join([heading, table(rows), notes])


def pairs(first: Profile, second: Profile, depth: int) -> Iterator[tuple[Line, Line | None] | tuple[None, Line]]:
    """The lines of two profiles, those of the same layer together, in the order of both."""
    a, b = list(first.lines(depth)), list(second.lines(depth))
    keys_a, keys_b = ([(line.layer.name, line.itself) for line in lines] for lines in (a, b))
    for same, a_from, a_to, b_from, b_to in SequenceMatcher(None, keys_a, keys_b, autojunk=False).get_opcodes():
        if same == "equal":
            yield from zip(a[a_from:a_to], b[b_from:b_to], strict=True)
            continue
        yield from ((line, None) for line in a[a_from:a_to])
        yield from ((None, line) for line in b[b_from:b_to])


def label(line: Line) -> str:
    """The layer's last name, as far to the right as it is deep."""
    name = "(itself)" if line.itself else line.layer.name.rpartition(".")[2] or line.layer.type
    return "  " * (line.layer.depth - (not line.itself)) + name


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape without the batch axis of one image: (1, 64, 56, 56) is 64x56x56."""
    return "x".join(map(str, shape[1:] if shape[:1] == (1,) else shape))


def _heading(profile: Profile) -> str:
    return f"{profile.title}; input {shape_text(profile.input_shape)}, {profile.input_bytes:,} bytes an image"


def _outputs(line: Line) -> str:
    layer = line.layer
    if not line.itself and layer.parameters and layer.unread_parameters == layer.parameters:
        return "unused"
    return "" if line.itself else " + ".join(map(shape_text, layer.outputs))


def _costs(layer: Layer, total: int) -> dict[str, str]:
    return {
        "MMACs": _millions(layer.macs),
        "share": f"{layer.macs / total:.1%}" if total else "",
        "parameters": f"{layer.parameters:,}",
        "activations": f"{_millions(layer.activation_bytes)} MB",
    }


def _compared(name: str, a: Layer | None, b: Layer | None) -> dict[str, str]:
    return {
        "layer": name,
        "MMACs A": _millions(a.macs) if a else "",
        "MMACs B": _millions(b.macs) if b else "",
        "B/A": f"{b.macs / a.macs:.2f}" if a and b and a.macs else "",
        "parameters A": f"{a.parameters:,}" if a else "",
        "parameters B": f"{b.parameters:,}" if b else "",
        "activations A": f"{_millions(a.activation_bytes)} MB" if a else "",
        "activations B": f"{_millions(b.activation_bytes)} MB" if b else "",
    }


def _notes(profile: Profile) -> str:
    listed = [f"{name} {_millions(numbers)} M" for name, numbers in list(profile.not_counted.items())[:_LISTED]]
    more = len(profile.not_counted) - len(listed)
    notes = [f"not counted, in numbers computed: {', '.join(listed)}{f' and {more} more' if more else ''}"]
    if unread := profile.total.unread_parameters:
        notes.append(f"{unread:,} parameters are never read by the forward pass")
    return "\n".join(notes)


def _millions(number: int) -> str:
    return f"{number / 1e6:,.2f}" if number >= 5000 or not number else f"{number / 1e6:.1g}"

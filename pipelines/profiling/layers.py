"""What a model costs, layer by layer, and sums of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from freqlearn.documents import Format

FORMAT = Format(
    "freqlearn.profile",
    1,
    "a profile",
    ("title", "input_shape", "input_bytes", "totals", "not_counted", "layers"),
    "profile the model anew",
)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One module of a model: what it costs itself, without the modules inside it.

    Attributes:
        name: As in `model.named_modules()`; "" for the model itself. Of a shared module, its first name.
        type: Name of its class.
        calls: How often it was called for one image. 0 does not mean unused: its parent may take its weights.
        macs: Multiply-accumulates of all calls.
        parameters: Number of its own parameters; of shared ones, only where they come first.
        unread_parameters: How many of them the forward pass never read.
        activation_elements: Numbers in the tensors that it was the first to hand on; see `profile`.
        activation_bytes: The same in bytes.
        outputs: Shapes, with the batch axis, of what the first call returned; a pair has two.
    """

    name: str
    type: str
    calls: int = 0
    macs: int = 0
    parameters: int = 0
    unread_parameters: int = 0
    activation_elements: int = 0
    activation_bytes: int = 0
    outputs: tuple[tuple[int, ...], ...] = ()

    @property
    def depth(self) -> int:
        """How many modules it is inside of: 0 for the model itself."""
        return self.name.count(".") + 1 if self.name else 0

    def within(self, name: str) -> bool:
        """Whether it is the module of that name, or inside it."""
        return not name or self.name == name or self.name.startswith(f"{name}.")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A layer as a table or picture shows it.

    Attributes:
        layer: With what the modules inside it cost, unless `itself`.
        itself: Of a layer whose parts have lines of their own: what it costs without them.
        part: Whether it belongs to the partition: the parts' costs sum to the model's.
    """

    layer: Layer
    itself: bool
    part: bool


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a model costs for one image.

    Attributes:
        title: Which model and which input, for people.
        input_shape: Of one image, without the batch axis.
        input_bytes: Of one image, as the model takes it.
        layers: One for each module, in the order of `model.named_modules()`, the model itself first. Their costs sum to
            the totals.
        not_counted: Operation, as torch calls it, -> numbers that it computed, for those that count no
            multiply-accumulates.
    """

    title: str
    input_shape: tuple[int, ...]
    input_bytes: int
    layers: tuple[Layer, ...]
    not_counted: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Layer:
        """The model with everything inside it."""
        return self._sum(self.layers[0], self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return self.total.macs

    @property
    def parameters(self) -> int:
        """Number of parameters, each once, whether the forward pass reads them or not."""
        return self.total.parameters

    @property
    def activation_bytes(self) -> int:
        """Bytes of the tensors that modules hand to each other for one image; see `profile`."""
        return self.total.activation_bytes

    def __getitem__(self, name: str) -> Layer:
        """The layer of that name, with everything inside it."""
        layers = [layer for layer in self.layers if layer.within(name)]
        if not layers or layers[0].name != name:
            raise KeyError(f"{self.title} has no layer {name!r}")
        return self._sum(layers[0], layers)

    @property
    def usual_depth(self) -> int:
        """The least depth at which no part does more than half of all multiply-accumulates."""
        deepest = max(layer.depth for layer in self.layers)
        for depth in range(1, deepest):
            if max(line.layer.macs for line in self.lines(depth) if line.part) * 2 <= self.macs:
                return depth
        return max(deepest, 1)

    def lines(self, depth: int) -> Iterator[Line]:
        """The model's layers down to a depth, in order.

        Args:
            depth: 0 is the model as a whole, 1 its children, and so on.
        """
        for position, layer in enumerate(self.layers):
            if layer.depth > depth:
                continue
            # named_modules is depth first: a module that has parts is followed by the first of them.
            following = self.layers[position + 1 : position + 2]
            opened = layer.depth < depth and any(part.within(layer.name) for part in following)
            if layer.name or not opened:
                yield Line(layer=self[layer.name], itself=False, part=not opened)
            if opened and (layer.macs or layer.parameters or layer.activation_bytes):
                yield Line(layer=layer, itself=True, part=True)

    def to_dict(self) -> dict[str, Any]:
        """The profile as JSON types, with a format and version field."""
        total = {key: value for key, value in asdict(self.total).items() if key not in ("name", "type", "calls")}
        return FORMAT.document(
            title=self.title,
            input_shape=list(self.input_shape),
            input_bytes=self.input_bytes,
            totals={key: value for key, value in total.items() if key != "outputs"},
            not_counted=dict(self.not_counted),
            layers=[asdict(layer) for layer in self.layers],
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`.

        Raises:
            ValueError: If the data are something else, or of another version.
        """
        fields = FORMAT.checked(data)
        layers = tuple(
            Layer(**{**layer, "outputs": tuple(tuple(shape) for shape in layer["outputs"])})
            for layer in fields["layers"]
        )
        return cls(
            title=fields["title"],
            input_shape=tuple(fields["input_shape"]),
            input_bytes=fields["input_bytes"],
            layers=layers,
            not_counted=fields["not_counted"],
        )

    def to_json(self) -> str:
        """The profile as JSON text."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    @staticmethod
    def _sum(head: Layer, layers: tuple[Layer, ...] | list[Layer]) -> Layer:
        return replace(
            head,
            macs=sum(layer.macs for layer in layers),
            parameters=sum(layer.parameters for layer in layers),
            unread_parameters=sum(layer.unread_parameters for layer in layers),
            activation_elements=sum(layer.activation_elements for layer in layers),
            activation_bytes=sum(layer.activation_bytes for layer in layers),
        )

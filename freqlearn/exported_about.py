"""What an exported model says of itself: everything needed to go from a file's bytes to a class name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from freqlearn.documents import Format
from freqlearn.indexing import integer
from freqlearn.spec import InputSpec

KEY = "freqlearn"
"""Where the document is: a key of an .onnx file's metadata_props; in a .pt2 archive the extra file "freqlearn.json"."""

_FORMAT = Format(
    "freqlearn.exported",
    1,
    "an exported model's description",
    ("network", "gate", "spec", "classes", "batch_size", "versions"),
    "export the checkpoint anew",
)


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an exported model says of itself.

    Attributes:
        network: Name of the architecture, for people: "resnet50", "mobilenet_v2", ...
        gate: "dynamic" if every image has its own switches, computed in the graph; None if there is no gate, or it was
            folded away.
        spec: What the model is given; only the channels that its input has.
        classes: Class names in the order of the logits.
        batch_size: The only number of images that it takes; None for any.
        versions: Of freqlearn and torch, which wrote it; for people.
    """

    network: str
    gate: str | None
    spec: InputSpec
    classes: tuple[str, ...]
    batch_size: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.gate not in (None, "dynamic"):
            raise ValueError(f'expected the gate as "dynamic" or nothing, got {self.gate!r}')
        if not self.classes or not all(isinstance(name, str) for name in self.classes):
            raise ValueError("expected at least one class, each with a name")
        if self.batch_size is not None and integer(self.batch_size, "batch_size") < 1:
            raise ValueError(f"expected a batch_size of at least 1, got {self.batch_size}")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, h, w) of one image's input."""
        return self.spec.in_channels, self.spec.map_size, self.spec.map_size

    def __str__(self) -> str:
        gate = "" if self.gate is None else f" behind a {self.gate} gate"
        count = "" if self.batch_size is None else f", {self.batch_size} images at once"
        return f"{self.network}{gate} on {self.spec}{count}; classes: {', '.join(self.classes)}"

    def to_json(self) -> str:
        """Return the description as JSON text."""
        document = _FORMAT.document(
            network=self.network,
            gate=self.gate,
            spec=self.spec.to_dict(),
            classes=list(self.classes),
            batch_size=self.batch_size,
            versions=dict(self.versions),
        )
        return json.dumps(document, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the description that ``to_json`` wrote.

        Args:
            text: JSON text.

        Raises:
            TypeError: If a field has the wrong type.
            ValueError: If the text is not JSON or no description that is understood.
        """
        fields = _FORMAT.checked(_FORMAT.parsed(text))
        if not isinstance(fields["classes"], list) or not isinstance(fields["versions"], Mapping):
            raise TypeError("expected the classes as a list and the versions as a mapping")
        spec = InputSpec.from_dict(fields["spec"])
        return cls(**fields | {"spec": spec, "classes": tuple(fields["classes"])})

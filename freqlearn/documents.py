"""JSON documents that say what they are: their format, its version, and no field that the reader does not know."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Format:
    """A kind of document.

    Attributes:
        name: What its "format" field holds.
        version: What its "version" field holds; the only one that is read.
        what: The kind for messages, with its article, as in "a channel set".
        fields: All other fields; each must be there.
        renewal: What to do with a document of another version, as in "write the set anew".
    """

    name: str
    version: int
    what: str
    fields: tuple[str, ...]
    renewal: str

    def document(self, **fields: Any) -> dict[str, Any]:
        """Return a document of this kind."""
        return {"format": self.name, "version": self.version, **fields}

    def checked(self, data: Any) -> dict[str, Any]:
        """Return a document's fields.

        Args:
            data: What should be a document of this kind.

        Raises:
            ValueError: If it is something else, of another version, or lacks a field or has one too many.
        """
        if not isinstance(data, Mapping) or data.get("format") != self.name:
            found = data.get("format") if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(f'expected {self.what} ("format": "{self.name}"), got {found!r}')
        self.check_version(data.get("version"))
        unknown = sorted(set(data) - {"format", "version", *self.fields})
        missing = sorted({*self.fields} - set(data))
        if unknown or missing:
            raise ValueError(
                f"expected the fields of {self.what}, version {self.version}; unknown: {unknown}, missing: {missing}"
            )
        return {field: data[field] for field in self.fields}

    def check_version(self, version: Any) -> None:
        """Raise a ValueError for any version but the one that is read."""
        if isinstance(version, bool) or version != self.version:
            raise ValueError(
                f"expected version {self.version} of {self.what}, got {version!r}; "
                f"it was written by another version of freqlearn: update this one or {self.renewal}"
            )

    def parsed(self, text: str) -> Any:
        """Return what a JSON text holds, not checked yet; a ValueError if it is no JSON."""
        try:
            return json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"expected {self.what} as JSON, got text that is not JSON: {error}") from error

"""Archives of torch.export (.pt2), reduced to what cannot run code.

``torch.export.load`` trusts its file: it unpickles, loads compiled libraries, evaluates expressions and calls whatever
the graph names. So an archive is first copied, and only this gets into the copy: weights as raw bytes, and a graph of
known operators in which every text is a plain name. Anything else is refused. The copy also lacks what a graph does not
need: the example input, and the paths and lines of the source code that it came from.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

_MODEL = "models/model.json"
_WEIGHTS, _CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"
_EXAMPLE = "data/sample_inputs/model.pt"
_FORMAT = {"archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id"}
_EXTRA = "extra/"
_RAW = re.compile(r"data/(weights/weight|constants/tensor)_\d+")

# What torchvision's and our networks consist of. All compute from their arguments alone; among the other operators of
# torch is one that maps a file.
_OPERATORS = frozenset(
    f"torch.ops.aten.{name}"
    for name in (
        "_assert_tensor_metadata.default",
        "adaptive_avg_pool2d.default",
        "add.Tensor",
        "add_.Tensor",
        "addcmul.default",
        "alias.default",
        "avg_pool2d.default",
        "batch_norm.default",
        "conv2d.default",
        "dropout.default",
        "flatten.using_ints",
        "group_norm.default",
        "gt.Tensor",
        "hardtanh.default",
        "hardtanh_.default",
        "index_select.default",
        "instance_norm.default",
        "layer_norm.default",
        "linear.default",
        "max_pool2d.default",
        "mean.dim",
        "mul.Tensor",
        "permute.default",
        "relu.default",
        "relu_.default",
        "rsqrt.default",
        "select.int",
        "slice.Tensor",
        "softmax.int",
        "split_with_sizes.default",
        "stack.default",
        "sub.Tensor",
        "sym_size.int",
        "to.dtype",
        "unbind.int",
        "upsample_nearest2d.vec",
        "var_mean.correction",
        "view.default",
    )
)
_ARGUMENTS = frozenset(
    f"as_{kind}"
    for kind in (
        *("tensor", "tensors", "none", "bool", "bools", "int", "ints", "float", "floats", "sym_int", "sym_ints"),
        *("expr", "name", "scalar_type", "memory_format", "layout", "device"),
    )
)
_PLAIN = re.compile(r"[\w.]*", re.ASCII)
_VERSION = re.compile(r"[\w.+]*", re.ASCII)
# The batch's size or a multiple of it, as sympy prints it: nothing that could be called but Symbol itself.
_EXPRESSION = re.compile(r"(\d+\*)?(Symbol\('\w+'(, \w+=True)*\)|\w+)", re.ASCII)
_TREE_TYPES = (None, "builtins.tuple", "builtins.list", "builtins.dict")
_TREE_CONTEXTS = (None, "null", "[]")


class ArchiveError(ValueError):
    """An archive is damaged, or holds what may run code; the message says which."""


def cleaned(content: bytes) -> bytes:
    """Copy an archive of torch.export, leaving out what a graph does not need.

    Args:
        content: The file's bytes.

    Returns:
        An archive that ``torch.export.load`` can be given without trusting who wrote it.

    Raises:
        ArchiveError: If it is damaged, of another layout, or holds anything that may run code.
    """
    records = _records(content)
    missing = sorted({_MODEL, _WEIGHTS, _CONSTANTS, *_FORMAT} - set(records))
    if missing:
        raise ArchiveError(f"no archive of torch.export as torch 2.8 or newer writes it: it lacks {missing[0]}")
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for name, data in records.items():
            target.writestr(f"archive/{name}", _cleaned_record(name, data))
        if _EXAMPLE not in records:
            target.writestr(f"archive/{_EXAMPLE}", b"")
    return copy.getvalue()


def extra_file(content: bytes, name: str) -> str | None:
    """Return the text of an archive's extra file, or None if there is none of that name.

    Args:
        content: The archive's bytes.
        name: As it was given to torch.export.save.

    Raises:
        ArchiveError: If the archive is damaged, or the file is not text.
    """
    data = _records(content).get(_EXTRA + name)
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError as error:
        raise ArchiveError(f"damaged: {name} is not text") from error


def _records(content: bytes) -> dict[str, bytes]:
    """What the archive holds, by name without the folder that everything is in."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as source:
            entries = source.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ArchiveError("it is compressed, which torch.export's archives are not")
            if sum(entry.file_size for entry in entries) > len(content):
                raise ArchiveError("damaged: its parts are larger than the whole")
            return {entry.filename.partition("/")[2]: source.read(entry) for entry in entries}
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ArchiveError(f"damaged, or no archive: {error}") from error


def _cleaned_record(name: str, data: bytes) -> bytes:
    if name == _EXAMPLE:
        return b""  # pickled
    if name in _FORMAT or name.startswith(_EXTRA) or _RAW.fullmatch(name):
        return data
    if name not in (_MODEL, _WEIGHTS, _CONSTANTS):
        raise ArchiveError(f"it holds {name!r}, which a model of ours does not")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:  # ValueError: also what is no UTF-8
        raise ArchiveError(f"damaged: {name} is not JSON") from error
    if not isinstance(document, dict):
        raise ArchiveError(f"damaged: {name} does not hold an object")
    if name == _MODEL:
        document["guards_code"] = []
    try:
        return json.dumps(_cleaned_value(document, "")).encode()
    except RecursionError as error:
        raise ArchiveError(f"damaged: {name} is nested too deeply") from error


def _cleaned_value(value: Any, key: str) -> Any:
    """A part of a JSON document that holds only plain names; `key` is what it is stored under."""
    if isinstance(value, Mapping):
        return {_checked_key(k): {} if k == "metadata" else _cleaned_value(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_cleaned_value(item, key) for item in value]
    if key == "use_pickle" and value is not False:
        raise ArchiveError("it holds pickled tensors, which may run code")
    if not isinstance(value, str):
        return value
    if key in ("in_spec", "out_spec"):
        _check_tree(value)
    elif key == "target":
        if value not in _OPERATORS:
            raise ArchiveError(f"its graph calls {value!r}, which no model of ours does")
    elif not (_EXPRESSION if key == "expr_str" else _VERSION if key == "torch_version" else _PLAIN).fullmatch(value):
        raise ArchiveError(f"expected a plain name as {key or 'text'}, got {value[:80]!r}")
    return value


def _checked_key(key: str) -> str:
    if not _PLAIN.fullmatch(key) or (key.startswith("as_") and key not in _ARGUMENTS):
        raise ArchiveError(f"its graph has {key[:80]!r}, which no model of ours does")
    return key


def _check_tree(text: str) -> None:
    """Let only tuples, lists and dicts without keys through, as arguments and results."""
    try:
        _, tree = json.loads(text)
        nodes = [tree]
        while nodes:
            node = nodes.pop()
            if node["type"] not in _TREE_TYPES or node["context"] not in _TREE_CONTEXTS:
                raise ArchiveError(f"its arguments contain a {node['type']!r}, which no model of ours does")
            nodes += node["children_spec"]
    except ArchiveError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArchiveError("damaged: the structure of its arguments cannot be read") from error

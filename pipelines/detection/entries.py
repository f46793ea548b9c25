"""What a COCO JSON file holds, checked entry by entry: whatever is wrong is said in one line that names the entry."""

import json
import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

# A JPEG file's sides have at most 65,535 px; what lies farther out than this is no place in a picture.
_FARTHEST_PX = 1e6
_KEPT = ("id", "image_id", "category_id", "iscrowd", "area", "segmentation")


class Entries(NamedTuple):
    """A COCO JSON file's content.

    Attributes:
        images: By id: file name, width, height.
        annotations: By image id, in the file's order; `bbox` as four floats; without `iscrowd` in the file it is 0,
            without `area` the box's; `segmentation` where the file has one.
        categories: Name by id.
    """

    images: dict[int, dict[str, Any]]
    annotations: dict[int, list[dict[str, Any]]]
    categories: dict[int, str]


def read_entries(path: Path, content: bytes) -> Entries:
    """Parse and check a COCO JSON file.

    Args:
        path: Of the file, for messages.
        content: What is in it.

    Raises:
        ValueError: If it is no JSON, or no COCO annotations, or an entry is wrong; the message names file and entry.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected COCO annotations as JSON, got text that is not JSON: {error}") from error
    lists = _lists(path, document)
    try:
        categories = _categories(lists["categories"])
        images = _images(lists["images"])
        return Entries(images, _annotations(lists["annotations"], images, categories), categories)
    except _EntryError as error:
        raise ValueError(f"{path}: {error}") from error


class _EntryError(ValueError):
    """An entry is wrong; the message names it."""

    def __init__(self, place: str, expected: str, got: object) -> None:
        shown = repr(got)
        shown = shown if len(shown) <= 80 else f"{shown[:80]}..."
        super().__init__(f"{place}: expected {expected}, got {shown}")


def _lists(path: Path, document: Any) -> dict[str, list[Any]]:
    names = ("images", "annotations", "categories")
    if not isinstance(document, Mapping):
        hint = "; a list of detections is a result, not ground truth" if isinstance(document, list) else ""
        raise ValueError(
            f"{path}: expected COCO annotations, an object with {', '.join(names)}, got {type(document).__name__}{hint}"
        )
    for name in names:
        if not isinstance(document.get(name), list):
            got = "no such list" if name not in document else type(document[name]).__name__
            raise ValueError(f"{path}: expected COCO annotations with a list of {name}, got {got}")
    for name in names[::2]:
        if not document[name]:
            raise ValueError(f"{path}: expected COCO annotations with at least one of {name}, got none")
    return {name: document[name] for name in names}


def _categories(entries: list[Any]) -> dict[int, str]:
    categories: dict[int, str] = {}
    names: set[str] = set()
    for number, entry in enumerate(entries):
        place = f"categories[{number}]"
        _check_keys(entry, place, ("id", "name"))
        category = _integer(entry["id"], place, "id")
        if not isinstance(entry["name"], str) or not entry["name"]:
            raise _EntryError(place, "a name", entry["name"])
        if category in categories:
            raise _EntryError(place, "an id that no other category has", category)
        if entry["name"] in names:
            raise _EntryError(place, "a name that no other category has (rename or remove one)", entry["name"])
        names.add(entry["name"])
        categories[category] = entry["name"]
    return dict(sorted(categories.items()))


def _images(entries: list[Any]) -> dict[int, dict[str, Any]]:
    images: dict[int, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        place = f"images[{number}]"
        _check_keys(entry, place, ("id", "file_name", "width", "height"))
        image = _integer(entry["id"], place, "id")
        if image in images:
            raise _EntryError(place, "an id that no other image has", image)
        place = f"{place} (id {image})"
        name = entry["file_name"]
        if not isinstance(name, str) or not _is_file_name(name):
            raise _EntryError(place, "a file_name", name)
        if os.path.isabs(name) or os.path.normpath(name).split(os.sep)[0] == os.pardir:
            raise _EntryError(place, "a file_name within the images folder", name)
        for side in ("width", "height"):
            if not 1 <= _integer(entry[side], place, side) <= _FARTHEST_PX:
                raise _EntryError(place, f"a {side} in pixels", entry[side])
        images[image] = {"file_name": name, "width": entry["width"], "height": entry["height"]}
    return dict(sorted(images.items()))


def _annotations(
    entries: list[Any], images: Mapping[int, Mapping[str, Any]], categories: Collection[int]
) -> dict[int, list[dict[str, Any]]]:
    annotations: dict[int, list[dict[str, Any]]] = {image: [] for image in images}
    ids: set[int] = set()
    for number, entry in enumerate(entries):
        place = f"annotations[{number}]"
        _check_keys(entry, place, ("id", "image_id", "category_id", "bbox"))
        annotation = _integer(entry["id"], place, "id")
        if annotation in ids:
            raise _EntryError(place, "an id that no other annotation has", annotation)
        ids.add(annotation)
        place = f"{place} (id {annotation})"
        # In a set or dict, 1.0 and True would be found too.
        image = _integer(entry["image_id"], place, "image_id")
        if image not in annotations:
            raise _EntryError(place, "the image_id of one of the images", image)
        if _integer(entry["category_id"], place, "category_id") not in categories:
            raise _EntryError(place, "the category_id of one of the categories", entry["category_id"])
        checked = {key: entry[key] for key in _KEPT if entry.get(key) is not None}
        checked["bbox"] = _box(entry["bbox"], place)
        if checked.setdefault("iscrowd", 0) not in (0, 1):
            raise _EntryError(place, "iscrowd as 0 or 1", entry["iscrowd"])
        checked["iscrowd"] = int(checked["iscrowd"])
        area = checked.setdefault("area", checked["bbox"][2] * checked["bbox"][3])
        if not _is_place(area, _FARTHEST_PX**2) or area < 0:
            raise _EntryError(place, "an area in square pixels", area)
        if "segmentation" in checked and not _check_segmentation(checked["segmentation"], place, images[image]):
            del checked["segmentation"]
        annotations[image].append(checked)
    return annotations


def _is_file_name(name: str) -> bool:
    try:
        return bool(name) and b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _box(box: Any, place: str) -> list[float]:
    """Left, top, width, height as floats: the wrapper of torchvision makes whole numbers integer boxes."""
    if not isinstance(box, list) or len(box) != 4 or not all(_is_place(value) for value in box):
        raise _EntryError(place, "bbox as [left, top, width, height], finite numbers of pixels", box)
    if box[2] < 0 or box[3] < 0:
        raise _EntryError(place, "bbox with a width and height that are not negative", box)
    return [float(value) for value in box]


def _check_segmentation(segmentation: Any, place: str, image: Mapping[str, Any]) -> bool:
    """Whether a segmentation has a form that pycocotools reads; False if it is empty. Its numbers are not checked."""
    if isinstance(segmentation, dict):
        size = [image["height"], image["width"]]
        if segmentation.get("size") != size:
            raise _EntryError(place, f"a run-length mask of the image's size {size}", segmentation.get("size"))
        if not isinstance(segmentation.get("counts"), str | list):
            raise _EntryError(place, "a run-length mask with counts", segmentation.get("counts"))
        return True
    if not isinstance(segmentation, list):
        raise _EntryError(place, "a segmentation by polygons or run lengths", segmentation)
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise _EntryError(place, "polygons as [x, y, x, y, ...] of three points or more", polygon)
    return bool(segmentation)


def _check_keys(entry: Any, place: str, keys: tuple[str, ...]) -> None:
    if not isinstance(entry, dict):
        raise _EntryError(place, f"an object with {', '.join(keys)}", entry)
    for key in keys:
        if key not in entry:
            raise _EntryError(place, f"the key {key!r}", list(entry))


def _integer(value: Any, place: str, key: str) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise _EntryError(place, f"{key} as an integer", value)
    return value


def _is_place(value: Any, farthest: float = _FARTHEST_PX) -> bool:
    # Comparing works for integers of any size, where math.isfinite overflows.
    return type(value) in (int, float) and -farthest <= value <= farthest and not math.isnan(value)

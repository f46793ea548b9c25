"""Which tar shards a text means, and what lies beside them: class names and numbers of samples."""

import glob
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

from freqlearn import atomic
from freqlearn.pipelines.packing.finding import find_packed, packed_shards

CLASSES = "classes.txt"
SIZES = "sizes.json"
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_log = logging.getLogger(__name__)


def are_shards(text: str | Path) -> bool:
    """Whether a text names tar shards: a pattern, path, URL or command that ends in one, or a folder of tar files.

    A packed set, or one of its splits, is a folder of tar files.

    Raises:
        ValueError: If the index of a packed set is damaged.
    """
    name = str(text)
    if find_packed(name) is not None:
        return True
    if Path(name).is_dir():
        return any(entry.name.endswith(SUFFIXES) for entry in os.scandir(name))
    return name.startswith("pipe:") or "://" in name or name.endswith(SUFFIXES)


def expand(source: str | Path) -> tuple[str, ...]:
    """The shards that a text names: a folder's tar files by name, or what webdataset makes of a pattern.

    Of a packed set, its index says which those of a split are; of one split, it may be given without that.

    Raises:
        ValueError: If there are none.
        ImportError: If webdataset is missing.
    """
    packed = find_packed(source)
    if packed is not None:
        return tuple(map(str, packed.packed.shards(packed.folder().name)))
    folder = Path(source)
    if folder.is_dir():
        urls = sorted(str(folder / entry.name) for entry in os.scandir(folder) if entry.name.endswith(SUFFIXES))
        if not urls:
            raise ValueError(f"{folder}: expected tar files ({', '.join(SUFFIXES)}) in this folder, found none")
        return tuple(urls)
    try:
        from webdataset.shardlists import expand_urls
    except ModuleNotFoundError as error:
        raise ImportError("tar shards need webdataset: pip install 'freqlearn[webdataset]'") from error
    try:
        urls = expand_urls(str(source))
    except (ValueError, AssertionError) as error:  # unbalanced braces; a variable that is not set
        raise ValueError(f"{source}: expected shards such as train-{{0000..0146}}.tar: {error}") from error
    found = [path for url in urls for path in (sorted(glob.glob(url)) if "*" in url and ":" not in url else [url])]
    if not found:
        raise ValueError(f"{source}: expected tar files of such names, found none")
    return tuple(found)


def read_classes(
    urls: Sequence[str], classes: str | Path | Sequence[str] | None, default: Sequence[str] | None = None
) -> tuple[tuple[str, ...], Path | None]:
    """Class names: as given, of a text file with one a line, or of classes.txt beside the shards or above them.

    Returns:
        The names, and the folder of their file.

    Raises:
        ValueError: If there are none, or one is there twice.
    """
    if classes is not None and not isinstance(classes, str | os.PathLike):
        return _checked(tuple(classes), "classes"), None
    places = [place / CLASSES for folder in _folders(urls) for place in (folder, folder.parent)]
    path = Path(classes) if classes is not None else next((place for place in places if place.is_file()), None)
    if path is None and default is not None:
        return _checked(tuple(default), "classes"), None
    if path is None:
        raise ValueError(
            f"{urls[0]}: expected {CLASSES} beside the shards or one folder above, with a class name a line in the "
            "order of their numbers, found none; say with --classes where it is"
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a text file with a class name a line: {error}") from error
    return _checked(tuple(line.strip() for line in lines if line.strip()), str(path)), path.parent


def listed_sizes(urls: Sequence[str], beside: Path | None) -> tuple[int, ...] | None:
    """What sizes.json says of the shards, or a packed set's index; None if there is none, or nothing of them in it.

    Args:
        urls: The shards; the file is looked for beside them,
        beside: and in this folder.

    Raises:
        ValueError: If it cannot be read, or has some of the shards and not others; or if shards of a packed set are not
            what its index says.
    """
    indexed = packed_shards(urls)
    if indexed is not None:
        return tuple(shard.images for shard in indexed[1])
    listed: dict[str, object] = {}
    for folder in [*([beside] if beside is not None else []), *_folders(urls)]:
        path = folder / SIZES
        if path.is_file():
            try:
                read = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{path}: expected JSON: {error}") from error
            if not isinstance(read, dict):
                raise ValueError(f'{path}: expected {{"SHARD.tar": SAMPLES, ...}}, got {type(read).__name__}')
            # What lies beside the shards themselves counts more.
            listed |= {str(folder / name) if folder in _folders(urls) else name: size for name, size in read.items()}
    found = [_first(listed, [url, _local_name(url), file_name(url)]) for url in urls]
    if all(size is None for size in found):
        return None
    for url, size in zip(urls, found, strict=True):
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise ValueError(f"{url}: expected its number of samples in {SIZES}, got {size}; complete or remove it")
    return tuple(int(str(size)) for size in found)


def count_shards(urls: Sequence[str]) -> tuple[int, ...]:
    """How many samples each shard holds: quick for uncompressed local files, others are read once.

    Raises:
        SampleError: If one cannot be read to its end.
    """
    from freqlearn.pipelines.shards.reading import count_samples

    if len(urls) > 10:
        _log.info("Counting the samples of %d shards; a %s beside them saves that", len(urls), SIZES)
    return tuple(count_samples(url) for url in urls)


def write_sizes(source: str | Path, output: str | Path) -> dict[str, int]:
    """Count the samples of shards and write sizes.json, which belongs beside them.

    Args:
        source: The shards; see `open_shards`.
        output: File to write.

    Returns:
        Shard name -> number of samples.
    """
    urls = expand(source)
    sizes = {file_name(url): size for url, size in zip(urls, count_shards(urls), strict=True)}
    atomic.write_text(output, json.dumps(sizes, indent=1) + "\n")
    return sizes


def file_name(url: str) -> str:
    """A shard's file name; of a command the last tar file that it names, or the whole command."""
    if url.startswith("pipe:"):
        named = [word for word in url.removeprefix("pipe:").split() if word.strip("'\"").endswith(SUFFIXES)]
        return named[-1].strip("'\"").rpartition("/")[2] if named else url
    return urlparse(url).path.rpartition("/")[2]


def _folders(urls: Sequence[str]) -> list[Path]:
    """The local folders that shards lie in."""
    from freqlearn.pipelines.shards.reading import is_local

    return list(dict.fromkeys(Path(urlparse(url).path).parent for url in urls if is_local(url)))


def _checked(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        got = f"{twice[0]!r} twice" if twice else "none"
        raise ValueError(f"{where}: expected different class names, one a line, got {got}")
    return names


def _first(listed: dict[str, object], names: Sequence[str]) -> object:
    return next((listed[name] for name in names if name in listed), None)


def _local_name(url: str) -> str:
    return url if url.startswith("pipe:") else str(Path(urlparse(url).path))

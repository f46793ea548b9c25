"""A progress bar on stderr for what Lightning does not run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(
    doing: str, unit: str, *, total: int | None, done: int = 0, shown: bool = True
) -> Iterator[Callable[[], object]]:
    """Show a bar for the length of a block.

    Args:
        doing: What is being done, in a word.
        unit: What is counted, in the plural.
        total: How many there are; None if nobody knows.
        done: How many are done already.
        shown: Whether to show it at all.

    Yields:
        Call it after each one.

    Raises:
        ImportError: If it is to be shown and the extra `train` is missing.
    """
    if not shown:
        yield lambda: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ModuleNotFoundError as error:
        raise ImportError("the progress bar needs rich: pip install 'freqlearn[train]', or turn it off") from error
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(doing, total=total, completed=done)
        yield lambda: bar.advance(task)

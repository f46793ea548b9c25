"""What `freqlearn stats` keeps of an interrupted run, so that the next one goes on where it stopped."""

import json

from freqlearn.documents import Format
from freqlearn.pipelines.measuring import Measurement
from freqlearn.pipelines.unfinished import UnfinishedRun
from freqlearn.statistics import ChannelStatistics

_FORMAT = Format(
    "freqlearn.partial_statistics",
    2,
    "an unfinished measurement",
    ("run", "list", "done", "skipped", "statistics"),
    "measure anew",
)


class PartialFile(UnfinishedRun[int, Measurement]):
    """Unfinished measurements of lists of files, by the lists' numbers."""

    def load(self) -> dict[int, Measurement]:
        """Return the unfinished measurements of this run; of a list that several processes have, the longest."""
        found: dict[int, Measurement] = {}
        for number, measurement in self.entries():
            if number not in found or measurement.done > found[number].done:
                found[number] = measurement
        return found

    def line(self, key: int, value: Measurement) -> str:
        """What has been measured of a list, as a line of text."""
        state = _FORMAT.document(
            run=self.run,
            list=key,
            done=value.done,
            skipped=value.skipped,
            statistics=value.statistics.to_dict(),
        )
        return json.dumps(state) + "\n"

    def parsed(self, line: bytes) -> tuple[str, int, Measurement]:
        """What run a line is of, a list's number, and what has been measured of it."""
        data = _FORMAT.checked(_FORMAT.parsed(line.decode()))
        skipped = tuple((path, reason) for path, reason in data["skipped"])
        measurement = Measurement(ChannelStatistics.from_dict(data["statistics"]), int(data["done"]), skipped)
        return data["run"], int(data["list"]), measurement

"""From a checkpoint to a file that runs without it, compared with the checkpoint."""

from freqlearn.pipelines.export.exporting import Export, export

__all__ = ["Export", "export"]

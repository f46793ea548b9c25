"""Datasets, training, ranking and the `freqlearn` command."""

"""Normalisation layers at small and large batches, on photos of flowers: the tables of docs/normalisation.md."""

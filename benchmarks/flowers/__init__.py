"""Frequency channels against RGB on photos of flowers, trained from scratch: the numbers of docs/results.md."""

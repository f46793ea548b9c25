"""Stem-less networks and the frequency gate."""

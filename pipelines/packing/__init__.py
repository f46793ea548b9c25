"""Packed sets: photos at a model's evaluation size, with its channels only, as standard JPEG files in tar shards."""

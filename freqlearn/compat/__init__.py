"""The interfaces of other packages, on freqlearn's decoder, so that their users change one import."""

"""Learning in the frequency domain: JPEG bytes to frequency channels."""

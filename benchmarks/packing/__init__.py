"""What packing at evaluation size gives and costs: bytes, speed, and the error in a model's channels."""

"""A spec of a few channels and pixels, which keeps tests of whole pipelines quick."""

import freqlearn as fl

SPEC = fl.InputSpec(
    kind="dct",
    channels=fl.ChannelSet.of((0, 1, 8, 64, 128)),
    mean=(10.0, 1.0, 2.0, 3.0, 4.0),
    std=(400.0, 80.0, 80.0, 50.0, 50.0),
    size_px=32,
    resize_px=40,
)

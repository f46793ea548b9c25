"""What `freqlearn prune` runs. Light to import, so that its --help is quick."""

from freqlearn.pipelines.first_process import say
from freqlearn.pipelines.pruning.options import PruneOptions


def prune(options: PruneOptions) -> None:
    """Make JPEG files smaller by what a model does not see: still standard JPEG files, which every viewer opens.

    Give --for to keep what a model's evaluation weighs in each file, or --channels to keep some of each file's own
    channels. Nothing is decoded to pixels: coefficients that stay are exact, those that go are zero, and Huffman tables
    are made anew. What follows the picture in its file (further pictures, a film) goes too. There is no way back.

    --channels is literal, and loses more than the numbers say: a file's channels are not the model's where a resize
    lies between them. A model that resizes photos makes each of its channels of several of the file's, higher ones too:
    of photos of 500 px with only their lowest 4x4 frequencies, resized to 512 px, the model's Y(0,3) is 70 % off. Use
    it where pictures go to the model as large as they are (`freqlearn pack` writes such); otherwise --for.

    What is no JPEG file is copied as it is: labels, other images, and JPEG files without coefficients of Y, Cb and Cr
    (CMYK, RGB). Names, members of shards and their order stay. Stopped at any time, the same command goes on. Writes
    a report: bytes before and after, by class, luma PSNR against the original (from coefficients, without rounding or
    clamping; with --for without the blocks that the centre crop cuts off), and files that grew.
    """
    from freqlearn.pipelines.pruning.running import prune as run

    report = run(options)
    say(report.to_json().rstrip() if options.json else str(report))

"""What `freqlearn pack` runs. Light to import, so that its --help is quick."""

import json

from freqlearn.pipelines.first_process import say
from freqlearn.pipelines.packing.options import PackOptions


def pack(options: PackOptions) -> int:
    """Pack a folder of photos for a model: resized as its evaluation does, with its channels only, in tar shards.

    The photos are resized in the coefficient domain, exactly; rounding to the quantisation tables is the only loss of
    what evaluation sees. What comes out are standard JPEG files in WebDataset shards, in OUT/train, OUT/val, with
    classes.txt and index.json, which says how many there are, of which classes, for which InputSpec, and the shards'
    checksums. `freqlearn train --data OUT` and the loaders take the folder.

    Photos with a shorter side than evaluation resizes to are enlarged, as evaluation would. Of the long side, up to 15
    px are left out, which evaluation never sees. EXIF orientation stays, all other metadata go. Stopped at any time,
    the same command goes on behind the last finished shard. At the end everything is read again.

    freqlearn pack --check OUT reads a packed set from beginning to end and exits with status 1 if something is wrong;
    freqlearn pack DIR --check OUT also compares what evaluation sees of its pictures and of the photos.
    """
    if options.check is None:
        from freqlearn.pipelines.packing.running import pack as run

        report = run(options)
        say(report.to_json().rstrip() if options.json else str(report))
        return 0
    from freqlearn.pipelines.packing.checking import check

    faults = check(options.check, data=options.data, threads=options.threads, progress=options.progress)
    if options.json:
        say(json.dumps({"packed_set": str(options.check), "faults": faults}, indent=1))
    else:
        for fault in faults or [f"{options.check}: everything is as it was packed"]:
            say(fault)
    return 1 if faults else 0

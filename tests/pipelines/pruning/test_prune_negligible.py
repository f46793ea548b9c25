"""`freqlearn prune --negligible`: the files of keep_visible(negligible=)."""

import numpy as np
import pytest

import freqlearn as fl
from freqlearn.pipelines.pruning.options import PruneOptions

SPEC = fl.InputSpec.unstandardised(fl.ChannelSet.square(24), 32, 40)


@pytest.mark.parametrize("whole_picture", [False, True])
def test_what_alone_hardly_matters_goes(whole_picture, source, jpegs, tmp_path, prune):
    SPEC.save(tmp_path / "spec.json")
    report = prune(
        source, tmp_path / "out", for_=str(tmp_path / "spec.json"), negligible=3.0, whole_picture=whole_picture
    )
    assert report.options["negligible"] == 3.0
    assert "negligible 3" in str(report)
    for name in jpegs:
        want = fl.read_dct(source / name).keep_visible(SPEC, negligible=3.0, whole_picture=whole_picture)
        for ours, theirs in zip(fl.read_dct(tmp_path / "out" / name).planes, want.planes, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("negligible", [1.0, 8.0])
def test_more_of_it_leaves_fewer_bytes(negligible, source, tmp_path, prune):
    SPEC.save(tmp_path / "spec.json")
    sizes = [
        prune(source, tmp_path / str(value), for_=str(tmp_path / "spec.json"), negligible=value).total.bytes_after
        for value in (0.0, negligible)
    ]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"channels": 24, "negligible": 1.0}, "negligible, .* go with for"),
        ({"for_": "spec.json", "negligible": -1.0}, "negligible must be a number of at least 0, got -1"),
        ({"for_": "spec.json", "negligible": float("nan")}, "negligible must be a number of at least 0, got nan"),
    ],
    ids=["without for", "negative", "nan"],
)
def test_bad_options(options, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        PruneOptions(source="in", output=tmp_path / "out", **options)

import io
import json
import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin

from freqlearn.channel_text import parse_channels
from freqlearn.channels import ChannelSet
from freqlearn.indexing import ZIGZAG, channel_index, label, split_index

# DCTNet's published lists (github.com/kaix90/DCTNet, classification/main/__init__.py): Y, and Cb = Cr.
PUBLISHED = {
    24: ([*range(4), *range(8, 12), *range(16, 20), *range(24, 28)], [0, 1, 8, 9]),
    32: ([*range(5), *range(8, 13), *range(16, 21), *range(24, 28), *range(32, 35)], [0, 1, 2, 8, 9]),
    48: (
        [*range(6), *range(8, 14), *range(16, 22), *range(24, 30), *range(32, 36), *range(40, 44)],
        [0, 1, 2, 8, 9, 10, 16, 17],
    ),
    64: (
        [*range(7), *range(8, 15), *range(16, 22), *range(24, 30), *range(32, 38), *range(40, 46), *range(48, 54)],
        [0, 1, 2, 8, 9, 10, 16, 17, 24, 25],
    ),
}


@pytest.mark.parametrize("n", PUBLISHED)
def test_square_sets_are_the_published_ones(n):
    luma, chroma = PUBLISHED[n]
    channels = ChannelSet.square(n)
    assert channels.indices == (*luma, *(64 + i for i in chroma), *(128 + i for i in chroma))
    assert len(channels) == n
    assert channels.name == f"DCT-{n}"
    assert channels.component(0) == tuple(luma)
    assert channels.component("Cb") == channels.component(2) == tuple(chroma)


@pytest.mark.parametrize("n", [0, 16, 23, 192, "24", None])
def test_square_of_another_size_says_what_there_is(n):
    with pytest.raises(ValueError, match=r"published sizes \[24, 32, 48, 64\].*got .*zigzag"):
        ChannelSet.square(n)


def test_zigzag_order_is_that_of_jpeg_files():
    # A DQT segment holds the table in zigzag order, Pillow gives it in natural order; all entries are different.
    natural = list(range(1, 65))
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", qtables=[natural])
    data = file.getvalue()
    segment = data.index(b"\xff\xdb") + 5  # marker, length, precision and id
    in_file = list(data[segment : segment + 64])
    with Image.open(io.BytesIO(data)) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        natural_read = image.quantization[0]
    assert [natural_read[i] for i in ZIGZAG] == in_file
    assert sorted(ZIGZAG) == list(range(64))


def test_zigzag_set():
    channels = ChannelSet.zigzag(6, 1, 3)
    assert channels.indices == (0, 1, 8, 16, 9, 2, 64, 128, 129, 136)
    assert channels.name == "zigzag-6-1-3"
    assert ChannelSet.zigzag(0, 0, 64).issubset(range(128, 192))
    assert ChannelSet.zigzag(64, 64, 64).issuperset(ChannelSet.all())


@pytest.mark.parametrize(
    ("counts", "error", "message"),
    [
        ((65, 0, 0), ValueError, r"0\.\.64 channels of Y, got 65"),
        ((1, -1, 0), ValueError, r"0\.\.64 channels of Cb, got -1"),
        ((1, 1, 2.0), TypeError, r"Cr channels as an integer, got 2\.0"),
        ((0, 0, 0), ValueError, "at least one channel"),
    ],
)
def test_zigzag_rejects(counts, error, message):
    with pytest.raises(error, match=message):
        ChannelSet.zigzag(*counts)


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        np.array,
        lambda v: torch.tensor(v, requires_grad=True),
        lambda v: torch.tensor(v, dtype=torch.bfloat16),
        lambda v: SimpleNamespace(values=v),
        lambda v: SimpleNamespace(values=np.array(v, dtype=np.float32)),
    ],
    ids=["list", "array", "tensor with gradient", "bfloat16", ".values list", ".values array"],
)
def test_top_takes_the_largest_in_channel_order(wrap):
    importance = [0.0] * 192
    for index, value in {150: 0.75, 3: 0.5, 64: 1.0, 10: 0.25}.items():
        importance[index] = value
    channels = ChannelSet.top(wrap(importance), 3)
    assert channels.indices == (3, 64, 150)
    assert channels.name == "top-3"


def test_top_takes_the_lower_index_of_equals():
    importance = [1.0] * 192
    importance[100] = 2.0
    assert ChannelSet.top(importance, 4).indices == (0, 1, 2, 100)
    assert ChannelSet.top(importance, 192) == ChannelSet.all()


@pytest.mark.parametrize(
    ("importance", "k", "error", "message"),
    [
        ([1.0] * 191, 3, ValueError, r"192 numbers as importance, got shape \(191,\)"),
        (np.ones((3, 8, 8)), 3, ValueError, r"got shape \(3, 8, 8\)"),
        (["a"] * 192, 3, ValueError, "192 numbers as importance, got list"),
        ([0.0] * 9 + [math.nan] + [0.0] * 182, 3, ValueError, r"got nan for channel 9 = Y\(1,1\)"),
        ([1.0] * 192, 0, ValueError, r"k in 1\.\.192, got 0"),
        ([1.0] * 192, 193, ValueError, r"k in 1\.\.192, got 193"),
        ([1.0] * 192, 2.5, TypeError, r"k as an integer, got 2\.5"),
    ],
)
def test_top_rejects(importance, k, error, message):
    with pytest.raises(error, match=message):
        ChannelSet.top(importance, k)


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([], ValueError, "at least one channel, got none"),
        ([0, 192], ValueError, r"0\.\.191, got 192"),
        ([-1], ValueError, r"0\.\.191, got -1"),
        ([5, 64, 5], ValueError, r"got 5 = Y\(0,5\) more than once"),
        ([0, 1.0], TypeError, r"integer, got 1\.0"),
        ([True, False], TypeError, "integer, got True"),
        (np.array([0.5]), TypeError, r"integer, got 0\.5"),
        (np.array([True]), TypeError, "integer, got True"),
        ("12", TypeError, "text '12'"),
        (7, TypeError, "iterable of channel indices, got 7"),
        ([None], TypeError, "integer, got None"),
        ([[1, 2]], TypeError, r"integer, got \[1, 2\]"),
    ],
)
def test_invalid_indices_are_named(indices, error, message):
    with pytest.raises(error, match=message):
        ChannelSet.of(indices)


@pytest.mark.parametrize(
    "indices",
    [[70, 3, 191], (70, 3, 191), iter([70, 3, 191]), np.array([70, 3, 191], np.uint8), torch.tensor([70, 3, 191])],
    ids=["list", "tuple", "iterator", "array", "tensor"],
)
def test_explicit_indices_keep_their_order_and_are_plain_integers(indices):
    channels = ChannelSet.of(indices)
    assert channels.indices == (70, 3, 191)
    assert all(type(i) is int for i in channels.indices)
    assert channels.name == "custom-3"
    assert list(channels) == [70, 3, 191]
    assert len(channels) == 3
    assert 70 in channels
    assert 71 not in channels
    assert channels[1] == 3
    assert channels[-2:] == ChannelSet.of([3, 191])


def test_union_and_intersection_keep_the_order():
    a, b = ChannelSet.of([5, 1, 9], name="a"), ChannelSet.of([9, 2, 5], name="b")
    assert (a | b).indices == (5, 1, 9, 2)
    assert (a & b).indices == (5, 9)
    assert (a - b).indices == (1,)
    assert (a | b).name == "a|b"
    assert (a & b).issubset(a)
    assert (a | b).issuperset(b)
    assert (a - b).isdisjoint(b)
    assert ChannelSet.square(24).issubset(ChannelSet.square(64))


@pytest.mark.parametrize("empty", [lambda a, b: a & b, lambda a, b: a - a], ids=["&", "-"])
def test_an_empty_result_is_an_error_that_names_it(empty):
    with pytest.raises(ValueError, match=r"left.*is empty"):
        empty(ChannelSet.of([1], name="left"), ChannelSet.of([2], name="right"))


def test_operations_with_something_else_are_type_errors():
    for operation in ("__or__", "__and__", "__sub__"):
        assert getattr(ChannelSet.of([1]), operation)([2]) is NotImplemented


def test_equality_is_channels_and_order_not_name():
    a = ChannelSet.of([1, 2], name="a")
    assert a == ChannelSet.of([1, 2], name="b")
    assert hash(a) == hash(ChannelSet.of([1, 2], name="b"))
    assert a != ChannelSet.of([2, 1])
    assert a != (1, 2)


@pytest.mark.parametrize("channels", [ChannelSet.all(), ChannelSet.square(32), ChannelSet.of([9, 0], name="ä")])
def test_json_and_pickle_round_trips(channels):
    for copy in (ChannelSet.from_json(channels.to_json()), pickle.loads(pickle.dumps(channels))):
        assert copy == channels
        assert copy.name == channels.name


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": "other"}, ValueError, "got 'other'"),
        ({"version": 2}, ValueError, "version 1 .*got 2.*update"),
        ({"extra": 1}, ValueError, "fields .*extra"),
        ({"indices": [0, 0]}, ValueError, "more than once"),
        ({"indices": "012"}, TypeError, "as a list"),
        ({"indices": [0.0]}, TypeError, "integer"),
        ({"name": 3}, TypeError, "name as a string, got 3"),
    ],
)
def test_json_that_is_not_understood_is_refused(change, error, message):
    data = {**ChannelSet.square(24).to_dict(), **change}
    with pytest.raises(error, match=message):
        ChannelSet.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "{", "not json"])
def test_text_that_is_not_json_is_refused(text):
    with pytest.raises(ValueError, match="not JSON"):
        ChannelSet.from_json(text)


def test_json_of_something_else_is_refused():
    with pytest.raises(ValueError, match=r"expected a channel set.*got 'list'"):
        ChannelSet.from_json("[1, 2]")


def test_mask_and_labels():
    channels = ChannelSet.of([channel_index("Cr", 7, 2), channel_index(0, 0, 3)])
    mask = channels.mask().reshape(3, 8, 8)
    assert mask.sum() == 2
    assert mask[2, 7, 2]
    assert mask[0, 0, 3]
    assert channels.labels() == ("Cr(7,2)", "Y(0,3)")
    assert [split_index(i) for i in channels] == [(2, 7, 2), (0, 0, 3)]


@pytest.mark.parametrize("index", [192, -1])
def test_labels_of_channels_that_do_not_exist(index):
    with pytest.raises(ValueError, match=r"0\.\.191"):
        label(index)


@pytest.mark.parametrize("component", ["y", "R", 3, -1, None, True])
def test_component_that_does_not_exist(component):
    with pytest.raises(ValueError, match="expected a component 0, 1, 2"):
        ChannelSet.all().component(component)


@pytest.mark.parametrize(("v", "u", "error"), [(8, 0, ValueError), (0, -1, ValueError), (0.5, 0, TypeError)])
def test_frequency_that_does_not_exist(v, u, error):
    with pytest.raises(error, match="frequency"):
        channel_index(0, v, u)


def test_positions_index_the_channel_axis():
    x = torch.arange(192)[:, None, None].expand(192, 2, 2)
    wanted = ChannelSet.square(24)
    positions = ChannelSet.all().positions(wanted)
    assert x[list(positions), 0, 0].tolist() == list(wanted)
    assert ChannelSet.of([7, 3, 5]).positions([5, 7]) == (2, 0)
    with pytest.raises(ValueError, match=r"DCT-24 .*lacks 4 = Y\(0,4\)"):
        wanted.positions([0, 4])


def test_describe_draws_three_grids():
    text = ChannelSet.of([channel_index("Y", 0, 0), channel_index("Cb", 2, 5), channel_index("Cr", 7, 7)]).describe()
    head, names, _, *rows = text.splitlines()
    assert head == "custom-3: 3 channels"
    assert names.split() == ["Y", "(1)", "Cb", "(1)", "Cr", "(1)"]
    # Each row reads: v and 8 cells, three times.
    cells = np.array([row.split() for row in rows]).reshape(8, 3, 9)
    assert (cells[:, :, 0] == np.arange(8).astype(str)[:, None]).all()
    drawn = np.argwhere(cells[:, :, 1:] == "#")
    assert drawn.tolist() == [[0, 0, 0], [2, 1, 5], [7, 2, 7]]  # v, component, u
    assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", ChannelSet.all()),
        ("192", ChannelSet.all()),
        ("24", ChannelSet.square(24)),
        ("DCT-64", ChannelSet.square(64)),
        ("zigzag-6-0-1", ChannelSet.zigzag(6, 0, 1)),
        ("y", ChannelSet.of(range(64))),
        ("Cr", ChannelSet.of(range(128, 192))),
        ("0-3, 64,7", ChannelSet.of([0, 1, 2, 3, 64, 7])),
        ("Cb(0,1),Y(7,7),5", ChannelSet.of([65, 63, 5])),
        ("96-96", ChannelSet.of([96])),
    ],
)
def test_text_for_the_command_line(text, expected):
    assert parse_channels(text) == expected


@pytest.mark.parametrize("channels", [ChannelSet.all(), ChannelSet.square(48), ChannelSet.of([9, 3, 4, 5, 2, 191])])
def test_repr_is_short_and_says_which_channels(channels):
    text = repr(channels)
    assert len(text) < 200
    assert parse_channels(text.removesuffix(")").partition(": ")[2]) == channels


@pytest.mark.parametrize("channels", [ChannelSet.all(), ChannelSet.square(48), ChannelSet.zigzag(3, 2, 1)])
def test_names_of_the_standard_sets_can_be_typed(channels):
    assert parse_channels(channels.name) == channels


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("25-3", "range upwards, got '25-3'"),
        ("0-99999999999", "got 99999999999"),
        ("1,1", "more than once"),
        ("low", "'low' is none of these"),
        ("96", "alone write 96-96"),
        ("Y(0,8)", "frequency u"),
        ("", "'' is none of these"),
    ],
)
def test_text_that_means_no_set(text, message):
    with pytest.raises(ValueError, match=r"(?s)expected .*" + message):
        parse_channels(text)


def test_text_that_names_a_file(tmp_path):
    path = tmp_path / "set.json"
    path.write_text(ChannelSet.of([3, 1]).to_json())
    assert parse_channels(str(path)).indices == (3, 1)
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"set\.json: expected a channel set"):
        parse_channels(str(path))

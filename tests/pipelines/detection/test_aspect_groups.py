"""Batches of similar shapes: torchvision's groups, every sample once, an order that batch sizes do not change."""

import json
import shutil
from bisect import bisect_right
from itertools import chain

import numpy as np
import pytest
import torch
from PIL import Image

from freqlearn.pipelines import sampling
from freqlearn.pipelines.detection.coco import CocoFolder
from freqlearn.pipelines.detection.dataset import CocoDataset
from freqlearn.pipelines.loaders import make_loader
from freqlearn.pipelines.sampling import SAMPLES_SIDE_BY_SIDE, EpochSampler

GROUPS = [0] * 90 + [1] * 70 + [2] * 45
SIDE_BY_SIDE = SAMPLES_SIDE_BY_SIDE


def order(groups=GROUPS, *, epoch=0, seed=0, **options):
    sampler = EpochSampler(len(GROUPS), shuffle=True, seed=seed, groups=groups, **options)
    sampler.set_epoch(epoch)
    return [index for _, index in sampler]


def mixed(indices, size):
    """Batches of more than one group."""
    batches = [indices[start : start + size] for start in range(0, len(indices), size)]
    return sum(len({GROUPS[index] for index in batch}) > 1 for batch in batches)


def test_samples_of_a_group_follow_each_other():
    orders = [order(epoch=epoch) for epoch in range(3)]
    for indices in orders:
        assert sorted(indices) == list(range(len(GROUPS)))
        # A boundary between three groups is in at most two rows; 13 samples remain, as they were drawn.
        assert all(mixed(indices[:192], size) <= 2 for size in (2, 4, 8, SIDE_BY_SIDE))
    assert len({tuple(indices) for indices in orders}) == 3
    assert order(seed=1) != orders[0] == order()
    starts = range(0, 192, SIDE_BY_SIDE)
    rows = {frozenset(indices[start : start + SIDE_BY_SIDE]) for indices in orders for start in starts}
    assert len(rows) == 36, "the companions are others in every epoch"


def test_what_is_left_out_is_of_any_group():
    left_out = [set(range(len(GROUPS))) - set(order(epoch=epoch, shares="drop", multiple=16)) for epoch in range(20)]
    assert all(len(indices) == 13 for indices in left_out)
    counts = np.bincount([GROUPS[index] for indices in left_out for index in indices])
    expected = np.array([90, 70, 45]) / len(GROUPS) * 13 * 20
    assert (abs(counts - expected) < 4 * np.sqrt(expected)).all()


def test_processes_get_the_same_group_at_the_same_time(monkeypatch):
    whole = order()
    shares = []
    for rank in range(2):
        monkeypatch.setattr(sampling, "rank_and_world", lambda rank=rank: (rank, 2))
        shares.append(order())
    assert [shares[0][:96], shares[1][:96]] == [whole[:192:2], whole[1:192:2]]
    pairs = zip(shares[0][:96], shares[1][:96], strict=True)
    assert sum(GROUPS[one] != GROUPS[other] for one, other in pairs) <= 2


def test_without_groups_the_order_is_as_ever():
    assert (
        order(groups=None)
        == torch.randperm(len(GROUPS), generator=torch.Generator().manual_seed(sampling.derived_seed(0, 0))).tolist()
    )
    plain = EpochSampler(4, shuffle=False, groups=[1, 0, 1, 0])
    assert [index for _, index in plain] == [0, 1, 2, 3]


def test_groups_are_torchvisions(tmp_path):
    """references/detection/group_by_aspect_ratio.py: `_quantize` of width / height, with `k` 3."""
    heights, widths = (100, 100, 100, 100, 100, 99, 100, 100, 100, 3), (30, 50, 63, 64, 100, 100, 99, 133, 201, 1000)
    sizes = list(zip(heights, widths, strict=True))
    (tmp_path / "images").mkdir()
    images = []
    for number, (height, width) in enumerate(sizes, start=1):
        Image.new("L", (width, height)).save(tmp_path / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": width, "height": height})
    document = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "thing"}]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    bins = (2 ** np.linspace(-1, 1, 7)).tolist()
    expected = [bisect_right(bins, width / height) for height, width in sizes]
    folder = CocoFolder(tmp_path / "images", tmp_path / "a.json")
    assert folder.aspect_groups() == expected
    assert folder.first(3).aspect_groups() == expected[:3]
    assert len(set(expected)) > 4


@pytest.fixture(scope="module")
def many(shapes_dir, tmp_path_factory):
    """The generated scenes, seven times each."""
    root = tmp_path_factory.mktemp("many")
    document = json.loads((shapes_dir / "instances.json").read_text())
    images = document["images"]
    document["images"] = [image | {"id": image["id"] + 100 * copy} for image in images for copy in range(7)]
    document["annotations"] = []
    shutil.copytree(shapes_dir / "images", root / "images")
    (root / "a.json").write_text(json.dumps(document))
    return CocoFolder(root / "images", root / "a.json")


def a_map(source, target):
    """A transform of little work."""
    return torch.zeros(1, 1, 1), target


def batches(folder, batch_size, state=None, **options):
    loader = make_loader(CocoDataset(folder, a_map), batch_size=batch_size, shuffle=True, num_workers=0, **options)
    if state is not None:
        loader.load_state_dict(state)
    return loader, [[target["image_id"] for target in batch.targets] for batch in loader]


def test_loaders_give_batches_of_similar_shapes_and_go_on_with_them(many):
    group = dict(zip(many.image_ids, many.aspect_groups(), strict=True))
    loader, epoch = batches(many, 4)
    assert len(set(group.values())) >= 3
    # Of 17 batches of 4, 16 are of whole rows; each boundary between groups is in at most one of them.
    assert sum(len({group[image_id] for image_id in batch}) > 1 for batch in epoch[:16]) < len(set(group.values()))
    dataset = CocoDataset(many, a_map)
    begun = make_loader(dataset, batch_size=4, shuffle=True, num_workers=0)
    for _, _ in zip(range(3), begun, strict=False):
        state = begun.state_dict()
    assert state["samples"] == 12
    _, rest = batches(many, 2, json.loads(json.dumps(state)))
    assert list(chain(*rest))[:56] == list(chain(*epoch))[12:]
    with pytest.raises(ValueError, match="grouped"):
        loader.load_state_dict({**state, "grouped": None})

"""Batches of COCO samples: loaders, their workers and states, files that cannot be read, and the data module."""

import json
import pickle

import pytest
import torch
from PIL import Image

import freqlearn as fl
from freqlearn import presets
from freqlearn.pipelines.data import UnreadableError
from freqlearn.pipelines.detection.datamodule import DetectionData
from freqlearn.pipelines.detection.dataset import CocoDataset, DetectionBatch
from freqlearn.pipelines.loaders import make_loader

pytest.importorskip("pycocotools.mask")

DCT = fl.InputSpec("dct", fl.ChannelSet.of((0, 1, 64)), (-100.0, 0.0, 0.0), (400.0, 80.0, 50.0), 128)
SEED = 3
TRAIN = presets.detection_train(DCT, min_size=(48, 64, 80), max_size=100, augment="multiscale")


def flat(batches):
    """Samples in order."""
    return [sample for batch in batches for sample in zip(*batch, strict=True)]


def same(one, other):
    image, target = one
    image_too, target_too = other
    return (
        torch.equal(image, image_too)
        and target.keys() == target_too.keys()
        and all(
            torch.equal(value, target_too[key]) if isinstance(value, torch.Tensor) else value == target_too[key]
            for key, value in target.items()
        )
    )


def loader(folder, *, batch_size=2, num_workers=0, shuffle=True, **options):
    dataset = CocoDataset(folder, TRAIN, masks=True, seed=SEED)
    return make_loader(
        dataset, batch_size=batch_size, num_workers=num_workers, shuffle=shuffle, drop_last=False, **options
    )


def test_workers_and_batch_sizes_change_nothing(shapes):
    one = loader(shapes)
    epochs = [list(one), list(one)]
    assert all(isinstance(batch, DetectionBatch) for batch in epochs[0])
    assert [len(batch.images) for batch in epochs[0]] == [2] * 5
    expected = flat(epochs[0])
    assert sorted(target["image_id"] for _, target in expected) == shapes.image_ids
    assert not all(map(same, expected, flat(epochs[1])))
    for options in ({"batch_size": 3}, {"batch_size": 4, "num_workers": 2}):
        other = loader(shapes, **options)
        assert all(map(same, expected, flat(other)))
        assert all(map(same, flat(epochs[1]), flat(other)))


def test_an_epoch_goes_on_where_it_was(shapes):
    expected = flat(loader(shapes))
    begun = loader(shapes, batch_size=4)
    next(iter(begun))
    state = json.loads(json.dumps(begun.state_dict()))
    resumed = loader(shapes, batch_size=3)
    resumed.load_state_dict(state)
    rest = flat(resumed)
    assert len(rest) == 6
    assert all(map(same, expected[4:], rest))
    with pytest.raises(ValueError, match="files"):
        loader(shapes.relabelled(("triangle", "ellipse", "rectangle"))).load_state_dict(state)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_files_that_cannot_be_read_are_skipped(own_shapes, num_workers):
    expected = flat(loader(own_shapes, shuffle=False))
    own_shapes.path(0).unlink()
    own_shapes.path(2).write_bytes(own_shapes.path(2).read_bytes()[:300])
    Image.new("RGB", (16, 16)).save(own_shapes.path(3))
    skipping = loader(own_shapes, shuffle=False, num_workers=num_workers, on_error="skip")
    batches = list(skipping)
    assert [len(batch.images) for batch in batches] == [1, 2, 2, 2]
    assert all(map(same, [expected[1], *expected[4:]], flat(batches)))
    assert list(skipping.bad_images) == [str(own_shapes.path(index)) for index in (0, 2, 3)]
    whys = list(skipping.bad_images.values())
    assert whys[0] == "No such file or directory"
    assert "16x16" in whys[2]
    training = loader(own_shapes, on_error="skip", num_workers=num_workers)
    assert [len(batch.images) for batch in training] == [2] * 5, "filled up by those that follow"
    with pytest.raises(UnreadableError, match=str(own_shapes.path(0))):
        list(loader(own_shapes, shuffle=False, num_workers=num_workers))


def test_datasets_go_to_other_processes(shapes):
    dataset = CocoDataset(shapes, presets.detection_train(DCT, min_size=64, max_size=100), masks=True, seed=SEED)
    assert same(pickle.loads(pickle.dumps(dataset))[1, 2], dataset[1, 2])


def test_data_module(shapes):
    data = DetectionData(
        shapes.annotated(),
        shapes.first(3),
        train_transform=TRAIN,
        eval_transform=presets.detection_eval(DCT, min_size=64, max_size=100),
        masks=True,
        batch_size=4,
        seed=SEED,
    )
    assert data.batches_per_epoch == 2
    batches = list(data.train_dataloader())
    assert [len(batch.images) for batch in batches] == [4, 4]
    assert all("masks" in target for batch in batches for target in batch.targets)
    (batch,) = data.val_dataloader()
    assert [target["image_id"] for target in batch.targets] == [1, 2, 3]
    assert all("masks" not in target and min(target["image_size"]) == 64 for target in batch.targets)
    assert data.bad_images == {}
    without_val = DetectionData(shapes, None, train_transform=TRAIN, eval_transform=TRAIN, masks=False, batch_size=4)
    assert without_val.val_dataloader() == []

"""Detectors are copied, saved, moved, compiled and run in other precisions."""

import copy
import io

import pytest
import torch
from lively_detectors import FEW, SIZES, detector, maps, targets
from torch import Tensor

from freqlearn.models import detection


def found(model) -> list[dict[str, Tensor]]:
    with torch.no_grad():
        return model(maps(), image_sizes=SIZES)


def same(one: list[dict[str, Tensor]], other: list[dict[str, Tensor]]) -> bool:
    return all(torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in a)


@pytest.fixture(scope="module")
def gated():
    """A Mask R-CNN with a gate, and what it finds."""
    model = detector("maskrcnn_resnet18_fpn", gate=True)
    return model, found(model)


def test_a_copy_finds_the_same(gated):
    model, expected = gated
    copied = copy.deepcopy(model)
    assert same(found(copied), expected)
    places = [{tensor.data_ptr() for tensor in one.parameters()} for one in (model, copied)]
    assert not places[0] & places[1]


def test_a_state_dict_round_trip_finds_the_same(gated):
    model, expected = gated
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    other = detector("maskrcnn_resnet18_fpn", gate=True, seed=1)
    assert not same(found(other), expected)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    assert same(found(other), expected)


def test_from_the_meta_device_finds_the_same(gated):
    model, expected = gated
    with torch.device("meta"):
        other = detection.maskrcnn_resnet18_fpn(in_channels=24, gate=True, **FEW)
    assert all(parameter.is_meta for parameter in other.parameters())
    other.to_empty(device="cpu").load_state_dict(model.state_dict())
    assert same(found(other.eval()), expected)


def test_channels_last_finds_the_same(gated):
    model, expected = gated
    for one, other in zip(found(copy.deepcopy(model).to(memory_format=torch.channels_last)), expected, strict=True):
        for key, tensor in one.items():
            # Convolutions add in another order.
            torch.testing.assert_close(tensor, other[key], atol=1e-3, rtol=1e-4)


def test_autocast_keeps_boxes_precise():
    """A picture 1067 px wide: bfloat16 has 8 bits, so it knows only each fourth or eighth pixel there."""
    model, picture, size = detector(min_anchor=16), torch.randn(24, 4, 267), (16, 1067)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        (result,) = model([picture], image_sizes=[size])
        features = model.backbone(picture[None])
    assert {level.dtype for level in features.values()} == {torch.bfloat16}  # autocast does something
    boxes = result["boxes"]
    assert boxes.dtype == result["scores"].dtype == torch.float32
    assert not torch.equal(boxes, boxes.bfloat16().float())
    # A box of the network without autocast lies at every one, within what features rounded to 8 bits may move it:
    # deltas of about 1 times anchors of 16 to 256 px. All boxes' precision itself is asserted above.
    wide = detector(min_anchor=16, rpn_post_nms_top_n_test=40, box_detections_per_img=200)
    with torch.no_grad():
        (precise,) = wide([picture], image_sizes=[size])
    nearest = (boxes[:, None] - precise["boxes"]).abs().amax(dim=2).amin(dim=1)
    assert nearest.max() < 8


def test_autocast_trains_with_precise_losses():
    torch.manual_seed(0)
    expected = detector().train()(maps(), targets(), image_sizes=SIZES)
    model = detector().train()
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(maps(), targets(), image_sizes=SIZES)
    sum(losses.values()).backward()
    assert all(loss.dtype == torch.float32 for loss in losses.values())
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    # Anchors do not depend on the features, and the same ones are drawn: only the deltas differ, by their 8 bits.
    torch.testing.assert_close(losses["loss_rpn_box_reg"], expected["loss_rpn_box_reg"], atol=0.02, rtol=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
def test_a_whole_model_in_another_precision(gated, dtype):
    model = copy.deepcopy(gated[0]).to(dtype)
    with torch.no_grad():
        result = model([picture.to(dtype) for picture in maps()], image_sizes=SIZES)
    expected = torch.float32 if dtype == torch.bfloat16 else dtype
    assert {value.dtype for value in result[0].values()} == {expected, torch.int64}


def test_compiled_in_place_trains_the_same():
    plain, compiled = (detector().train() for _ in range(2))
    compiled.compile(backend="eager", fullgraph=True)
    losses = []
    for model in (plain, compiled):
        torch.manual_seed(2)
        loss = model(maps(), targets(), image_sizes=SIZES)
        sum(loss.values()).backward()
        losses.append(loss)
    assert losses[0] == losses[1]
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    assert list(plain.state_dict()) == list(compiled.state_dict())

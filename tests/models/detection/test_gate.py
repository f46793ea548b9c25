"""The gate in front of a detector: each picture's switches come from its own maps."""

import pytest
import torch
from lively_detectors import SIZES, detector, maps, targets

from freqlearn import ChannelSet, InputSpec
from freqlearn.models import FrequencyGate, detection


def test_of_equal_sizes_is_the_gate_of_a_batch(lively_gate):
    one, other = lively_gate(24), lively_gate(24)
    batch = torch.randn(3, 24, 9, 7)
    for training in (False, True):
        results = []
        for gate, images in ((one, batch), (other, list(batch))):
            gate.train(training)
            torch.manual_seed(4)
            each = gate.gate_each if isinstance(images, list) else lambda x, gate=gate: gate(x, return_mask=True)
            results.append(each(images))
        (gated, mask), (gated_each, mask_each) = results
        assert torch.equal(mask, mask_each)
        assert torch.equal(gated, torch.stack(gated_each))
        assert 0 < mask.mean() < 1
        assert torch.equal(one.last_mask, other.last_mask)
        torch.testing.assert_close(one.importance, other.importance)
        assert one.images_counted == other.images_counted


@torch.no_grad()
def test_switches_are_those_of_each_picture_alone(lively_gate):
    gate, pictures = lively_gate(24).eval(), maps()
    gated, switches = gate.gate_each(pictures)
    assert not torch.equal(switches[0], switches[1])
    for picture, together, on in zip(pictures, gated, switches, strict=True):
        assert torch.equal(together, picture * on[:, None, None])
        assert torch.equal(gate(picture[None])[0], together)


def test_gate_each_refuses(lively_gate):
    with pytest.raises(ValueError, match="expected 24 frequency channels"):
        lively_gate(24).gate_each([torch.zeros(24, 3, 3), torch.zeros(23, 3, 3)])


def test_is_trained_with_the_detector():
    model = detector("maskrcnn_resnet18_fpn", gate=True).train()
    assert isinstance(model.gate, FrequencyGate)
    loss = sum(model(maps(), targets(), image_sizes=SIZES).values()) + 0.1 * model.gate.regulariser()
    loss.backward()
    assert model.gate.last_mask.shape == (2, 24)
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert model.gate.logits.weight.grad.any()


@torch.no_grad()
def test_a_channel_that_is_off_is_off_in_the_padding_too():
    """A frozen gate is as if the network had no other channels."""
    spec = InputSpec(
        kind="dct",
        channels=ChannelSet.square(24),
        mean=tuple(range(24)),
        std=(10.0,) * 24,
        size_px=64,
    )
    kept = [0, 3, 5, 16]
    gated, narrow = (
        detector(spec=spec, gate=True),
        detector(spec=spec.select(ChannelSet.of(spec.channels.indices[i] for i in kept))),
    )
    state = {key: value for key, value in gated.state_dict().items() if not key.startswith("gate.")}
    for key in ("backbone.body.layer1.0.conv1.weight", "backbone.body.layer1.0.downsample.0.weight"):
        state[key] = state[key][:, kept]
    narrow.load_state_dict(state)
    gated.gate._running.mean[kept] = 1.0
    gated.gate._running.images.fill_(1)
    gated.gate.freeze(4)
    pictures = maps()
    found = gated(pictures, image_sizes=SIZES)
    expected = narrow([picture[kept] for picture in pictures], image_sizes=SIZES)
    for one, other in zip(found, expected, strict=True):
        # Sums over 24 and over 4 channels, in other orders.
        torch.testing.assert_close(one["boxes"], other["boxes"], atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(one["scores"], other["scores"], atol=1e-4, rtol=1e-4)


def test_is_for_channels():
    with pytest.raises(ValueError, match="a gate is for frequency channels; the spec is of kind rgb"):
        detection.fasterrcnn_resnet18_fpn(spec=InputSpec.preset("imagenet-rgb"), gate=True)

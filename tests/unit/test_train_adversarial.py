"""The discriminator: its shapes, its names, its norm, what it learns, and that it can go on."""

import io

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from edgesr.train.adversarial import (
    UNetDiscriminator,
    discriminator_loss,
    frozen,
    generator_loss,
)

NORMED = range(1, 9)


def small(seed: int = 0) -> UNetDiscriminator:
    torch.manual_seed(seed)
    return UNetDiscriminator(8)


def images(seed: int, size: tuple[int, int] = (16, 16)) -> Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(16, 24), (8, 8), (18, 13), (20, 23)])
def test_every_pixel_gets_one_logit(size: tuple[int, int]) -> None:
    assert small()(images(0, size)).shape == (2, 1, *size)


def test_names_and_shapes_are_those_of_the_published_files() -> None:
    published = {"conv0.weight": (64, 3, 3, 3), "conv0.bias": (64,)}
    published |= {"conv9.weight": (1, 64, 3, 3), "conv9.bias": (1,)}
    convs = [(128, 64, 4), (256, 128, 4), (512, 256, 4), (256, 512, 3), (128, 256, 3)]
    convs += [(64, 128, 3), (64, 64, 3), (64, 64, 3)]
    for n, (outputs, inputs, kernel) in enumerate(convs, start=1):
        published[f"conv{n}.weight_orig"] = (outputs, inputs, kernel, kernel)
        published[f"conv{n}.weight_u"] = (outputs,)
        published[f"conv{n}.weight_v"] = (inputs * kernel * kernel,)
    ours = UNetDiscriminator(64).state_dict()
    assert {key: tuple(value.shape) for key, value in ours.items()} == published


def test_forward_is_the_published_graph() -> None:
    """Written out with functions alone, for weights divided by their singular value (numpy)."""
    net = settled(small())
    state = {key: value.detach() for key, value in net.state_dict().items()}
    weights = {n: state[f"conv{n}.weight_orig"] for n in NORMED}
    weights = {n: w / np.linalg.norm(w.flatten(1).numpy(), 2) for n, w in weights.items()}

    def conv(n: int, x: Tensor, stride: int = 1) -> Tensor:
        return F.leaky_relu(F.conv2d(x, weights[n], stride=stride, padding=1), 0.2)

    def twice(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    image = images(1)
    x0 = F.leaky_relu(F.conv2d(image, state["conv0.weight"], state["conv0.bias"], padding=1), 0.2)
    x1 = conv(1, x0, 2)
    x2 = conv(2, x1, 2)
    x4 = conv(4, twice(conv(3, x2, 2))) + x2
    x5 = conv(5, twice(x4)) + x1
    x6 = conv(6, twice(x5)) + x0
    out = F.conv2d(conv(8, conv(7, x6)), state["conv9.weight"], state["conv9.bias"], padding=1)
    torch.testing.assert_close(net(image), out, atol=1e-4, rtol=1e-3)


def settled(net: UNetDiscriminator) -> UNetDiscriminator:
    """After enough power iterations, in eval mode."""
    with torch.no_grad():
        for _ in range(200):
            net(torch.zeros(1, 3, 8, 8))
    return net.eval()


def test_spectral_norm_is_one() -> None:
    net = settled(small())
    net(images(0))
    for n in NORMED:
        weight = getattr(net, f"conv{n}").weight.detach().flatten(1).numpy()
        assert np.linalg.norm(weight, 2) == pytest.approx(1, abs=5e-3), n


def test_losses_are_binary_cross_entropy() -> None:
    random = np.random.default_rng(0)
    real, fake = random.normal(0, 4, (2, 2, 1, 5, 6))

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-x)))

    logits = [torch.from_numpy(x) for x in (real, fake)]
    expected = -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(fake)).mean()
    assert discriminator_loss(*logits).item() == pytest.approx(expected, rel=1e-10)
    assert generator_loss(logits[1]).item() == pytest.approx(-np.log(sigmoid(fake)).mean())
    assert generator_loss(torch.tensor([-200.0])).item() == 200  # finite where sigmoid is 0
    assert discriminator_loss(*(x.bfloat16() for x in logits)).dtype == torch.float32


def test_loss_gradients_are_derivatives() -> None:
    logits = torch.linspace(-3, 3, 8, dtype=torch.float64).reshape(1, 1, 2, 4).requires_grad_()
    assert torch.autograd.gradcheck(generator_loss, (logits,))
    assert torch.autograd.gradcheck(discriminator_loss, (logits, logits.detach() + 1))


def step(net: UNetDiscriminator, optimizer: torch.optim.Optimizer) -> float:
    """Tells smooth images from noise."""
    real = F.interpolate(images(3, (4, 4)), size=(16, 16), mode="bilinear")
    loss = discriminator_loss(net(real), net(images(4)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def test_training_lowers_the_discriminators_loss() -> None:
    net = small()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = [step(net, optimizer) for _ in range(40)]
    assert losses[0] == pytest.approx(2 * np.log(2), rel=0.2)  # it knows nothing yet
    assert losses[-1] < 0.5 * losses[0]


def test_a_restored_discriminator_goes_on_bit_identically() -> None:
    net = small()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(3):
        step(net, optimizer)
    file = io.BytesIO()
    plain = {key: value.detach().cpu() for key, value in net.state_dict().items()}
    torch.save({"net": plain, "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    document = torch.load(file, weights_only=True)
    restored = small(seed=9)
    restored.load_state_dict(document["net"])
    resumed = torch.optim.Adam(restored.parameters(), lr=1e-3)
    resumed.load_state_dict(document["optimizer"])
    straight = [step(net, optimizer) for _ in range(3)]
    assert [step(restored, resumed) for _ in range(3)] == straight
    ours, theirs = net.state_dict(), restored.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_frozen_lets_gradients_through_to_the_image_only() -> None:
    net, fake = small(), images(0).requires_grad_()
    net.conv9.bias.requires_grad = False  # type: ignore[union-attr]
    with frozen(net):
        loss = generator_loss(net(fake))
    loss.backward()
    assert fake.grad is not None
    assert fake.grad.abs().max() > 0
    assert all(p.grad is None for p in net.parameters())
    assert [name for name, p in net.named_parameters() if not p.requires_grad] == ["conv9.bias"]

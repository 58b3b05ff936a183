"""Weights taken over to another scale or size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812

from edgesr.data.images import crop_to_multiple, read_image
from edgesr.data.resize import imresize
from edgesr.errors import InputError, UsageError
from edgesr.models.checkpoint import load_checkpoint
from edgesr.models.layers import PIXELS, RGB, read_kernel, write_kernel
from edgesr.models.registry import ModelSpec, Options, SRModel, architectures, build_model
from edgesr.models.span import Conv3XC
from edgesr.quality.metrics import psnr_y
from edgesr.train.transfer.choose import choose_channels
from edgesr.train.transfer.compare import compare, upscale
from edgesr.train.transfer.crops import calibration_crops
from edgesr.train.transfer.fit import _normal, _ridge
from edgesr.train.transfer.head import sub_pixel_map
from edgesr.train.transfer.images import made_images, make_texture
from edgesr.train.transfer.method import METHODS, transfer
from edgesr.train.transfer.pairs import counterparts

LARGE: dict[str, Options] = {
    "elsr": {"features": 8},
    "espcn": {"features": 12, "hidden": 8},
    "residual": {"features": 10, "blocks": 2},
    "span": {"features": 6},
    "srvgg": {"features": 10, "convs": 3},
}
SMALL: dict[str, Options] = {
    "elsr": {"features": 6},
    "espcn": {"features": 9, "hidden": 6},
    "residual": {"features": 7, "blocks": 1},
    "span": {"features": 5},
    "srvgg": {"features": 8, "convs": 2},
}


def network(arch: str, scale: int = 2, options: Options | None = None, seed: int = 0) -> SRModel:
    torch.manual_seed(seed)
    model = build_model(ModelSpec(arch, scale, options or LARGE[arch])).eval()
    for part in model.modules():  # every channel its own slope, as after training
        if isinstance(part, nn.PReLU):
            nn.init.uniform_(part.weight, 0.1, 0.6)
    return model


def images(count: int = 6, side: int = 30) -> list[NDArray[np.uint8]]:
    return [make_texture(side, np.random.default_rng(i)) for i in range(count)]


def batch(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def output(model: SRModel, pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    with torch.no_grad():
        return model(batch(pictures))  # type: ignore[no-any-return]


def shuffle_channels(model: SRModel) -> None:
    """Puts the channels of every group into another order: the same function."""
    rng = np.random.default_rng(4)
    orders: dict[str, list[int]] = {RGB: [0, 1, 2]}
    for layer in model.layers():
        weight, bias = read_kernel(model.get_submodule(layer.name))
        if layer.writes not in orders:
            mixed = rng.permutation(len(bias)).tolist()
            orders[layer.writes] = list(range(len(bias))) if layer.writes == PIXELS else mixed
        columns: list[int] = []
        for group in layer.reads:
            columns += [len(columns) + channel for channel in orders[group]]
        rows = orders[layer.writes]
        write_kernel(model.get_submodule(layer.name), weight[rows][:, columns], bias[rows])
        if layer.slopes:
            prelu = model.get_submodule(layer.slopes)
            assert isinstance(prelu, nn.PReLU)
            if prelu.num_parameters > 1:
                prelu.weight.data = prelu.weight.data[rows]


# What an architecture says about its layers.


@pytest.mark.parametrize("arch", architectures())
def test_layers_are_all_convs_in_the_order_of_execution(arch: str) -> None:
    model = network(arch)
    names = {id(model.get_submodule(layer.name)): layer.name for layer in model.layers()}
    ran: list[str] = []
    for layer in model.layers():
        model.get_submodule(layer.name).register_forward_hook(
            lambda module, *_: ran.append(names[id(module)])
        )
    output(model, images(1))
    assert ran == [layer.name for layer in model.layers()]
    parts = [f"{x}." for layer in model.layers() for x in (layer.name, layer.slopes) if x]
    assert all(key.startswith(tuple(parts)) for key in model.state_dict())


@pytest.mark.parametrize("arch", architectures())
def test_groups_have_the_channels_that_kernels_read_and_write(arch: str) -> None:
    model = network(arch, 3)
    channels = {RGB: 3}
    for layer in model.layers():
        weight, _ = read_kernel(model.get_submodule(layer.name))
        assert weight.shape[1] == sum(channels[group] for group in layer.reads)
        assert channels.setdefault(layer.writes, len(weight)) == len(weight)
    assert channels[PIXELS] == 27


def test_a_branched_conv_equals_the_kernel_it_is_given_and_learns_in_all_its_parts() -> None:
    conv, weight, bias = Conv3XC(4, 5), torch.randn(5, 4, 3, 3), torch.randn(5)
    write_kernel(conv, weight, bias)
    x = torch.rand(2, 4, 7, 9)
    torch.testing.assert_close(conv(x), F.conv2d(x, weight, bias, padding=1))
    conv(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in (conv.conv[2].weight, conv.sk.weight))


@pytest.mark.parametrize("arch", ["srvgg", "residual"])
def test_a_unit_that_passes_through_changes_nothing(arch: str) -> None:
    model = network(arch)
    inputs: list[torch.Tensor] = []
    after = "body.6" if arch == "srvgg" else "tail"
    before = "body.4" if arch == "srvgg" else "blocks.1.conv1"
    for name in (before, after):
        model.get_submodule(name).register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    model.pass_through(1)
    output(model, images(1))
    assert torch.equal(*inputs)
    with pytest.raises(UsageError, match="no repeated unit"):
        network("elsr").pass_through(0)


# head


@pytest.mark.parametrize(("scale", "wanted"), [(2, 3), (2, 4), (3, 2), (3, 4), (4, 2), (4, 3)])
def test_sub_pixels_are_interpolated_at_their_centres(scale: int, wanted: int) -> None:
    centres = (np.arange(scale) + 0.5) / scale
    places = (np.arange(wanted) + 0.5) / wanted
    values = 3.0 - 2.0 * centres  # what lies on a line stays on it, beyond the ends too
    np.testing.assert_allclose(
        sub_pixel_map(scale, wanted).numpy() @ values, 3 - 2 * places, atol=1e-6
    )
    random = np.random.default_rng(0).random(scale)
    inside = (places >= centres[0]) & (places <= centres[-1])
    np.testing.assert_allclose(
        (sub_pixel_map(scale, wanted).numpy() @ random)[inside],
        np.interp(places, centres, random)[inside],
        atol=1e-6,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("arch", architectures())
def test_from_x4_to_x2_is_the_mean_of_two_by_two_pixels(arch: str, method: str) -> None:
    source = network(arch, 4)
    done = transfer(source, ModelSpec(arch, 2), method)
    expected = F.avg_pool2d(output(source, images(2)), 2)
    torch.testing.assert_close(output(done.model, images(2)), expected, atol=2e-5, rtol=1e-4)
    assert done.notes == ("head: x4 -> x2",)
    assert done.model.spec.options == source.spec.options


@pytest.mark.parametrize("arch", architectures())
def test_from_x2_to_x4_the_mean_of_two_by_two_pixels_stays(arch: str) -> None:
    source = network(arch, 2)
    done = transfer(source, ModelSpec(arch, 4), "head").model
    mean = F.avg_pool2d(output(done, images(2)), 2)
    torch.testing.assert_close(mean, output(source, images(2)), atol=2e-5, rtol=1e-4)


def test_slim_weights_go_into_branches() -> None:
    source = network("span", 4, {"features": 6, "branches": False})
    done = transfer(source, ModelSpec("span", 4, {"branches": True}), "fit")
    assert done.notes == ("head: branches False -> True",)
    torch.testing.assert_close(
        output(done.model, images(2)), output(source, images(2)), atol=1e-4, rtol=1e-4
    )


# copy


def test_copy_takes_the_channels_of_largest_norm_in_their_old_order() -> None:
    source = network("srvgg")
    done = transfer(source, ModelSpec("srvgg", 2, {"features": 4, "convs": 6}), "copy").model
    theirs, ours = source.state_dict(), done.state_dict()

    def top(index: int) -> NDArray[np.int64]:
        weight = theirs[f"body.{index}.weight"].numpy()
        return np.sort(np.argsort((weight**2).sum((1, 2, 3)))[-4:])

    for student, twin in ((2, 2), (4, 2), (6, 4), (8, 4), (10, 6), (12, 6)):
        kernel = theirs[f"body.{twin}.weight"].numpy()[top(twin)][:, top(twin - 2)]
        np.testing.assert_array_equal(ours[f"body.{student}.weight"].numpy(), kernel)
        slopes = theirs[f"body.{twin + 1}.weight"].numpy()[top(twin)]
        np.testing.assert_array_equal(ours[f"body.{student + 1}.weight"].numpy(), slopes)
    last = theirs["body.8.weight"].numpy()[:, top(6)]
    np.testing.assert_array_equal(ours["body.14.weight"].numpy(), last)


@pytest.mark.parametrize("arch", architectures())
def test_a_wider_copy_is_the_same_function(arch: str) -> None:
    source = network(arch, 2, SMALL[arch])
    wider = {k: v for k, v in LARGE[arch].items() if k in ("features", "hidden")}
    done = transfer(source, ModelSpec(arch, 2, wider), "copy", images()).model
    assert done.options["features"] == LARGE[arch]["features"]
    torch.testing.assert_close(
        output(done, images(2)), output(source, images(2)), atol=1e-4, rtol=1e-3
    )


# fit


def test_a_kernel_is_solved_as_least_squares_does() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, 4, 12, 12, generator=generator)
    target = torch.rand(3, 2, 12, 12, generator=generator)
    found = _ridge(*_normal(x, target, 3))
    rows = F.unfold(x, 3, padding=1).transpose(1, 2).reshape(-1, 36).double().numpy()
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    wanted = target.permute(0, 2, 3, 1).reshape(-1, 2).double().numpy()
    expected, *_ = np.linalg.lstsq(rows, wanted, rcond=None)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)


@pytest.mark.parametrize("arch", architectures())
def test_channels_without_use_are_the_ones_that_go(arch: str) -> None:
    """Channels that nothing reads, scattered among the others, are lost without loss."""
    small = network(arch, 2, SMALL[arch], seed=3)
    wider = {k: v for k, v in LARGE[arch].items() if k in ("features", "hidden")}
    source = transfer(small, ModelSpec(arch, 2, wider), "copy").model
    shuffle_channels(source)
    expected = output(small, images(2))
    torch.testing.assert_close(output(source, images(2)), expected, atol=1e-4, rtol=1e-3)
    done = transfer(source, ModelSpec(arch, 2, SMALL[arch]), "fit", images()).model
    detail = expected - F.interpolate(batch(images(2)), scale_factor=2)
    error = (output(done, images(2)) - expected).square().mean()
    assert error < 1e-3 * detail.square().mean()


@pytest.mark.parametrize("arch", architectures())
def test_fit_starts_nearer_to_the_source_than_copy(arch: str) -> None:
    source = network(arch, 2, LARGE[arch])
    spec = ModelSpec(arch, 2, SMALL[arch])
    held_out = images(12)[6:]
    wanted = output(source, held_out)

    def error(method: str) -> float:
        model = transfer(source, spec, method, images()).model
        assert model.spec.options.items() >= SMALL[arch].items()
        return float((output(model, held_out) - wanted).square().mean())

    assert error("fit") < 0.5 * error("copy")


@pytest.mark.parametrize(
    ("arch", "deeper"),
    [("srvgg", {"features": 12, "convs": 5}), ("residual", {"features": 12, "blocks": 5})],
)
def test_a_deeper_and_wider_fit_is_nearly_the_same_function(arch: str, deeper: Options) -> None:
    source = network(arch)
    done = transfer(source, ModelSpec(arch, 2, deeper), "fit", images()).model
    difference = output(done, images(8)) - output(source, images(8))
    assert difference.square().mean().sqrt() < 2e-3


@pytest.mark.parametrize("arch", ["srvgg", "elsr", "residual"])
def test_size_and_scale_change_together(arch: str) -> None:
    source = network(arch, 4)
    done = transfer(source, ModelSpec(arch, 2, SMALL[arch]), "fit", images()).model
    assert (done.spec.scale, done.options["features"]) == (2, SMALL[arch]["features"])
    lr = images(2)
    wanted = F.avg_pool2d(output(source, lr), 2)
    plain = F.interpolate(batch(lr), scale_factor=2)
    assert (output(done, lr) - wanted).square().mean() < 0.3 * (plain - wanted).square().mean()


def test_equal_calls_give_equal_weights_and_leave_the_generator_alone() -> None:
    source = network("srvgg")
    spec = ModelSpec("srvgg", 2, {"features": 14, "convs": 4})
    before = torch.get_rng_state()
    first = transfer(source, spec, "fit", images()).model.state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    again = transfer(source, spec, "fit", images()).model.state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert all(
        torch.equal(a, b)
        for a, b in zip(source.parameters(), network("srvgg").parameters(), strict=True)
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_channels_go_in_the_order_in_which_refitting_misses_them_least(seed: int) -> None:
    source = network("espcn", 2, {"features": 7, "hidden": 3})
    # Each channel is nearly a mixture of others.
    mix = torch.randn(7, 4, generator=torch.Generator().manual_seed(seed))
    noise = torch.rand(2, 4, 7, 10, 10, generator=torch.Generator().manual_seed(1))
    x = torch.einsum("oc,nchw->nohw", mix, noise[0, :, :4]) + 0.3 * noise[1]
    weight, _ = read_kernel(source.get_submodule("conv2"))
    target = F.conv2d(x, weight, padding=1)
    left, _ = _normal(x, target, 3)

    def loss(kept: list[int]) -> float:
        matrix, right = (part[:-1].double() for part in _normal(x[:, kept], target, 3))
        solution = torch.linalg.solve(matrix[:, :-1] + 1e-6 * torch.eye(len(matrix)), right)
        return float(target.square().sum() - (solution * right).sum())

    kept = list(range(7))
    while len(kept) > 3:
        kept.remove(min(kept, key=lambda c: loss([k for k in kept if k != c])))
        wanted = {"features": len(kept), "hidden": 3, PIXELS: 12}
        assert choose_channels(source, wanted, {"conv2": left[:-1, :-1]})["features"] == kept


def test_fitted_channels_keep_their_slopes_and_added_units_have_slopes_of_one() -> None:
    source = network("srvgg")
    spec = ModelSpec("srvgg", 2, {"features": 6, "convs": 5})
    done = transfer(source, spec, "fit", images()).model.state_dict()
    theirs = source.state_dict()
    for student, twin in ((1, 1), (3, 3), (7, 5), (11, 7)):
        assert set(done[f"body.{student}.weight"].tolist()) < set(
            theirs[f"body.{twin}.weight"].tolist()
        )
    for added in (5, 9):
        assert torch.equal(done[f"body.{added}.weight"], torch.ones(6))


@pytest.mark.parametrize(
    ("have", "want", "repeat", "expected"),
    [
        (4, 2, False, [1, 3]),
        (5, 3, False, [1, 2, 4]),
        (2, 5, False, [0, None, None, 1, None]),
        (2, 5, True, [0, 0, 0, 1, 1]),
    ],
)
def test_units_are_left_out_evenly_or_added(
    have: int, want: int, *, repeat: bool, expected: list[int | None]
) -> None:
    models = [network("residual", 2, {"features": 4, "blocks": n}) for n in (have, want)]
    pairs = counterparts(*models, repeat=repeat)
    for unit, twin in enumerate(expected):
        for conv in ("conv1", "conv2"):
            found = pairs[f"blocks.{unit}.{conv}"]
            assert (found and found.name) == (None if twin is None else f"blocks.{twin}.{conv}")


# figures, images, bad input


def test_compare_gives_psnr_against_source_and_truth() -> None:
    source, student = network("elsr", 4), network("elsr", 2, seed=1)
    for model in (source, student):
        model.start_at_interpolation()
    hr = images(2, 64)
    pairs = [(imresize(image, 1 / 2), image) for image in hr]
    found = compare(source, student, [*pairs])
    nearest = [np.kron(lr, np.ones((2, 2, 1), np.uint8)) for lr, _ in pairs]
    given = [imresize(upscale(source, lr), 1 / 2) for lr, _ in pairs]
    expected = np.mean([psnr_y(a, b, 2) for a, b in zip(nearest, hr, strict=True)])
    assert found["to_truth"]["nearest"] == pytest.approx(expected)
    expected = np.mean([psnr_y(a, b, 2) for a, b in zip(nearest, given, strict=True)])
    assert found["to_source"]["nearest"] == pytest.approx(expected)
    assert compare(source, source, [(pairs[0][0], None)])["to_source"]["result"] == np.inf
    assert set(found["to_truth"]) == {"source", "result", "nearest", "bicubic"}
    assert compare(source, student, [(pairs[0][0], None)])["to_truth"] == {}


def test_notes_tell_how_near_the_start_is() -> None:
    source = network("srvgg")
    source.start_at_interpolation()
    done = transfer(source, ModelSpec("srvgg", 4, {"features": 4}), "copy", images())
    assert done.notes[0] == "copy: x2 -> x4, features 10 -> 4"
    assert "nearest" in done.notes[1]


def test_crops_come_from_every_image_that_is_large_enough() -> None:
    grey = [np.full((60, 80, 3), value, np.uint8) for value in (1, 2, 3)]
    crops = calibration_crops([*grey, np.full((20, 90, 3), 9, np.uint8)], 0)
    assert {crop.shape for crop in crops} == {(48, 48, 3)}
    assert {int(crop[0, 0, 0]) for crop in crops} == {1, 2, 3}
    assert calibration_crops([grey[0][:20]], 0)[0].shape == (20, 20, 3)
    with pytest.raises(InputError, match="too small"):
        calibration_crops([grey[0][:11]], 0)


def test_images_made_to_fit_on_are_not_those_to_judge_by() -> None:
    made = made_images(4)
    assert len(made.fit) == 24
    assert len(made.judge) == 8
    kept = {lr.tobytes() for lr, _ in made.judge}
    assert len(kept | {lr.tobytes() for lr, _ in made.fit}) == 32
    for lr, hr in made.fit:
        assert hr.shape[0] == 4 * lr.shape[0] <= 480


def test_a_texture_has_the_spectrum_of_a_photograph() -> None:
    image = make_texture(256, np.random.default_rng(3)).astype(float).mean(axis=2)
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    bands = [power[(frequency > low) & (frequency < 2 * low)].mean() for low in (0.01, 0.04, 0.16)]
    slope = np.polyfit(np.log([0.01, 0.04, 0.16]), np.log(bands), 1)[0]
    assert -3.8 < slope < -1.2


@pytest.mark.parametrize(
    ("arch", "scale", "options", "method", "message"),
    [
        ("srvgg", 2, {}, "fit", "nothing to take over"),
        ("srvgg", 2, {"features": 10, "convs": 3}, "head", "nothing to take over"),
        ("srvgg", 4, {"features": 4}, "head", "head changes nothing but the scale"),
        ("srvgg", 2, {"features": 4}, "fit", "fit needs images"),
        ("srvgg", 2, {"features": 4}, "guess", "no transfer is called 'guess'"),
        ("srvgg", 2, {"width": 4}, "copy", "no option 'width'"),
        ("srvgg", 5, {}, "head", "scale 5"),
        ("elsr", 2, {}, "copy", "weights of srvgg can't be taken over to elsr"),
        ("srvg", 2, {}, "copy", "no network is called 'srvg'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arch: str, scale: int, options: Options, method: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        transfer(network("srvgg"), ModelSpec(arch, scale, options), method)


def test_a_switch_that_weights_were_trained_with_stays() -> None:
    with pytest.raises(UsageError, match="trained with activation = 'relu'"):
        transfer(network("espcn"), ModelSpec("espcn", 2, {"activation": "tanh"}), "copy")


def test_an_architecture_without_layers_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(network("elsr")), "layers", SRModel.layers)
    with pytest.raises(UsageError, match="weights of elsr can't be taken over") as caught:
        transfer(network("elsr"), ModelSpec("elsr", 4), "head")
    assert "srvgg" in caught.value.hint
    assert "elsr" not in caught.value.hint


@pytest.mark.slow
def test_real_weights_start_above_nearest_and_near_themselves(shared: Path) -> None:
    """Set5 x4, 64 features to 32: 26.26 dB for nearest, 25.86 for copied channels."""
    source = load_checkpoint(shared / "checkpoints" / "realesr_animevideov3_x4.pth").model
    lows = [read_image(path) for path in sorted((shared / "T91").glob("*.png"))[:16]]
    lows = [imresize(crop_to_multiple(image, 4), 1 / 4) for image in lows]
    held_out = []
    for name in ("head", "bird"):
        hr = crop_to_multiple(read_image(shared / "Set5" / "HR" / f"{name}.png"), 4)
        held_out.append((read_image(shared / "Set5" / "LRbicx4" / f"{name}x4.png"), hr))
    figures = {}
    for method in ("copy", "fit"):
        model = transfer(source, ModelSpec("srvgg", 4, {"features": 32}), method, lows).model
        figures[method] = compare(source, model, held_out)["to_truth"]
    assert figures["fit"]["result"] > figures["fit"]["source"] - 0.3
    assert figures["fit"]["result"] > figures["fit"]["nearest"] + 1
    assert figures["copy"]["result"] < figures["copy"]["nearest"]

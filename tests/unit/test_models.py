"""Every registered network, and reading checkpoints."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import CheckpointError, ConversionError, InputError, StoreError, UsageError
from edgesr.models.blocks import DepthToSpace, depth_to_space_order
from edgesr.models.checkpoint import load_checkpoint, save_checkpoint
from edgesr.models.count import count_macs, count_parameters
from edgesr.models.fold import fold
from edgesr.models.registry import ModelSpec, architectures, build_model
from edgesr.models.span import Conv3XC

SMALL = {
    "span": {"features": 8},
    "srvgg": {"features": 8, "convs": 3},
    "residual": {"features": 8, "blocks": 2},
}


def spec_of(arch: str, scale: int) -> ModelSpec:
    return ModelSpec(arch, scale, dict(SMALL.get(arch, {})))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("arch", architectures())
def test_network_keeps_the_contract(arch: str, scale: int) -> None:
    torch.manual_seed(0)
    model = build_model(spec_of(arch, scale))
    image = torch.rand(2, 3, 9, 11)
    output = model.eval()(image)
    assert output.shape == (2, 3, 9 * scale, 11 * scale)
    deploy = fold(model)
    assert isinstance(list(deploy.modules())[-1], DepthToSpace)
    assert all(not isinstance(part, Conv3XC) for part in deploy.modules())
    torch.testing.assert_close(deploy(image), output, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("arch", architectures())
def test_training_starts_near_an_interpolated_image(arch: str, scale: int) -> None:
    torch.manual_seed(0)
    model = build_model(spec_of(arch, scale))
    model.start_at_interpolation()
    smooth = F.interpolate(torch.rand(1, 3, 4, 4), size=(32, 32), mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        output = model.eval()(smooth)
    target = F.interpolate(smooth, scale_factor=scale, mode="bilinear")
    inner = (..., slice(4 * scale, -4 * scale), slice(4 * scale, -4 * scale))
    assert (output - target)[inner].abs().mean() < 0.02


@pytest.mark.parametrize("arch", architectures())
def test_checkpoint_round_trip_keeps_weights_and_spec(arch: str, tmp_path: Path) -> None:
    model = build_model(spec_of(arch, 3))
    save_checkpoint(tmp_path / "c.pt", model, {"why": "test"})
    loaded = load_checkpoint(tmp_path / "c.pt")
    assert loaded.spec == model.spec
    assert loaded.provenance == {"why": "test"}
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[key], value)


@pytest.mark.parametrize("nesting", [None, "params", "params_ema"])
@pytest.mark.parametrize("arch", architectures())
def test_foreign_state_dicts_are_recognised_by_their_shapes(
    arch: str, nesting: str | None, tmp_path: Path
) -> None:
    model = build_model(spec_of(arch, 4))
    state = OrderedDict(
        (k.removeprefix("body.") if arch == "span" else k, v) for k, v in model.state_dict().items()
    )
    torch.save({nesting: state} if nesting else state, tmp_path / "f.pth")
    loaded = load_checkpoint(tmp_path / "f.pth")
    assert (loaded.spec.arch, loaded.spec.scale) == (arch, 4)
    image = torch.rand(1, 3, 8, 8)
    assert torch.equal(loaded.model(image), model.eval()(image))


def test_averaged_weights_are_preferred(tmp_path: Path) -> None:
    plain, averaged = (build_model(spec_of("elsr", 2)) for _ in range(2))
    torch.save(
        {"params": plain.state_dict(), "params_ema": averaged.state_dict()}, tmp_path / "two.pth"
    )
    loaded = load_checkpoint(tmp_path / "two.pth").model
    assert torch.equal(loaded.state_dict()["layer1.weight"], averaged.state_dict()["layer1.weight"])


def test_merged_span_conv_equals_its_branches_at_the_borders_too() -> None:
    torch.manual_seed(0)
    conv = Conv3XC(3, 5).double()
    image = torch.rand(1, 3, 6, 7, dtype=torch.double)
    branches = conv.conv(F.pad(image, (1, 1, 1, 1))) + conv.sk(image)
    torch.testing.assert_close(conv(image), branches)


def test_slim_and_branched_span_files_agree(tmp_path: Path) -> None:
    model = build_model(spec_of("span", 2)).eval()
    slim = {}
    for name, part in model.body.named_modules():
        if isinstance(part, Conv3XC):
            merged = part.fold()
            slim[f"{name}.eval_conv.weight"] = merged.weight.data
            slim[f"{name}.eval_conv.bias"] = merged.bias.data
    slim |= {k: v for k, v in model.body.state_dict().items() if "upsampler" in k or "cat" in k}
    torch.save(slim, tmp_path / "slim.pth")
    loaded = load_checkpoint(tmp_path / "slim.pth")
    assert loaded.spec.options["branches"] is False
    image = torch.rand(1, 3, 10, 10)
    torch.testing.assert_close(loaded.model(image), model(image))


def test_depth_to_space_order_is_exact() -> None:
    conv = torch.nn.Conv2d(4, 27, 3, padding=1)
    image = torch.rand(1, 4, 5, 6)
    ordered = DepthToSpace(3)(depth_to_space_order(conv, 3)(image))
    assert torch.equal(ordered, F.pixel_shuffle(conv(image), 3))


def test_sizes_are_those_of_the_papers() -> None:
    published = {
        ("span", 48): (410_700, 94.4),
        ("span", 52): (481_324, 110.6),
        ("span", 28): (141_580, 32.5),
        ("elsr", 6): (1_489, 0.34),
        ("espcn", 64): (26_796, 6.15),
    }
    for (arch, features), (parameters, gmacs) in published.items():
        deploy = build_model(ModelSpec(arch, 2, {"features": features})).deploy()
        assert count_parameters(deploy) == parameters
        assert count_macs(deploy, 360, 640) / 1e9 == pytest.approx(gmacs, rel=0.02)


def test_folding_that_changes_pixels_is_refused() -> None:
    model = build_model(spec_of("elsr", 2))
    model.layer1.weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(ConversionError, match="folding changed"):
        fold(model)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/edgesr-was-here",)


def test_a_pickle_that_would_run_code_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"params": _Bomb()}, tmp_path / "zip.pth")
    (tmp_path / "raw.pkl").write_bytes(pickle.dumps(_Bomb()))
    for name in ("zip.pth", "raw.pkl"):
        with pytest.raises(CheckpointError, match=r"wants to run code \((posix|nt)\.system\)"):
            load_checkpoint(tmp_path / name)
    assert not Path("/tmp/edgesr-was-here").exists()  # noqa: S108


@pytest.mark.parametrize("keep", [0, 1, 100, -200])
def test_a_truncated_checkpoint_is_one_clear_line(keep: int, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", build_model(spec_of("elsr", 2)), {})
    data = (tmp_path / "c.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[:keep])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        load_checkpoint(tmp_path / "cut.pt")
    assert "\n" not in str(caught.value)


def test_unknown_and_unfitting_state_dicts_are_named(tmp_path: Path) -> None:
    torch.save({"conv9.weight": torch.zeros(3)}, tmp_path / "unknown.pt")
    with pytest.raises(CheckpointError, match="fits no known network"):
        load_checkpoint(tmp_path / "unknown.pt")
    state = build_model(spec_of("elsr", 2)).state_dict()
    state["layer2_4.conv2.bias"] = torch.zeros(7)
    torch.save(state, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=r"does not fit elsr x2: .*layer2_4\.conv2\.bias"):
        load_checkpoint(tmp_path / "odd.pt")
    torch.save({"a": 1}, tmp_path / "numbers.pt")
    with pytest.raises(CheckpointError, match="not a state dict"):
        load_checkpoint(tmp_path / "numbers.pt")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(CheckpointError, match="holds a Tensor"):
        load_checkpoint(tmp_path / "tensor.pt")
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(tmp_path / "absent.pt")


def test_names_that_fit_by_chance_are_no_network(tmp_path: Path) -> None:
    chance = {"body.0.weight": torch.zeros(3, 3, 3, 3), "body.1.weight": torch.zeros(3)}
    scalars = {
        f"conv{i}.{part}": torch.tensor(1.0) for i in (1, 2, 3) for part in ("weight", "bias")
    }
    for state in (chance | {"body.tail.weight": torch.zeros(3)}, scalars, {0: torch.zeros(3)}):
        torch.save(state, tmp_path / "odd.pt")
        with pytest.raises(CheckpointError, match=r"odd\.pt fits no known network"):
            load_checkpoint(tmp_path / "odd.pt")


def test_a_network_that_does_not_enlarge_is_named(tmp_path: Path) -> None:
    state = build_model(spec_of("srvgg", 2)).state_dict()
    last = max(int(key.split(".")[1]) for key in state)
    for part in ("weight", "bias"):
        state[f"body.{last}.{part}"] = state[f"body.{last}.{part}"][:3]
    torch.save(state, tmp_path / "x1.pt")
    with pytest.raises(CheckpointError, match=r"x1\.pt is srvgg x1"):
        load_checkpoint(tmp_path / "x1.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params": {"a": 1}}, "no tensor"),
        ({"params": 3}, "not a state dict"),
        ({"spec": {"arch": "newer", "scale": 2}}, "'newer'"),
        ({"spec": 3}, "incomplete"),
        ({"version": 2}, "version 2"),
    ],
)
def test_a_damaged_document_of_ours_is_named(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "c.pt", build_model(spec_of("elsr", 2)), {})
    document = torch.load(tmp_path / "c.pt", weights_only=True)
    torch.save(document | change, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "c.pt")


@pytest.mark.parametrize("features", [0, -1, "big", True, 6.0])
def test_an_option_of_no_use_is_a_usage_error(features: object) -> None:
    with pytest.raises(UsageError, match="features"):
        build_model(ModelSpec("elsr", 2, {"features": features}))  # type: ignore[dict-item]


def test_insisting_on_another_architecture_or_scale_fails(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", build_model(spec_of("elsr", 2)), {})
    with pytest.raises(CheckpointError, match="not x3"):
        load_checkpoint(tmp_path / "c.pt", scale=3)
    with pytest.raises(CheckpointError, match="not span"):
        load_checkpoint(tmp_path / "c.pt", arch="span")


def test_what_shapes_do_not_tell_is_an_option_and_a_note(tmp_path: Path) -> None:
    torch.save(build_model(ModelSpec("espcn", 2)).state_dict(), tmp_path / "e.pt")
    assert load_checkpoint(tmp_path / "e.pt").notes == ("activation is taken to be relu",)
    chosen = load_checkpoint(tmp_path / "e.pt", options={"activation": "tanh"})
    assert isinstance(chosen.model.activation, torch.nn.Tanh)
    assert chosen.notes == ()


def test_unknown_names_suggest_the_near_one() -> None:
    with pytest.raises(UsageError) as caught:
        build_model(ModelSpec("elrs", 2))
    assert "did you mean elsr?" in caught.value.hint
    with pytest.raises(UsageError, match="no option 'width'"):
        build_model(ModelSpec("elsr", 2, {"width": 3}))
    with pytest.raises(UsageError, match="scale 5"):
        build_model(ModelSpec("elsr", 5))


def test_a_checkpoint_that_can_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    model = build_model(spec_of("elsr", 2))
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StoreError, match="is a file"):
        save_checkpoint(blocked / "c.pt", model, {})


def test_public_checkpoints_load(shared: Path) -> None:
    expected = {
        "elsr_x2_best.pth": ("elsr", 2),
        "espcn_tanh_x2.pt": ("espcn", 2),
        "realesr_animevideov3_x4.pth": ("srvgg", 4),
        "span_ch28_x4_branches.pth": ("span", 4),
        "span_ch28_x4_slim.pth": ("span", 4),
    }
    for name, (arch, scale) in expected.items():
        spec = load_checkpoint(shared / "checkpoints" / name).spec
        assert (spec.arch, spec.scale) == (arch, scale)


@pytest.mark.parametrize("arch", ["elsr", "espcn", "residual", "span"])
def test_fewer_features_than_colours_are_refused(arch: str) -> None:
    with pytest.raises(UsageError, match="3 features or more"):
        build_model(ModelSpec(arch, 2, {"features": 2}))


def test_a_weight_that_was_changed_in_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, build_model(ModelSpec("espcn", 2, {})), {})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # among the weights: torch alone reads it without a word
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="the checksum of"):
        load_checkpoint(path)

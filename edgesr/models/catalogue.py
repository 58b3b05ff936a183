"""What there is: every architecture in its published sizes, and the bundled checkpoints."""

from typing import Any

from edgesr.models.checkpoint import bundled_checkpoints, load_checkpoint
from edgesr.models.count import count_macs, count_parameters
from edgesr.models.registry import ModelSpec, architectures, build_model


def sizes(height: int, width: int, scale: int = 2) -> list[dict[str, Any]]:
    """Size of every architecture's published variants.

    Args:
        height: Low-res height in pixels.
        width: Low-res width in pixels.
        scale: Enlargement.

    Returns:
        One row per variant: arch, scale, options, parameters and macs of its deploy graph.
    """
    rows = []
    for arch, network in architectures().items():
        for options in network.published or ({},):
            model = build_model(ModelSpec(arch, scale, dict(options)))
            deploy = model.deploy()
            rows.append(
                {
                    "arch": arch,
                    "scale": scale,
                    "options": dict(model.options),
                    "parameters": count_parameters(deploy),
                    "macs": count_macs(deploy, height, width),
                }
            )
    return rows


def bundled() -> list[dict[str, Any]]:
    """The checkpoints that ship with edgesr, with the quality measured when they were trained."""
    rows = []
    for name, path in bundled_checkpoints().items():
        checkpoint = load_checkpoint(path)
        measured = checkpoint.provenance.get("validation", {})
        rows.append(
            {
                "name": name,
                "arch": checkpoint.spec.arch,
                "scale": checkpoint.spec.scale,
                "parameters": count_parameters(checkpoint.model.deploy()),
                "size_bytes": path.stat().st_size,
                "val_psnr_y": measured.get("psnr_y"),
            }
        )
    return rows

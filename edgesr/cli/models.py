"""``edgesr models``: what can be trained and converted."""

from edgesr.cli._session import JsonOption, Session, verb

HEIGHT, WIDTH = 360, 640


@verb
def command(session: Session, *, as_json: JsonOption = False) -> None:
    """List the networks, their cost, and the bundled weights.

    Parameters of the deploy graph, MACs at 360x640.
    """
    from edgesr.models.catalogue import bundled, sizes

    networks, weights = sizes(HEIGHT, WIDTH), bundled()
    if as_json:
        session.terminal.json({"networks": networks, "bundled": weights})
        return
    session.terminal.table(
        f"Networks (x2, {HEIGHT}x{WIDTH})",
        ["arch", "options", "#parameters", "#GMACs"],
        [
            [
                row["arch"],
                ", ".join(f"{key}={value}" for key, value in row["options"].items()),
                f"{row['parameters']:,}",
                f"{row['macs'] / 1e9:.2f}",
            ]
            for row in networks
        ],
    )
    session.terminal.table(
        "Bundled checkpoints (their names work wherever a checkpoint is asked for)",
        ["name", "arch", "#scale", "#parameters", "#KB", "#dB on validation slides"],
        [
            [
                row["name"],
                row["arch"],
                f"x{row['scale']}",
                f"{row['parameters']:,}",
                f"{row['size_bytes'] / 1e3:.0f}",
                f"{row['val_psnr_y']:.2f}" if row["val_psnr_y"] is not None else "-",
            ]
            for row in weights
        ],
    )

"""Options of verbs that take a checkpoint: what its shapes may not tell."""

from typing import Annotated, Literal

import typer

ArchOption = Annotated[
    str | None, typer.Option(help="Network of a checkpoint whose shapes don't tell.")
]
ActivationOption = Annotated[
    Literal["relu", "tanh"] | None,
    typer.Option(help="Activation of an ESPCN checkpoint; shapes don't tell it."),
]


def network_options(activation: str | None) -> dict[str, int | float | str | bool]:
    """The options of a network as `edgesr.models` takes them."""
    return {} if activation is None else {"activation": activation}

"""``edgesr devices``: what is attached, and what to do with it."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli import simulate
from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.bench.survey import Surveyed
    from edgesr.device.adb import Attached

app = typer.Typer(
    help="What phones are attached, how they are doing, and what is wrong.", rich_markup_mode=None
)
AdbServerOption = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST:PORT", help="Look for phones there, repeatable."),
]
DeviceOption = Annotated[
    str, typer.Option(metavar="LIST", help="all (every authorised phone), or serials.")
]


@app.callback(invoke_without_command=True)
@verb
def list_devices(
    session: Session,
    *,
    context: typer.Context,
    adb_server: AdbServerOption = None,
    json: JsonOption = False,
) -> None:
    """List every attached phone, in every state.

    What it is (model, chip, cores, memory, GPU, profile), how it is doing (battery, temperature,
    throttling), and what to do where it can't be used.
    """
    if context.invoked_subcommand is not None:
        return
    from edgesr.bench.survey import survey
    from edgesr.device.adb import default_servers

    found = survey(default_servers(tuple(adb_server or ())))
    if json:
        session.terminal.json([one.to_dict() for one in found])
        return
    if not found:
        session.terminal.print("no phone is attached")
        session.terminal.note("next:  connect one with USB debugging on, see: edgesr doctor")
        return
    usable = [one for one in found if one.phone is not None]
    if usable:
        title, columns = "phones", ["phone", "what it is", "cores", "how it is doing", "profile"]
        session.terminal.table(title, columns, [_row(one) for one in usable])
    for one in found:
        if one.problem is not None:
            session.terminal.print(f"{one.name}: {one.attached.state}: {one.problem}")


app.command("simulate")(simulate.command)


@app.command("clean")
@verb
def clean(
    session: Session,
    *,
    device: DeviceOption = "all",
    adb_server: AdbServerOption = None,
    json: JsonOption = False,
) -> None:
    """End what edgesr left running on phones and delete its files there.

    A phone that is being measured right now is left alone.
    """
    from edgesr.bench.survey import clean as clean_phones

    found = clean_phones(_chosen(device, adb_server))
    told = {name: str(error) if error else None for name, error in found.items()}
    if json:
        session.terminal.json({"phones": [{"name": n, "problem": p} for n, p in told.items()]})
    else:
        for name, problem in told.items():
            session.terminal.print(problem or f"{name}: clean")
    for error in found.values():
        if error is not None:
            raise error


@app.command("lock")
@verb
def lock(
    session: Session,
    device: Annotated[str, typer.Argument(metavar="SERIAL", help="The phone.")],
    *,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Give it back after that (default: at Ctrl-C).")
    ] = None,
    adb_server: AdbServerOption = None,
) -> None:
    """Keep a phone for yourself: no edgesr measures on it meanwhile."""
    from edgesr.bench.survey import hold

    chosen = _chosen(device, adb_server)
    if len(chosen) != 1:
        raise UsageError("lock takes one phone", hint="name it by its serial: edgesr devices")
    ((name, phone),) = chosen.items()
    held = hold(name, phone)
    end = None if minutes is None else time.monotonic() + 60 * minutes
    session.terminal.print(f"{name} is locked; Ctrl-C gives it back")
    try:
        while end is None or time.monotonic() < end:
            time.sleep(1 if end is None else min(1, max(0, end - time.monotonic())))
            held.beat()
    except KeyboardInterrupt:
        session.terminal.note("given back")
    finally:
        held.release()


def _chosen(device: str, servers: list[str] | None) -> "dict[str, Attached]":
    """The phones that are meant.

    Raises:
        UsageError: When the list is empty or names the host.
        NoDeviceError: When one is not there or can't be used.
    """
    from edgesr.bench.fleet import choose
    from edgesr.device.adb import default_servers

    names = [name.strip() for name in device.split(",") if name.strip()]
    if not names or "host" in names:
        raise UsageError("name phones by their serials", hint="see them with: edgesr devices")
    return choose(names, default_servers(tuple(servers or ()))).phones


def _row(one: "Surveyed") -> tuple[str, ...]:
    assert one.phone is not None  # noqa: S101 - only such are shown
    info, state = one.phone.info, one.state
    what = [info.model or "unknown model", info.soc, info.gpu, info.os, info.abi]
    what += [f"{info.memory_mb} MiB" if info.memory_mb else None]
    groups = [f"{len(c.cpus)} x {c.max_mhz / 1000:.2f} GHz" for c in info.clusters or ()]
    cores = ", ".join(groups) or (f"{info.cores} cores" if info.cores else "unknown")
    doing: list[str] = []
    if state is not None:
        doing += [f"battery {state.battery_pct:.0f} %"] if state.battery_pct is not None else []
        doing += [f"on {state.charging}"] if state.charging not in {None, "none"} else []
        doing += [f"{state.temperature_c:.1f} °C"] if state.temperature_c is not None else []
        throttled = f"thermal status {state.thermal_status}"
        doing += [throttled] if state.thermal_status is not None else []
        doing += [f"CPU {state.busy_pct:.0f} % busy"] if state.busy_pct is not None else []
    profile = info.profile if info.listed else "unlisted: measured with general limits"
    mark = "simulated, " if info.simulated else ""
    joined = (", ".join(part for part in parts if part) for parts in (what, doing))
    described, condition = joined
    return (one.name, described, cores, condition or "it doesn't tell", mark + profile)

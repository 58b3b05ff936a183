"""A private adb server and simulated phones; no test here sees a real phone."""

from collections.abc import Callable, Iterator

import pytest

from edgesr.device.standin import PhoneOptions, PrivateAdbServer, StandIn, StandIns


@pytest.fixture
def adb_server(no_adb: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateAdbServer]:  # noqa: ARG001
    """A private adb server; adb and adbutils of this test use it and no other."""
    monkeypatch.delenv("EDGESR_ADB")
    with PrivateAdbServer() as server:
        for name in ("ANDROID_ADB_SERVER_PORT", "ADB_SERVER_SOCKET", "HOME", "TMPDIR"):
            monkeypatch.setenv(name, server.env[name])
        for name in ("ADB_USB", "ADB_MDNS", "ADB_EMU"):
            monkeypatch.setenv(name, "0")
        yield server


@pytest.fixture
def make_phone(adb_server: PrivateAdbServer) -> Iterator[Callable[..., StandIn]]:
    """``make_phone("pixel-7", unauthorized=True)``: a phone, connected unless told otherwise."""
    made: list[StandIn] = []

    def make(phone: str = "pixel-7", *, connect: bool = True, **options: object) -> StandIn:
        standin = StandIn(PhoneOptions(phone=phone, **options)).start()  # type: ignore[arg-type]
        made.append(standin)
        if connect:
            adb_server.connect(standin.serial)
        return standin

    yield make
    for standin in made:
        standin.close()
        adb_server.disconnect(standin.serial)


@pytest.fixture
def phone(make_phone: Callable[..., StandIn]) -> StandIn:
    """A connected Pixel 7."""
    return make_phone()


@pytest.fixture
def make_phones(adb_server: PrivateAdbServer) -> Iterator[Callable[..., list[StandIn]]]:
    """``make_phones("pixel-7", "galaxy-a14")``: several phones in one process, connected."""
    hosts: list[StandIns] = []
    made: list[StandIn] = []

    def make(*phones: str, **options: object) -> list[StandIn]:
        host = StandIns([PhoneOptions(phone=name, **options) for name in phones])  # type: ignore[arg-type]
        hosts.append(host)
        started = host.start()
        made.extend(started)
        for standin in started:
            adb_server.connect(standin.serial)
        return started

    yield make
    for host in hosts:
        host.close()
    for standin in made:
        adb_server.disconnect(standin.serial)

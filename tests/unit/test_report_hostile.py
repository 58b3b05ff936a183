"""Runs from anywhere, with anything in them: the page stays whole, and text stays text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fake_runs import full_run, header, manifest, ok_record
from fake_series import job as paced_job
from fake_series import segment_record

from edgesr.errors import InputError
from edgesr.report.page import ReportRequest, write_report
from edgesr.report.training import read_trainings
from edgesr.results.records import DeviceState, Job, Latency, Memory, Record, Verdict
from edgesr.results.store import RunFolder, Workspace

NAMES = (
    "</script><script>document.title='owned'</script>",
    "</style><img src=x onerror=\"document.title='owned'\">",
    '"\' onmouseover="document.title=\'owned\'" x="',
    "--><svg/onload=document.title='owned'>",
    "</td></table></section></main><h1>owned</h1>",
    "\u202eevil\u202c \u2066x\u2069 \ufeff\u0000\u001b[31m",
    "\u0645\u0627 中文 \N{COMBINING ACUTE ACCENT} \ud83d",
    "a" * 50_000,
    "$\\frac{1}{0}$ {0} {x!r} %s",
    "",
    " ",
    "main",
    "overview",
)
NUMBERS = (float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 1e308, 5e-324, 1e15)


class Tags(HTMLParser):
    """Start tags with their attributes; raises where something is not closed in order."""

    VOID = frozenset({"meta", "img", "br", "source", "path", "use"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def check(page: Path) -> str:
    """The page's text, once it is sure that nothing in it runs or leads elsewhere."""
    text = page.read_text(encoding="utf-8")
    tags = Tags(text).tags
    names = [name for name, _ in tags]
    assert names.count("script") == 1
    assert names.count("h1") == 1
    assert not {"iframe", "object", "embed", "form", "base", "link"} & set(names)
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"] or (
            "onmouseover" not in attributes and "onerror" not in attributes
        )
        for name in ("href", "src", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/"))
            if value and value.startswith("#"):
                assert value[1:] in ids
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ufeff\x00\x1b]", text)
    return text


def hostile_run(root: Path, name: str) -> RunFolder:
    """Every name of a run is this one, and every number comes in all the wrong ways."""
    one = manifest("x", "fp32", "elsr_x2") | {"name": name}
    one["source"] = {"checkpoint": name, "sha256": name}
    one["tools"] = {name or "x": name}
    device = name or "unnamed"
    jobs = [Job(candidate=one["id"], variant=name, device=device, delegate=d, threads=2)
            for d in (name or "d", "xnnpack")]  # fmt: skip
    facts = {"model": name, "soc": name, "os": name, "simulated": True, "listed": False}
    head = header([one], jobs, devices={device: facts}, versions={name or "x": name})
    head["accuracy"]["ocr"] = {"engine": name}
    run = Workspace(root).new_run(json.loads(json.dumps(head)))
    for index, value in enumerate(NUMBERS):
        for job in jobs:
            _append(run, ok_record(
                job, index, 10.0,
                latency_us=Latency(median=value, avg=value, p95=value, max=value, count=index),
                memory_mb=Memory(init=value, overall=value, peak=value, pss=value),
                init_us=value,
                before=DeviceState(temperature_c=value, big_core_limit_mhz=value),
                verdict=Verdict(requested=name, outcome="full", refused_ops=(name or "op",)),
                started_at=("no time", None, "2026-11-25T12:00:00+00:00")[index % 3],
            ))  # fmt: skip
    return run


def _append(run: RunFolder, record: Record) -> None:
    """As another's program would write it: the store itself refuses NaN."""
    with (run.path / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record.to_dict()) + "\n")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_and_numbers(tmp_path: Path, name: str) -> None:
    if "\ud83d" in name:  # half a character: no file can hold it, so no run does
        name = name.replace("\ud83d", "\N{REPLACEMENT CHARACTER}")
    page = write_report(ReportRequest((hostile_run(tmp_path, name),)))
    text = check(page)
    assert "document.title='owned'" not in text.replace("document.title=&#x27;", "")
    assert page.stat().st_size < 2_000_000
    for svg in page.parent.glob("plots/*.svg"):
        assert "<script" not in svg.read_text()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("candidates", []), ("candidates", {"x": None}), ("candidates", {"x": {"inputs": "torn"}}),
        ("candidates", {"x": {"size_bytes": 10**400, "model": {"parameters": 10**400, "macs": -1},
                              "parity": {"psnr_db": 10**400}}}),
        ("devices", [1]), ("devices", {"host": 5}), ("devices", {"a": {"clusters": {}}}),
        ("jobs", {"a": 1}), ("jobs", [None, 3, {"candidate": 5}]), ("suite", "quick"),
        ("accuracy", [1, 2]), ("accuracy", {"bicubic": {"2:360x640": {"psnr_y": "x"}}}),
        ("versions", 3), ("engine", "x"), ("created_at", {"a": 1}),
    ],
)  # fmt: skip
def test_headers_of_the_wrong_shape(tmp_path: Path, field: str, value: Any) -> None:
    run = full_run(tmp_path, pictures=False)
    lines = (run.path / "records.jsonl").read_text().splitlines()[:12]
    (run.path / "records.jsonl").write_text("\n".join(lines))
    tree = json.loads((run.path / "run.json").read_text())
    tree["jobs"] = tree["jobs"][:8]
    tree[field] = value
    (run.path / "run.json").write_text(json.dumps(tree))
    check(write_report(ReportRequest((RunFolder(run.path),))))


def test_only_a_paced_series_with_a_hostile_device(tmp_path: Path) -> None:
    job = paced_job(30.0, device=NAMES[1])
    run = Workspace(tmp_path).new_run(header([], [job], devices={NAMES[1]: {"model": NAMES[0]}}))
    run.append(segment_record(job, 0, (20.0, 30.0, 1000.0)))
    check(write_report(ReportRequest((run,))))


def test_training_from_anywhere(tmp_path: Path) -> None:
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    rows = ["stage,epoch,step,train_loss,val_psnr_y,,lr"]
    rows += [f'"{NAMES[0]}",{n},{n},{value},x,1,{value}' for n, value in enumerate(NUMBERS)]
    (folder / "metrics.csv").write_text("\n".join([*rows, "torn", '"a,1']))
    run = hostile_run(tmp_path, "x")
    page = write_report(ReportRequest((run,), training=(folder, folder / "metrics.csv")))
    assert "Training curves" in check(page)


@pytest.mark.parametrize("content", [b"", b"stage\nx\n", b"epoch\n", b"\xff\xfe\x00"])
def test_what_is_no_training_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="metrics"):
        read_trainings([path])
    with pytest.raises(InputError):
        read_trainings([tmp_path / "none.csv"])

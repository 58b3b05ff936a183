"""The report of several phones, and of runs from before there were any."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_runs import HOSTILE, PHONES, fleet_run, header, simple_run

from edgesr.analysis.devices import DeviceFacts
from edgesr.analysis.doubts import JobDoubt
from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.analysis.trust import SEVERITY
from edgesr.bench.delegates import DELEGATES as BENCH_DELEGATES
from edgesr.data.images import write_png
from edgesr.report.crops import scenes
from edgesr.report.devices import core_words, device_cells, notice
from edgesr.report.figures._style import THEME, delegate_colour, drawing_style
from edgesr.report.figures.registry import all_plots
from edgesr.report.headline import MOST_PANELS, headline, panels
from edgesr.report.page import NARROW, ReportRequest, write_report
from edgesr.report.table import columns, grade
from edgesr.report.wording import (
    DOUBTS,
    NOT_AN_APP,
    delegate_words,
    doubt_words,
    split_placed,
)
from edgesr.results.store import Workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(ReportRequest((fleet_run(tmp_path_factory.mktemp("fleet")),))).parent


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[JobSummary]:
    return summarise(tidy_rows([read_run(fleet_run(tmp_path_factory.mktemp("jobs")))]))


def text_of(page: Path) -> str:
    """What is read of the page, on one line."""
    body = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL)
    return " ".join(body.replace("&#x27;", "'").replace("&amp;", "&").split())


def test_what_is_known_of_every_phone_is_told(fleet: Path) -> None:
    text = text_of(fleet / "index.html")
    for words in (
        "127.0.0.1:46001 is a simulated phone: times are of the machine behind it.",
        "Tensor G2", "Mali-G710 MP7", "Android 14 (API 34)", "7614 MiB", "pixel-7",
        "4 × 1803 MHz + 2 × 2348 MHz + 2 × 2850 MHz",
        "▲ no device profile knows this phone",
        "▲ simulated phone: times are of the machine behind it",
        "Cold init ms", "Warm init ms", "PSS MiB", "812", "51.5",
        "C: wrong pixels: 20 dB to the fp32 reference, the floor is 30 dB",
        "B: it became slower from round to round: by 14 % over 6 rounds",
        "GPU (OpenCL) fp32, 2 jobs refused: this phone has no OpenCL",
        "NNAPI qti-dsp, 6 jobs fell back",
        "Convolution (NHWC, F32) IGEMM ×7", "others ×2",
        "Engine on 2A111FDH2005XY", "cd" * 32, "ef" * 32, "litert-python · 2.3.0",
        "Engine sha256 on 127.0.0.1:46001 not known",
        NOT_AN_APP,
    ):  # fmt: skip
        assert words in text, words


def test_the_sentence_about_apps_is_the_readmes() -> None:
    assert NOT_AN_APP in " ".join((ROOT / "README.md").read_text().split())


def test_a_fallback_of_a_variant_is_never_shown_as_that_delegate(fleet: Path) -> None:
    for svg in fleet.glob("plots/*.svg"):
        named = re.findall(r">[^<]*NNAPI[^<]*<", svg.read_text())
        assert all("fell back" in words for words in named), svg.name
    assert "all on NNAPI" not in (fleet / "index.html").read_text()


def test_markdown_tells_the_same(fleet: Path) -> None:
    lines = (fleet / "report.md").read_text().splitlines()
    assert lines[2].startswith("**127.0.0.1:46001 is a simulated phone")
    head = next(line for line in lines if line.startswith("| Candidate"))
    assert head.startswith("| Candidate | Device | Asked for | Threads | Status | Trust |")
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("| elsr")}
    assert bars == {head.count("|")}


def test_tables_for_machines_hold_the_grades(fleet: Path) -> None:
    for name in ("results.csv", "summary.csv"):
        head = (fleet / name).read_text().partition("\n")[0].split(",")
        assert {"trust", "trust_reasons", "simulated", "cause", "profile"} <= set(head)


def test_only_jobs_of_one_device_are_compared(jobs: list[JobSummary]) -> None:
    groups = panels(jobs)
    assert [{job.device for job in own} for own in groups.values()] == [{name} for name in PHONES]
    fast = [job for job in jobs if job.device == "2A111FDH2005XY"]
    alike = [replace(job, device_label="the same label") for job in jobs]
    titles = list(panels(alike))
    assert titles == [f"the same label · ×2 · 640×360{end}" for end in ("", " (2)", " (3)")]
    assert "2A111" not in headline(fast)


def test_wrong_pixels_get_no_headline(jobs: list[JobSummary]) -> None:
    own = [job for job in jobs if job.device == "2A111FDH2005XY"]
    fastest = min(own, key=lambda job: job.median_ms)
    assert (fastest.variant, fastest.delegate) == ("int8", "gpu-cl-fp32")
    assert headline(own).startswith("elsr_x2-360x640-fp32 on GPU (OpenCL) fp32")
    assert "with pixels that are right" in headline([fastest])
    assert "is faster" not in headline([*own, replace(fastest, outcome="partial")])


def test_a_headline_tells_the_grade(jobs: list[JobSummary]) -> None:
    own = [job for job in jobs if job.simulated]
    assert "Trust C: simulated phone" in headline(own)


def test_a_missing_number_is_told_and_costs_no_trust(jobs: list[JobSummary]) -> None:
    good = next(job for job in jobs if job.trust == "A")
    told = replace(good, doubts=(JobDoubt("no_pss", {"reason": "no such file"}, 3),))
    assert grade(told) == "good"
    (remark,) = (column for column in columns([told]) if column.title == "Remarks")
    assert remark.text(told) == (
        "A: the phone's own measure of memory (PSS) could not be read: no such file"
    )


@pytest.mark.parametrize(
    ("placed", "words", "colour"),
    [
        ("gpu", "GPU", "d-gpu"),
        ("gpu-fp32", "GPU fp32", "d-gpu"),
        ("gpu-cl", "GPU (OpenCL)", "d-gpu"),
        ("gpu-gl-fp32", "GPU (OpenGL) fp32", "d-gpu"),
        ("nnapi", "NNAPI", "d-nnapi"),
        ("nnapi:qti-dsp", "NNAPI qti-dsp", "d-nnapi"),
        ("nnapi:a b", "NNAPI a b", "d-nnapi"),
        ("gpu-cl-fp32 fell back", "GPU (OpenCL) fp32 fell back", "d-none"),
        ("nnapi:qti-dsp unproven", "NNAPI qti-dsp unproven", "d-none"),
        ("hexagon", "hexagon", "d-other"),
        ("", "", "d-none"),
    ],
)
def test_delegates_in_words_and_colours(placed: str, words: str, colour: str) -> None:
    assert delegate_words(placed) == words
    assert delegate_colour(placed) == THEME[colour]


def test_every_delegate_that_can_be_measured_has_words_of_its_own() -> None:
    words = [delegate_words(name) for name in BENCH_DELEGATES]
    assert len(set(words)) == len(words)
    assert all(split_placed(name) == (name, "") for name in BENCH_DELEGATES)
    assert not {name for name in BENCH_DELEGATES if delegate_colour(name) == THEME["d-other"]}


def test_every_weighed_doubt_has_words() -> None:
    places = {code for code in SEVERITY if code.startswith(("status_", "verdict_"))}
    other = {"not_measured", "no_usable_time", "rounds_bad", "verdict_varies"}
    assert set(SEVERITY) - places - other <= set(DOUBTS)
    assert set(DOUBTS) <= set(SEVERITY)


@pytest.mark.parametrize(
    ("doubt", "words"),
    [
        (JobDoubt("throttled", {"thermal_status": 2.0, "limit": 0.0}, 1),
         "Android slowed the phone down for its heat: thermal status 2 [1 round]"),
        (JobDoubt("clock_capped", {"limit_mhz": 2000.0, "max_mhz": 2850.0}, 2),
         "the system allowed only 2000 of 2850 MHz [2 rounds]"),
        (JobDoubt("picked_up", {"seconds": 12.0}, 1),
         "the result waited 12 s on the phone until it could be fetched [1 round]"),
        (JobDoubt("simulated", {}, 6), "simulated phone: times are of the machine behind it"),
        (JobDoubt("screen_changed", {}, 1), "screen_changed [1 round]"),
    ],
)  # fmt: skip
def test_doubts_in_words(doubt: JobDoubt, words: str) -> None:
    assert doubt_words(doubt) == words


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"clusters": [{"cpus": 4, "max_mhz": 1800.4}]}, "4 × 1800 MHz"),
        ({"clusters": [{"cpus": [0, 1], "max_mhz": None}]}, "2 × ? MHz"),
        ({"clusters": ["torn", {"cpus": []}, {}], "cores": 8}, "8 cores"),
        ({"clusters": 5}, ""),
        ({}, ""),
    ],
)
def test_cores_in_words(facts: dict[str, object], words: str) -> None:
    assert core_words(facts).replace("\N{NO-BREAK SPACE}", " ") == words


def test_a_device_of_which_nothing_is_known() -> None:
    facts = dict.fromkeys(("model", "soc", "android", "clusters", "memory_mb", "engine"))
    assert set(device_cells(DeviceFacts("x", facts, {})).values()) == {""}
    assert set(device_cells(DeviceFacts("x", {"model": 5, "api": "x"}, {})).values()) == {""}


def test_hostile_facts_stay_text(tmp_path: Path) -> None:
    facts = dict.fromkeys(("model", "soc", "gpu", "android", "profile", "server"), HOSTILE)
    engine = {"name": HOSTILE, "sha256": HOSTILE}
    devices = {HOSTILE: {**facts, "simulated": True, "listed": False, "engine": engine}}
    page = write_report(
        ReportRequest((Workspace(tmp_path).new_run(header([], [], devices=devices)),))
    )
    assert page.read_text().count("<script>") == 1
    assert "is a simulated phone" in text_of(page)
    assert not re.search(r"(?<!&lt;)<script>", (page.parent / "report.md").read_text())


def test_a_plot_of_a_large_fleet_says_what_it_leaves_out(jobs: list[JobSummary]) -> None:
    own = [job for job in jobs if job.device == "2A111FDH2005XY"]
    many = [replace(job, device=f"phone {n}", device_label=f"phone {n}")
            for n in range(MOST_PANELS + 6) for job in own]  # fmt: skip
    with drawing_style():
        for one in (plot for plot in all_plots() if plot.shows == "jobs"):
            drawing = one.draw(many, NARROW)
            if one.name in {"size", "threads"}:  # of all devices together; of no job here
                continue
            assert drawing is not None
            assert "6 further panels left out" in drawing.note


def test_all_simulated_is_said_once_for_all() -> None:
    found = [DeviceFacts(name, {"simulated": True}, {}) for name in "ab"]
    assert notice(found) == (
        "All 2 devices are simulated phones: times are of the machine behind them (a, b)."
    )
    assert notice([DeviceFacts("a", {}, {})]) == ""


def test_columns_of_phones_are_left_out_where_nothing_fills_them(tmp_path: Path) -> None:
    jobs = summarise(tidy_rows([read_run(simple_run(tmp_path))]))
    titles = [column.title for column in columns(jobs)]
    assert not {"Cold init ms", "Warm init ms", "PSS MiB", "Hottest °C"} & set(titles)
    assert titles.index("Device") > 10


def test_a_run_from_before_phones_still_reads(tmp_path: Path) -> None:
    """Its header has one engine for all, its records nothing of what was added since."""
    run = simple_run(tmp_path)
    lines = [json.loads(line) for line in (run.path / "records.jsonl").read_text().splitlines()]
    new = {"cause", "init_kind", "profile", "simulated", "before", "after"}
    assert not new & set().union(*lines)
    page = write_report(ReportRequest((run,)))
    text = text_of(page)
    assert "Engine litert-python · 2.3.0 Engine sha256 abab" in text
    assert "simulated" not in text
    assert not (page.parent / "plots" / "op_profile.svg").exists()


def test_a_header_without_devices(tmp_path: Path) -> None:
    page = write_report(ReportRequest((Workspace(tmp_path).new_run(header([], [], devices=None)),)))
    assert "The runs do not tell." in text_of(page)


def test_pictures_of_a_fleet_name_the_device(tmp_path: Path) -> None:
    run = read_run(fleet_run(tmp_path))
    own = summarise(tidy_rows([run]))
    folder = run.folder.path / "accuracy" / "slide-x2-360x640"
    picture = np.zeros((40, 60, 3), np.uint8)
    pictured = [job for job in own if job.delegate in {"cpu", "xnnpack"}]
    for stem in ("hr", "bicubic", *(job.key for job in pictured)):
        write_png(folder / f"{stem}.png", picture)
    write_png(folder / "lr.png", picture[::2, ::2])
    (scene,) = scenes([run], own)
    tiles = [tile for tile in scene.tiles if tile.kind == "candidate"]
    assert len(tiles) == 2 * len(PHONES)
    assert sum("(Pixel 7)" in tile.detail for tile in tiles) == 2

"""The pages within the page: which there are, what they hold, and what is left out of them."""

import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import PHONES, fleet_run, full_run, header, manifest, ok_record, simple_run
from typer.testing import CliRunner

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.report.conditions import MOST_POINTS, conditions
from edgesr.report.document import when_words
from edgesr.report.figures._lanes import MOST_LANES, unique_names, variant_words
from edgesr.report.figures._scatter import Scatter, front
from edgesr.report.figures._style import drawing_style
from edgesr.report.figures.conditions import conditions as draw_conditions
from edgesr.report.figures.registry import all_plots
from edgesr.report.figures.training import training as draw_training
from edgesr.report.page import NARROW, WIDE, ReportRequest, write_report
from edgesr.report.provenance import manifest_facts
from edgesr.report.results import card
from edgesr.report.shown import most_telling
from edgesr.report.ties import tie_sentence
from edgesr.report.training import Training, read_trainings
from edgesr.report.views import anchors
from edgesr.results.records import DeviceState, Job
from edgesr.results.store import Workspace


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = fleet_run(tmp_path_factory.mktemp("fleet"))
    return write_report(ReportRequest((run,))).read_text()


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[JobSummary]:
    return summarise(tidy_rows([read_run(fleet_run(tmp_path_factory.mktemp("jobs")))]))


def view(page: str, anchor: str) -> str:
    """The text of one view, tags left out."""
    found = re.search(
        rf'<section id="{anchor}" class="view.*?(?=<section id="[^"]*" class="view|</main>)',
        page, re.DOTALL,
    )  # fmt: skip
    assert found, anchor
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).replace("&#x27;", "'").split())


def test_every_device_candidate_and_delegate_has_its_page(fleet: str) -> None:
    views = re.findall(r'<section id="([^"]+)" class="view', fleet)
    assert views[0] == "overview"
    assert views[-2:] == ["table", "provenance"]
    assert sum(name.startswith("device-") for name in views) == len(PHONES)
    assert sum(name.startswith("candidate-") for name in views) == 2
    assert {"delegate-cpu", "delegate-gpu-cl-fp32", "delegate-nnapi-qti-dsp"} <= set(views)
    marked = re.findall(r'<a href="#([^"]+)" aria-current="page"', fleet)
    assert marked == ["overview"]
    assert fleet.count('class="view current"') == 1


def test_the_overview_begins_with_the_recommendation(fleet: str) -> None:
    text = view(fleet, "overview")
    assert text.index("simulated phone") < text.index("Recommendation") < text.index("Results")
    assert "the default criteria, slides-quality" in text
    assert 'href="#choice"' in fleet
    assert "Not chosen" in view(fleet, "choice")


def test_a_device_page_holds_only_its_jobs(fleet: str) -> None:
    text = view(fleet, "device-2a111fdh2005xy")
    assert "Tensor G2" in text
    assert "8 of 8 jobs on this device" in text
    assert "Redmi" not in text
    assert "simulated phone" in view(fleet, "device-127-0-0-1-46001")


def test_a_delegate_page_credits_no_fallback(fleet: str) -> None:
    text = view(fleet, "delegate-nnapi-qti-dsp")
    assert "6 jobs: 6 fell back." in text
    assert "Times as fast as" not in text
    gpu = view(fleet, "delegate-gpu-cl-fp32")
    assert "Times as fast as XNNPACK in the same rounds" in gpu
    assert "this phone has no OpenCL" in gpu
    assert "elsr_x2-360x640-int8" not in gpu.partition("Not wholly")[0].partition("no usable")[0]


def test_refused_operations_are_counted(tmp_path: Path) -> None:
    name = "elsr_x2-360x640-fp32"
    one = manifest(name, "fp32", "elsr_x2")
    job = Job(candidate=one["id"], variant="fp32", device="host", delegate="gpu", threads=1)
    run = Workspace(tmp_path).new_run(header([one], [job]))
    record = ok_record(job, 0, 5.0)
    assert record.verdict
    refused = record.verdict.model_copy(update={"outcome": "partial", "refused_ops": ("PRELU",)})
    run.append(record.model_copy(update={"verdict": refused}))
    text = view(write_report(ReportRequest((run,))).read_text(), "delegate-gpu")
    assert "PRELU : in 1 job on 1 device" in text


def test_names_on_plots_lose_a_size_that_all_share_but_no_variant(jobs: list[JobSummary]) -> None:
    def named(*names: str) -> list[str]:
        own = [replace(jobs[0], name=name, candidate=name) for name in names]
        return list(unique_names(own).values())

    assert named("net-360x640-16x8", "net-360x640-fp32") == ["net-16x8", "net-fp32"]
    assert named("net-16x8", "net-fp32") == ["net-16x8", "net-fp32"]
    several = ["net-360x640-fp32", "net-180x320-fp32"]
    assert named(*several) == several


def test_a_lane_says_in_words_what_its_colour_does_not_tell() -> None:
    assert variant_words("gpu") == ""
    assert variant_words("gpu-cl") == ", GPU (OpenCL)"
    assert variant_words("nnapi fell back") == ", NNAPI fell back"


def test_jobs_of_one_scale_stand_together(tmp_path: Path) -> None:
    known, jobs = [], []
    for number, scale in enumerate((2, 3, 2, 3)):
        one = manifest(f"net{number}", "fp32", "net", scale)
        known.append(one)
        jobs.append(Job(candidate=one["id"], variant="fp32", device="host", delegate="cpu",
                        threads=1))  # fmt: skip
    run = Workspace(tmp_path).new_run(header(known, jobs))
    for number, job in enumerate(jobs):
        run.append(ok_record(job, 0, 5.0 + number))
    with (write_report(ReportRequest((run,))).parent / "summary.csv").open() as file:
        told = [(float(row["scale"]), float(row["median_ms"])) for row in csv.DictReader(file)]
    assert told == [(2.0, 5.0), (2.0, 7.0), (3.0, 6.0), (3.0, 8.0)]


def test_a_card_tells_the_fastest_first_and_the_rest_below(jobs: list[JobSummary]) -> None:
    text = card("Pixel", [job for job in jobs if job.device == "2A111FDH2005XY"])
    first, _, rest = text.partition("<ul>")
    assert first.count("<p>") == 1
    assert "is the fastest" in first
    assert "text is read best" in rest
    uncounted = [replace(job, text_images=math.nan) for job in jobs if job.selectable]
    assert "interval 0.038 to 0.062)" in card("Pixel", uncounted)
    nothing = card("Pixel", [replace(job, statuses={"failed": 1}) for job in jobs[:1]])
    assert "Nothing here is verified" in nothing
    assert "<ul>" not in nothing


def test_the_pareto_set_names_what_it_weighs(fleet: str) -> None:
    text = view(fleet, "choice")
    assert "Pareto set of latency, CER and size" in text


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("2026-11-25T23:16:38+01:00", "2026-11-25 22:16 UTC"),
        ("2026-11-25T23:16:38", "2026-11-25 23:16:38"),
        ("9999-12-31T23:59:59-23:00", "9999-12-31T23:59:59-23:00"),
        ("<b>", "<b>"),
        ("", ""),
    ],
)
def test_when_a_run_was_made(told: str, shown: str) -> None:
    assert when_words(told) == shown


def test_parity_is_called_identical_only_where_it_was_compared() -> None:
    def told(**manifest: object) -> str:
        return manifest_facts("x" * 64, manifest)["Parity with checkpoint"]

    assert told(parity={"psnr_db": None}) == "identical"
    assert told(parity={"psnr_db": 52.04}) == "52.0 dB"
    assert told(parity={"psnr_db": "a lot"}) == told(parity={"images": 4}) == told() == ""


def test_anchors_are_unique_short_and_stable() -> None:
    found = anchors("x", ["a b", "A-B", "", "中文", "a b", "y" * 500])
    assert list(found.values())[:4] == ["x-a-b", "x-a-b-2", "x-unnamed", "x-unnamed-2"]
    assert all(re.fullmatch(r"x-[a-z0-9-]{1,60}", anchor) for anchor in found.values())


def test_of_many_jobs_the_best_of_each_place_stay(jobs: list[JobSummary]) -> None:
    many = [replace(job, threads=float(t), median_ms=job.median_ms * t)
            for job in jobs for t in (3, 1, 2)]  # fmt: skip
    assert most_telling(many, len(many)) == many
    kept = most_telling(many, len(jobs))
    assert {job.threads for job in kept if job.measured} == {1.0}
    assert kept == [job for job in many if job in kept]
    few = most_telling(many, 6)
    assert {(job.device, job.candidate) for job in few} == {(j.device, j.candidate) for j in jobs}
    assert all(job.selectable for job in few)


def test_the_page_says_what_its_table_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgesr.report.shown.most_telling.__defaults__", (10,))
    text = view(write_report(ReportRequest((fleet_run(tmp_path),))).read_text(), "table")
    assert "Shown are 10 of 24 jobs" in text


def test_ties_are_told(tmp_path: Path) -> None:
    (job,) = summarise(tidy_rows([read_run(simple_run(tmp_path, (10.0, 10.4, 9.8, 10.1)))]))
    rounds = job.round_ms
    near = {n: ms * (1.02 if n % 2 else 0.99) for n, ms in rounds.items()}
    far = {n: ms * 1.5 + 0.01 * n for n, ms in rounds.items()}
    same = replace(job, candidate="b", name="twin", round_ms=near)
    slow = replace(job, candidate="c", name="snail", median_ms=job.median_ms * 1.5, round_ms=far)
    other = replace(job, candidate="d", name="stranger", round_ms={99: 10.0})
    text = tie_sentence([job, slow, same, other])
    assert "95 %): twin (XNNPACK)." in text
    assert "The next, snail, is slower by 50." in text
    assert "1 candidate has fewer than 3 rounds in common" in text
    assert tie_sentence([job]) == ""


def test_the_front_holds_only_what_may_be_chosen(jobs: list[JobSummary]) -> None:
    one = next(job for job in jobs if job.selectable)

    def point(ms: float, psnr: float, **changes: object) -> JobSummary:
        return replace(one, median_ms=ms, psnr_y=psnr, **changes)

    points = [point(1, 30), point(2, 29), point(3, 33), point(3, 32), point(9, 33)]
    points.append(point(0.5, 40, outcome="partial"))
    scatter = Scatter("x", lambda job: job.psnr_y, lambda _job: {})
    assert [(job.median_ms, job.psnr_y) for job in front(points, scatter)] == [(1, 30), (3, 33)]
    lower = replace(scatter, higher_is_better=False)
    assert [(job.median_ms, job.psnr_y) for job in front(points, lower)] == [(1, 30), (2, 29)]


def test_conditions_over_time(tmp_path: Path) -> None:
    name = "elsr_x2-360x640-fp32"
    one = manifest(name, "fp32", "elsr_x2")
    job = Job(candidate=one["id"], variant="fp32", device="2A111FDH2005XY", delegate="cpu",
              threads=1)  # fmt: skip
    run = Workspace(tmp_path).new_run(header([one], [job], devices=PHONES))
    for n in range(300):
        hot = 60.0 if n == 137 else 30.0
        state = DeviceState(temperature_c=hot, big_core_limit_mhz=1000.0 if n == 9 else 2850.0)
        when = f"2026-11-25T{12 + n // 60}:{n % 60:02d}:00+00:00"
        run.append(ok_record(job, n, 9.0, before=state, after=state, started_at=when))
    (track,) = conditions(tidy_rows([read_run(run)]))
    assert len(track.minutes) <= MOST_POINTS
    assert max(track.temperature_c) == 60
    assert min(track.clock_mhz) == 1000
    assert 290 < track.minutes[-1] < 300
    with drawing_style():
        for frame in (WIDE, NARROW):
            drawing = draw_conditions([track], frame)
            assert drawing is not None
            assert "30 to 60 °C" in drawing.alt
        assert draw_conditions([], WIDE) is None


def test_training_curves(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "stage,epoch,step,train_loss,lr,val_psnr_y\nmain,1,100,0.5,0.001,30\nmain,2,200,0.4,,31\n"
    )
    (one,) = read_trainings([tmp_path])
    assert one.steps == (100, 200)
    assert math.isnan(one.columns["lr"][1])
    with drawing_style():
        drawing = draw_training([one, replace(one, name="other")], NARROW)
        assert drawing is not None
        assert "PSNR-Y from 30.0 to 31.0" in drawing.alt
        assert draw_training([Training("x", {"lr": (math.nan,)}, ("",))], WIDE) is None
    assert Training("x", {"loss": (1.0, 2.0)}, ("", "")).steps == (1, 2)


def invoke(*arguments: str) -> "tuple[int, str, str]":
    import typer

    from edgesr.cli import report

    app = typer.Typer()
    app.command()(report.command)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_the_command_takes_criteria_and_trainings(tmp_path: Path) -> None:
    run = full_run(tmp_path, pictures=False)
    (tmp_path / "metrics.csv").write_text("epoch,train_loss\n1,0.5\n2,0.25\n")
    code, _, error = invoke(
        "--workspace", str(tmp_path), "--criteria", "smallest",
        "--set", "constraints.trust.min=C", "--training", str(tmp_path),
    )  # fmt: skip
    assert code == 0, error
    page = (run.path / "report" / "index.html").read_text()
    assert "Chosen by the criteria smallest" in view(page, "overview")
    assert "Training curves" in view(page, "plots")
    assert "## Recommendation" in (run.path / "report" / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--criteria", "none-such"), 3),
        (("--set", "constraints.speed.max=1"), 3),
        (("--training", "none.csv"), 3),
    ],
)
def test_the_command_names_what_is_wrong(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    run = simple_run(tmp_path)
    found, _, error = invoke("--workspace", str(tmp_path), *arguments)
    assert (found, len(error.strip().splitlines()) <= 3) == (code, True), error
    assert not (run.path / "report").exists()


def test_a_plot_of_many_lanes_says_what_it_leaves_out(jobs: list[JobSummary]) -> None:
    own = [job for job in jobs if job.device == "2A111FDH2005XY"]
    many = [
        replace(job, candidate=f"{job.candidate}{n}", name=f"{job.name}-{n}", device=f"phone {d}",
                device_label=f"phone {d}")
        for job in own for n in range(10) for d in range(8)
    ]  # fmt: skip
    with drawing_style():
        drawing = all_plots()[1].draw(many, NARROW)
    assert drawing is not None
    drawn = sum(text.get_text().count(" ms") for axes in drawing.figure.axes for text in axes.texts)
    assert drawn <= MOST_LANES + 8 * 8
    assert re.match(r"\d+ slower candidates are in the table only", drawing.note)


def test_a_candidate_is_listed_with_its_fastest_job_also_where_another_is_trusted_more(
    tmp_path: Path,
) -> None:
    one = manifest("net", "fp32", "elsr_x2")
    steady, quick = (
        Job(candidate=one["id"], variant="fp32", device="host", delegate="xnnpack", threads=n)
        for n in (1, 2)
    )
    run = Workspace(tmp_path).new_run(header([one], [steady, quick]))
    for number in range(5):
        run.append(ok_record(steady, number, 20.0))
        run.append(ok_record(quick, number, 6.0 + 0.6 * (number % 3)))  # spread: trust B
    listed = view(write_report(ReportRequest((run,))).read_text(), "candidates")
    assert "6.60 ms on XNNPACK" in listed
    assert "(trust B)" in listed

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from fake_runs import HOSTILE, full_run, simple_run
from typer.testing import CliRunner, Result

from edgesr.analysis.doubts import JobDoubt
from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import summarise
from edgesr.bench.doubts import Code
from edgesr.data.images import write_png
from edgesr.errors import StoreError, UsageError
from edgesr.report import page as page_module
from edgesr.report.crops import busiest_window, scenes
from edgesr.report.figures.registry import PLOTS, all_plots
from edgesr.report.headline import headline
from edgesr.report.page import ReportRequest, write_report
from edgesr.report.wording import DOUBTS, doubt_words
from edgesr.results.records import Job
from edgesr.results.store import Workspace

VOID = {"meta", "img", "br", "source", "link", "path", "use"}

Attributes = list[tuple[str, str | None]]


class Page(HTMLParser):
    """Checks nesting, and collects tags, ids and the text that is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text += data + " "

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("full")
    run = full_run(root)
    out = write_report(ReportRequest((run,))).parent
    assert out == run.path / "report"
    return out


@pytest.fixture(scope="module")
def html(full: Path) -> Page:
    return Page((full / "index.html").read_text())


def test_every_output_is_there(full: Path) -> None:
    names = {str(path.relative_to(full)) for path in full.rglob("*") if path.is_file()}
    drawn = [name for name, plot in PLOTS.items() if plot.shows == "jobs"]
    plots = {f"plots/{name}.{kind}" for name in drawn for kind in ("png", "svg")}
    assert names == {"index.html", "results.csv", "summary.csv", "report.md"} | plots


def test_nothing_is_fetched(html: Page) -> None:
    for _, attributes in html.tags:
        for key in ("src", "href", "xlink:href", "srcset", "action"):
            value = attributes.get(key)
            assert value is None or value.startswith(("#", "data:image/"))
    assert not html.named("link")
    assert html.named("meta")[1]["content"].startswith("default-src 'none'")


def test_size_is_sane(full: Path) -> None:
    assert (full / "index.html").stat().st_size < 3_000_000


def test_hostile_text_stays_text(html: Page) -> None:
    assert len(html.named("script")) == 1
    assert not any(key.startswith("on") for _, attributes in html.tags for key in attributes)
    assert not [one for one in html.named("img") if not one["src"].startswith("data:")]
    assert "<script>alert('x')</script>" in html.text


def test_ids_are_unique_and_links_lead_somewhere(html: Page) -> None:
    ids = [attributes["id"] for _, attributes in html.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in html.named("a"):
        assert attributes["href"].removeprefix("#") in ids
    for attributes in html.named("svg"):
        assert attributes["aria-labelledby"] in ids


def test_accessible_structure(html: Page) -> None:
    levels = [int(tag[1]) for tag, _ in html.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(image["alt"] for image in html.named("img"))
    assert all("scope" in cell for cell in html.named("th"))
    assert len(html.named("caption")) == len(html.named("table"))
    assert html.named("html") == [{"lang": "en"}]


def test_refused_failed_and_missing_are_told(html: Page) -> None:
    for words in (
        "this build of the engine has no GPU delegate",
        "Failed to allocate tensors!",
        "planned, and no record of it",
        "the times are the CPU's and are not credited to it",
        "some_new_code (x 1.5)",
        "other programs kept 1.4 cores busy",
        "partly on XNNPACK 9/12 nodes",
        "not every round is good: ok 2, timed out 1",
        "1 line left out: unreadable",
        "the picture is damaged",
        "Chosen by the default criteria, slides-quality",
    ):
        assert words in html.text
    rows = [attributes.get("class") for attributes in html.named("tr")]
    assert {"good", "doubt", "bad"} <= set(rows)


def test_every_job_has_a_row(html: Page) -> None:
    assert len(rows_of(html, "jobs")) == 16 * 4 * 2


def rows_of(html: Page, table: str) -> list[dict[str, str | None]]:
    """The rows of one table that have a grade."""
    inside, rows = False, []
    for tag, attributes in html.tags:
        inside = attributes.get("id") == table if tag == "table" else inside
        if inside and tag == "tr" and attributes.get("class"):
            rows.append(attributes)
    return rows


def test_a_fallback_is_in_no_plot_as_its_delegate(full: Path) -> None:
    svg = (full / "plots" / "latency.svg").read_text()
    assert "NNAPI fell back" in svg
    assert ">NNAPI<" not in svg


def test_svgs_are_xml_with_real_text_and_no_date(full: Path) -> None:
    for path in (full / "plots").glob("*.svg"):
        text = path.read_text()
        tree = ElementTree.fromstring(text)  # noqa: S314 - we wrote it
        assert tree.findall(".//{http://www.w3.org/2000/svg}text")
        assert "<dc:date>" not in text


def test_page_follows_the_colour_scheme(full: Path) -> None:
    text = (full / "index.html").read_text()
    svg = text[text.index("<svg") : text.index("</svg>")]
    assert "var(--d-xnnpack)" in svg
    assert not re.search(r"#(?!latency-)[0-9a-f]{6}", svg)


def test_tables_for_machines(full: Path) -> None:
    with (full / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert HOSTILE in {row["name"] for row in rows}
    with (full / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 16 * 4 * 2


def test_markdown_table_holds_together(full: Path) -> None:
    lines = (full / "report.md").read_text().splitlines()
    table = [line for line in lines if line.startswith(("| elsr", "| Candidate", "| &lt;script"))]
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert bars == {27}


def test_the_same_run_gives_the_same_page(full: Path, tmp_path: Path) -> None:
    run = Workspace(full.parents[2]).run()
    again = write_report(ReportRequest((run,), tmp_path / "again"))
    assert again.read_bytes() == (full / "index.html").read_bytes()


def test_headline_gives_the_numbers(tmp_path: Path) -> None:
    page = write_report(ReportRequest((simple_run(tmp_path),)))
    text = Page(page.read_text()).text
    assert (
        "elsr_x2-360x640-fp32 on XNNPACK with 2 threads is the fastest measurement with the whole "
        "graph where it was asked to run: 11.0 ms per frame (95 % 8.29 to 14.6, 3 rounds), "
        "its quality was not measured." in text
    )


def test_headline_names_a_faster_job_that_ran_only_partly_there(tmp_path: Path) -> None:
    (job,) = summarise(tidy_rows([read_run(simple_run(tmp_path))]))
    other = replace(job, name="elsr-fp16", median_ms=12.0)
    partial = replace(job, name="elsr-int8", outcome="partial", median_ms=0.73,
                      nodes_delegated=8.0, nodes_total=9.0)  # fmt: skip
    text = headline([job, other, partial])
    assert "is the fastest of 2 measurements with the whole graph where it was asked to run" in text
    assert (
        "elsr-int8 is faster, 0.730 ms, but runs partly on XNNPACK with 2 threads (8/9 nodes)."
        in text
    )
    slower = replace(partial, median_ms=40.0)
    assert "is faster" not in headline([job, slower])


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("slide-xy-x2-360x640", "slide-xy, ×2, input 640×360"),
        ("slide-x2", "slide, ×2"),  # as older runs have it
        ("slide-x0", None),
        ("slide-x2-180x320", "slide, ×2, input 320×180"),
    ],
)
def test_pictures_belong_to_the_jobs_of_their_input_size(
    tmp_path: Path, name: str, title: str | None
) -> None:
    run = simple_run(tmp_path)
    picture = np.zeros((40, 60, 3), np.uint8)
    key = Job(**run.header()["jobs"][0]).key
    for stem in ("hr", "bicubic", key):
        write_png(run.path / "accuracy" / name / f"{stem}.png", picture)
    write_png(run.path / "accuracy" / name / "lr.png", picture[::2, ::2])
    data = read_run(run)
    found = scenes([data], summarise(tidy_rows([data])))
    assert [scene.title for scene in found] == ([title] if title else [])
    own = [tile.title for scene in found for tile in scene.tiles if tile.kind == "candidate"]
    assert own == (["elsr_x2-360x640-fp32"] if title and "180" not in title else [])


def test_a_run_without_any_record(tmp_path: Path) -> None:
    page = write_report(ReportRequest((simple_run(tmp_path, rounds=()),)))
    text = Page(page.read_text()).text
    assert "Nothing here is verified" in text
    assert not (page.parent / "plots" / "latency.svg").exists()


def test_a_run_without_any_job(tmp_path: Path) -> None:
    page = write_report(ReportRequest((Workspace(tmp_path).new_run({}),)))
    assert "These runs hold no jobs." in Page(page.read_text()).text


def test_several_runs_stay_apart(tmp_path: Path) -> None:
    runs = (simple_run(tmp_path, (10.0,) * 3), simple_run(tmp_path, (20.0,) * 3))
    page = write_report(ReportRequest(runs, tmp_path / "both"))
    text = Page(page.read_text()).text
    assert (
        text.count("is the fastest measurement with the whole graph") == 4
    )  # and on the device's page


def test_foreign_text_in_names_needs_no_font(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    path = run.path / "run.json"
    path.write_text(path.read_text().replace("elsr_x2-360x640-fp32", "超分辨率 \\u0007\\u202e $x$"))
    write_report(ReportRequest((run,)))
    ElementTree.fromstring((run.path / "report/plots/latency.svg").read_text())  # noqa: S314


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    page = write_report(ReportRequest((run,)))
    (page.parent / "old.txt").write_text("old")
    write_report(ReportRequest((run,)))
    assert not (page.parent / "old.txt").exists()


@pytest.mark.parametrize("content", [None, "<html>mine</html>"])
def test_foreign_folders_are_refused(tmp_path: Path, content: str | None) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / ("index.html" if content else "thesis.tex")).write_text(content or "text")
    with pytest.raises(UsageError, match="not empty"):
        write_report(ReportRequest((simple_run(tmp_path),), out))
    assert len(list(out.iterdir())) == 1


def test_an_empty_folder_is_used_and_a_file_is_refused(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    (tmp_path / "empty").mkdir()
    assert write_report(ReportRequest((run,), tmp_path / "empty")).is_file()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        write_report(ReportRequest((run,), tmp_path / "file"))


def test_a_failed_report_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = simple_run(tmp_path)
    page = write_report(ReportRequest((run,)))
    before = page.read_bytes()

    def full_disk(_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page_module, "document", full_disk)
    with pytest.raises(StoreError, match="disk is full"):
        write_report(ReportRequest((run,)))
    assert page.read_bytes() == before
    assert sorted(path.name for path in run.path.iterdir()) == [
        "logs", "records.jsonl", "report", "run.json",
    ]  # fmt: skip


def test_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_report(ReportRequest((), tmp_path))


def test_plots_register_themselves() -> None:
    names = [plot.name for plot in all_plots()]
    assert names == [
        "sustained", "latency", "quality", "cer", "size", "memory", "threads", "conditions",
        "op_profile", "training",
    ]  # fmt: skip
    files = {path.stem for path in Path(page_module.__file__).parent.glob("figures/[a-z]*.py")}
    assert files == {*names, "registry"}


def test_every_doubt_of_a_record_has_words() -> None:
    assert set(Code) <= set(DOUBTS)


def test_readability_is_a_sentence_a_plot_and_columns(full: Path) -> None:
    page = (full / "index.html").read_text()
    assert "text is read best in the pictures of span_ch28_x2" in page
    assert "bicubic 0.094 (significantly worse), the originals themselves 0.021" in page
    assert "0.042 (0.030–0.054)" in page
    assert "-0.052 (-0.060 to -0.044)" in page.replace("\N{MINUS SIGN}", "-")
    assert "CER 0.042" in page
    rows = (full / "summary.csv").read_text().splitlines()
    assert {"cer", "cer_low", "truth_cer", "cer_vs_reference_high"} <= set(rows[0].split(","))
    assert "20 of 120" in page


def test_runs_that_read_nothing_have_no_word_of_it(tmp_path: Path) -> None:
    page = write_report(ReportRequest((simple_run(tmp_path),))).read_text()
    assert "Readability" not in page
    assert not re.search(r">[^<]*CER\b", page)


def test_unknown_doubts_and_missing_numbers_are_shown_raw() -> None:
    assert doubt_words(JobDoubt("new_code", {"x": 1.5}, 2)) == "new_code (x 1.5) [2 rounds]"
    assert doubt_words(JobDoubt("hot", {"a": "{b}"}, 0)) == "hot (a {b})"


def test_doubts_about_what_is_measured_once_count_no_rounds() -> None:
    words = doubt_words(JobDoubt("accuracy_window", {"pct": 56.0}, 1))
    assert words == "quality is of the top left 56 % of each picture"


def test_progress_ends_at_its_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    run = simple_run(tmp_path)
    write_report(ReportRequest((run,)), lambda _, done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(seen)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_window_lies_on_the_text_and_on_the_grid(scale: int) -> None:
    image = np.full((400, 600, 3), 255, np.uint8)
    image[210:290:3, 310:460:3] = 0
    top, left, high, wide = busiest_window(image, scale=scale)
    assert all(value % scale == 0 for value in (top, left, high, wide))
    assert top <= 216
    assert top + high >= 284
    assert left <= 316
    assert left + wide >= 454


def test_window_of_a_small_picture_is_the_picture() -> None:
    assert busiest_window(np.zeros((41, 63, 3), np.uint8), scale=2) == (0, 0, 40, 62)


def invoke(*arguments: str) -> Result:
    import typer

    from edgesr.cli import report

    app = typer.Typer()
    app.command()(report.command)
    return CliRunner().invoke(app, arguments)


def test_command_takes_the_newest_run(tmp_path: Path) -> None:
    simple_run(tmp_path)
    result = invoke("--workspace", str(tmp_path), "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert Path(answer["page"]).is_file()
    assert answer["page"] in answer["files"]


def test_command_says_where_the_page_is(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    out = str(tmp_path / "[b]out")
    result = invoke(run.path.name[:20], "--workspace", str(tmp_path), "--out", out)
    assert f"{out}/index.html" in result.stdout


def test_command_without_a_run(tmp_path: Path) -> None:
    result = invoke("--workspace", str(tmp_path))
    assert result.exit_code == 3
    assert "edgesr bench" in result.stderr


def test_labels_of_the_scatter_stay_beside_their_points(full: Path) -> None:
    from matplotlib.text import Annotation

    from edgesr.report.figures._style import drawing_style

    run = Workspace(full.parents[2]).run()
    jobs = summarise(tidy_rows([read_run(run)]))
    for frame in (page_module.WIDE, page_module.NARROW):
        with drawing_style():
            drawing = PLOTS["quality"].draw(jobs, frame)
            assert drawing is not None
            boxes = {}
            for dpi in (72, 144):  # as in the SVG, as in the PNG
                drawing.figure.set_dpi(dpi)
                drawing.figure.draw_without_rendering()
                labels = [c for c in drawing.figure.axes[0].texts if isinstance(c, Annotation)]
                boxes[dpi] = [Annotation.get_window_extent(label) for label in labels]
        assert len(boxes[72]) > 5
        for small, large in zip(boxes[72], boxes[144], strict=True):
            assert large.x0 == pytest.approx(2 * small.x0, abs=20)
            assert large.y0 == pytest.approx(2 * small.y0, abs=20)
        names = [label.get_window_extent() for label in labels if not label.arrow_patch]
        assert sum(one.overlaps(two) for one in names for two in names) == len(names)

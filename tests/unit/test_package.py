"""Packaging: the choice, the files, the folder of an Android project, and hostile names."""

import hashlib
import json
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fake_runs import HOSTILE, header, ok_record
from fixtures.tiny import tiny_candidate

from edgesr.data.images import read_image
from edgesr.errors import InputError, StoreError, UsageError
from edgesr.package import android, build
from edgesr.package.android import module_of, place
from edgesr.package.build import PackageRequest, prepare, write_files
from edgesr.package.card import card_text
from edgesr.package.choice import Asked
from edgesr.package.content import About, Content
from edgesr.package.metadata import read_notes
from edgesr.package.model import PackedModel, operations
from edgesr.package.text import code, folder_name, markdown, nameless
from edgesr.results.manifest import Variant
from edgesr.results.records import Job
from edgesr.results.store import Candidate, RunFolder, Workspace

FORCE = Asked(force=True)
NAMES = {
    "EdgesrUpscaler.kt", "MODEL_CARD.md", "contract.json", "golden-input.bin", "golden-input.png",
    "golden-output.bin", "model.tflite",
}  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project/app/src/main").mkdir(parents=True)
    return tmp_path / "project"


def _select(workspace: Workspace, *winners: dict[str, Any], **changes: Any) -> None:
    document = {
        "schema": 1, "created_at": "2026-11-25T20:00:00+00:00", "runs": [],
        "criteria": {"name": "slides-quality"}, "winners": list(winners), **changes,
    }  # fmt: skip
    (workspace.root / "selection.json").write_text(json.dumps(document))


def _winner(of: Candidate, **changes: Any) -> dict[str, Any]:
    manifest = of.manifest
    return {
        "candidate": manifest.id, "name": manifest.name, "variant": manifest.variant,
        "delegate": "xnnpack", "threads": 4, "scale": 2, "input": "16×12",
        "device_class": "budget", "devices": ["R58N70ABCDE (SM-A145R, simulated)"],
        "recommendation": "Take it on R58N70ABCDE (SM-A145R, simulated).", **changes,
    }  # fmt: skip


def _renamed(candidate: Candidate, **changes: Any) -> str:
    """Writes the candidate's manifest anew; returns its id."""
    manifest = candidate.manifest.model_copy(update=changes)
    (candidate.path.parent / "manifest.json").write_text(manifest.to_json())
    return manifest.id


def _prepare(workspace: Workspace, name: str, asked: Asked = FORCE, **changes: Any) -> Content:
    return prepare(workspace, PackageRequest(name, asked, changes.pop("about", About()), **changes))


def _run(workspace: Workspace, candidate: Candidate) -> RunFolder:
    job = Job(candidate=candidate.manifest.id, variant="fp32", device="host",
              delegate="xnnpack", threads=2)  # fmt: skip
    manifest = candidate.manifest.model_dump(mode="json", by_alias=True)
    run = workspace.new_run(header([manifest], [job]))
    for number in range(6):
        run.append(ok_record(job, number, 20.0 + number / 10))
    return run


def test_all_files_and_what_they_say(workspace: Workspace, project: Path) -> None:
    candidate = tiny_candidate(workspace)
    _select(workspace, _winner(candidate))
    about = About("A. Author", "apache-2.0")
    content = _prepare(workspace, candidate.manifest.name, Asked(), about=about)
    files = place(module_of(project), content)
    folder = project / "app/src/main/assets/edgesr/tiny-12x16-fp32"
    assert {path.name for path in files} == NAMES == {path.name for path in folder.iterdir()}
    contract = json.loads((folder / "contract.json").read_text())
    packed = (folder / "model.tflite").read_bytes()
    assert contract["file"]["sha256"] == hashlib.sha256(packed).hexdigest()
    assert contract["file"]["candidate_sha256"] == candidate.manifest.id == contract["candidate"]
    assert contract["selected"] is True
    assert contract["run_with"] == {"delegate": "xnnpack", "threads": 4, "device_class": "budget"}
    assert contract["input"]["shape"] == [1, 12, 16, 3]
    assert contract["output"]["range"] == [0, 1]
    assert contract["tiling"] == {**contract["tiling"], "overlap": 2, "tile": [12, 16]}
    notes = read_notes(packed)
    assert notes
    assert (notes.author, notes.licence) == ("A. Author", "apache-2.0")
    assert (notes.inputs[0].mean, notes.inputs[0].std) == ((0,), (255,))


@pytest.mark.parametrize("variant", ["fp32", "int8-io"])
def test_the_packaged_file_computes_the_golden_pair(
    workspace: Workspace, tmp_path: Path, variant: Variant
) -> None:
    candidate = tiny_candidate(workspace, variant)
    content = _prepare(workspace, candidate.manifest.id)
    write_files(content, tmp_path)
    data = (tmp_path / "model.tflite").read_bytes()
    assert operations(data) == operations(candidate.path.read_bytes())
    model = PackedModel(data, "packed")
    given = np.fromfile(tmp_path / "golden-input.bin", model.input.encoding.dtype)
    made = np.fromfile(tmp_path / "golden-output.bin", model.output.encoding.dtype)
    assert np.array_equal(model.run(given.reshape(1, 12, 16, 3)).ravel(), made)
    picture = read_image(tmp_path / "golden-input.png")
    assert np.array_equal(model.input.encoding.encode(picture).ravel(), given)
    assert int(np.ptp(made.astype(float))) > 0 or variant == "fp32"
    again = _prepare(workspace, candidate.manifest.id)
    assert again.tflite == content.tflite
    assert again.golden.made.tobytes() == content.golden.made.tobytes()


def test_uint8_in_and_out(workspace: Workspace) -> None:
    content = _prepare(workspace, tiny_candidate(workspace, "int8-io").manifest.id)
    given = content.model.input.to_dict()
    assert (given["dtype"], given["zero_point"]) == ("uint8", 0)
    assert given["range"] == pytest.approx([0, 255], abs=1e-4)
    notes = read_notes(content.tflite)
    assert notes
    assert notes.inputs[0].std == pytest.approx((255,))
    assert notes.outputs[0].std == pytest.approx((1 / 255,))
    assert notes.inputs[0].high == pytest.approx((255,))


def test_what_was_not_selected_is_refused(workspace: Workspace) -> None:
    candidate, other = tiny_candidate(workspace), tiny_candidate(workspace, seed=1, height=14)
    with pytest.raises(UsageError, match="no selection yet") as caught:
        _prepare(workspace, candidate.manifest.id, Asked())
    assert "--force" in caught.value.hint
    _select(workspace, _winner(other))
    with pytest.raises(UsageError, match="was not selected; the winners are: tiny-14x16"):
        _prepare(workspace, candidate.manifest.id, Asked())
    _select(workspace, _winner(candidate, candidate="f" * 64))
    with pytest.raises(UsageError, match="another file called tiny-12x16-fp32"):
        _prepare(workspace, candidate.manifest.id, Asked())
    content = _prepare(workspace, candidate.manifest.id)
    assert not content.decision.selected
    assert (content.decision.default.delegate, content.decision.default.threads) == ("xnnpack", 2)


def test_a_choice_is_candidate_delegate_and_threads(workspace: Workspace) -> None:
    candidate = tiny_candidate(workspace)
    name = candidate.manifest.id
    fast = _winner(candidate, delegate="gpu", threads=1, device_class="flagship")
    _select(workspace, _winner(candidate, device_class="host", threads=2), fast)
    first = _prepare(workspace, name, Asked()).decision
    assert (first.default.device_class, len(first.choices)) == ("flagship", 2)
    named = _prepare(workspace, name, Asked(device_class="host")).decision
    assert (named.default.delegate, named.default.threads) == ("xnnpack", 2)
    for asked in (Asked("cpu"), Asked(threads=8), Asked("gpu", device_class="host")):
        with pytest.raises(UsageError, match="was selected on gpu with 1 thread for flagship"):
            _prepare(workspace, name, asked)
    forced = _prepare(workspace, name, Asked("cpu", 8, force=True)).decision
    assert (forced.selected, forced.default.delegate, forced.default.threads) == (False, "cpu", 8)


def test_a_damaged_selection_and_a_foreign_delegate(workspace: Workspace) -> None:
    candidate = tiny_candidate(workspace)
    _select(workspace, _winner(candidate, delegate='x"; evil()'))
    with pytest.raises(InputError, match="no app can be written"):
        _prepare(workspace, candidate.manifest.id, Asked())
    (workspace.root / "selection.json").write_text("{")
    with pytest.raises(StoreError):
        _prepare(workspace, candidate.manifest.id, Asked())


def test_measured_values_come_from_the_run(workspace: Workspace, tmp_path: Path) -> None:
    candidate = tiny_candidate(workspace)
    run = _run(workspace, candidate)
    _select(workspace, _winner(candidate), runs=(run.path.name, "gone"))
    content = _prepare(workspace, candidate.manifest.id, Asked())
    write_files(content, tmp_path)
    contract = json.loads((tmp_path / "contract.json").read_text())
    (measured,) = contract["measured"]
    assert measured["median_ms"] == pytest.approx(20.25)
    assert measured["median_low_ms"] <= 20.25 <= measured["median_high_ms"]
    assert measured["engine"]["sha256"] == "ab" * 32
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "20.2" in card
    assert "ab" * 32 in card
    assert "`gone`" in card
    assert content.measured.missing == ("gone",)
    with pytest.raises(InputError, match="no single run"):
        _prepare(workspace, candidate.manifest.id, run="nope")
    other = tiny_candidate(workspace, seed=3, height=14)
    with pytest.raises(InputError, match="did not measure"):
        _prepare(workspace, other.manifest.id, run=run.path.name)


def test_the_choice_stands_first_and_equal_doubts_together(workspace: Workspace) -> None:
    candidate = tiny_candidate(workspace)
    jobs = [
        Job(candidate=candidate.manifest.id, variant="fp32", device="host", delegate=delegate,
            threads=threads) for delegate in ("cpu", "xnnpack") for threads in (1, 2, 4)
    ]  # fmt: skip
    manifest = candidate.manifest.model_dump(mode="json", by_alias=True)
    run = workspace.new_run(header([manifest], jobs))
    for job in jobs:
        run.append(ok_record(job, 0, 20.0, memory_mb=None))
    _select(workspace, _winner(candidate), runs=(run.path.name,))
    card = card_text(_prepare(workspace, candidate.manifest.id, Asked()))
    measured = card.split("## Measured")[1].split("\n## ")[0]
    rows = [line for line in measured.splitlines() if line.startswith("|")]
    assert [row.split(" | ")[1:3] for row in rows[2:4]] == [["xnnpack", "4"], ["cpu", "1"]]
    assert len(rows) == 2 + len(jobs)
    assert measured.count("- Doubts about") == 1


def test_a_selection_whose_runs_are_gone_is_not_called_unmeasured(
    workspace: Workspace, tmp_path: Path
) -> None:
    candidate = tiny_candidate(workspace)
    _select(workspace, _winner(candidate), runs=("gone",))
    write_files(_prepare(workspace, candidate.manifest.id, Asked()), tmp_path)
    measured = (tmp_path / "MODEL_CARD.md").read_text().split("## Measured")[1].split("##")[0]
    assert "`gone`" in measured
    assert "Nothing was measured" not in measured


@pytest.mark.parametrize(
    ("said", "tag"),
    [("Apache-2.0", "apache-2.0"), ("MIT", "mit"), ("All rights reserved", "other"), ("", None)],
)
def test_the_hub_takes_the_licence(
    workspace: Workspace, tmp_path: Path, said: str, tag: str | None
) -> None:
    name = tiny_candidate(workspace).manifest.id
    write_files(_prepare(workspace, name, about=About(licence=said)), tmp_path)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert yaml.safe_load(card.split("---")[1]).get("license") == tag
    assert f"licence: {said}" in card or tag is None


def test_a_forced_candidate_runs_as_it_was_fastest(workspace: Workspace) -> None:
    candidate = tiny_candidate(workspace)
    _run(workspace, candidate)
    decision = _prepare(workspace, candidate.manifest.id).decision
    assert (decision.default.delegate, decision.default.threads) == ("xnnpack", 2)


def test_a_fall_back_is_never_shown_as_the_delegate(workspace: Workspace, tmp_path: Path) -> None:
    candidate = tiny_candidate(workspace)
    job = Job(candidate=candidate.manifest.id, variant="fp32", device="127.0.0.1:46001",
              delegate="gpu", threads=4)  # fmt: skip
    manifest = candidate.manifest.model_dump(mode="json", by_alias=True)
    devices = {job.device: {"model": "Redmi 12C", "simulated": True, "listed": True}}
    run = workspace.new_run(header([manifest], [job], devices=devices))
    record = ok_record(job, 0, 9.0)
    assert record.verdict
    verdict = record.verdict.model_copy(update={"outcome": "fallback", "nodes_delegated": 0})
    run.append(record.model_copy(update={"verdict": verdict}))
    chosen = _winner(candidate, devices=["127.0.0.1:46001 (Redmi 12C, simulated)"])
    limits = {"latency_median_ms": [{"max": 30, "device": [job.device]}]}
    _select(workspace, chosen, runs=(run.path.name,), criteria={"constraints": limits})
    content = _prepare(workspace, candidate.manifest.id, Asked())
    write_files(content, tmp_path)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "gpu fell back" in card
    assert "simulated | gpu |" not in card
    assert "Redmi 12C, simulated" in card
    assert "127.0.0.1" not in card + (tmp_path / "contract.json").read_text()
    assert content.decision.default.delegate == "xnnpack"


@pytest.mark.parametrize("name", [
    HOSTILE, 'a"b', "${HOME}$FOLDER", "*/ evil() /*", "line\nbreak: x\n---\n# h", "../../etc",
    "", "_hidden", ".hidden", "x" * 300, "\u202e\u2028\x00", "a`b|c", "trail~", "a.scc", "CON",
])  # fmt: skip
def test_hostile_names(workspace: Workspace, project: Path, name: str) -> None:
    candidate = tiny_candidate(workspace)
    source = candidate.manifest.source.model_copy(update={"checkpoint": name})
    ident = _renamed(candidate, name=name, source=source, notes=(name,), calibration=name)
    candidate = workspace.candidate(ident)
    _select(workspace, _winner(candidate, recommendation=name, device_class=name, devices=[name]))
    about = About(name, name)
    content = _prepare(workspace, ident, Asked(), about=about)
    folder = place(module_of(project), content)[0].parent
    assert folder.parent == project / "app/src/main/assets/edgesr"
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", folder.name)
    assert not folder.name.endswith((".scc", "~"))
    json.loads((folder / "contract.json").read_text())
    card = (folder / "MODEL_CARD.md").read_text()
    front, body = card.removeprefix("---\n").split("\n---\n", 1)
    tags = yaml.safe_load(front)
    assert set(tags) <= {"library_name", "pipeline_tag", "tags", "license"}
    assert "<script" not in body
    assert "\x00" not in card
    assert "\u202e" not in card
    headings = [line for line in body.splitlines() if line.startswith("#")]
    assert len(headings) == 8
    tables = [line for line in body.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} <= {4, 8, 11}
    kotlin = (folder / "EdgesrUpscaler.kt").read_text()
    assert "evil()" not in kotlin
    assert not set('"$`*\n|') & set(name) or name not in kotlin
    notes = read_notes((folder / "model.tflite").read_bytes())
    assert notes
    assert "\n" not in notes.name


def test_names_of_folders() -> None:
    assert folder_name("elsr-x2.1_a", "0" * 64) == "elsr-x2.1_a"
    one, other = (folder_name("a b", digest * 64) for digest in "01")
    assert one != other
    assert folder_name("///", "0" * 64) == "0" * 12


def test_text_in_markdown_stays_text() -> None:
    assert markdown("a (b) 0.1-x_y: 5 %") == "a (b) 0.1-x_y: 5 %"
    assert markdown("# h") == "\\# h"
    assert markdown("a|b\n\n<i>") == "a\\|b &lt;i&gt;"
    assert markdown("[x](http://y)") == "\\[x\\](http\\://y)"
    assert code("a`b") == "a\\`b"
    assert code("a b-1.2") == "`a b-1.2`"


def test_serial_numbers_stay_at_home() -> None:
    assert nameless("R58N70ABCDE (SM-A145R, simulated)") == "SM-A145R, simulated"
    assert nameless("R58N70ABCDE") == "a phone of unknown model"
    assert nameless("host (AMD EPYC)") == "host (AMD EPYC)"
    assert nameless("on S1 (A) and S2", ["S1 (A)", "S2"]) == "on A and a phone of unknown model"


def test_packaging_twice_replaces_and_a_foreign_folder_stays(
    workspace: Workspace, project: Path
) -> None:
    candidate = tiny_candidate(workspace)
    content = _prepare(workspace, candidate.manifest.id)
    module = module_of(project)
    folder = place(module, content)[0].parent
    (folder / "old").write_text("from an older version")
    place(module, content)
    assert {path.name for path in folder.iterdir()} == NAMES
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    (folder / "contract.json").write_text("{}")
    with pytest.raises(InputError, match="not written by edgesr package"):
        place(module, content)
    assert (folder / "contract.json").read_text() == "{}"
    shutil.rmtree(folder)
    folder.symlink_to(project)
    with pytest.raises(InputError, match="not written by edgesr package"):
        place(module, content)


def test_a_module_or_a_project_and_nothing_else(project: Path, tmp_path: Path) -> None:
    assert module_of(project) == module_of(project / "app") == project / "app"
    for wrong in (tmp_path / "missing", tmp_path, project / "app/src/main"):
        with pytest.raises(UsageError, match="no Android project"):
            module_of(wrong)


def test_an_interrupted_or_refused_write_leaves_nothing(
    workspace: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = _prepare(workspace, tiny_candidate(workspace).manifest.id)
    module = module_of(project)

    def stopped(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build, "card_text", stopped)
        with pytest.raises(KeyboardInterrupt):
            place(module, content)
    assert list((module / "src/main/assets/edgesr").iterdir()) == []
    folder = place(module, content)[0].parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(build, "card_text", stopped)
        with pytest.raises(KeyboardInterrupt):
            place(module, content)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert android.target_of(module, content) == folder


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_project(workspace: Workspace, project: Path) -> None:
    content = _prepare(workspace, tiny_candidate(workspace).manifest.id)
    main = project / "app/src/main"
    main.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(StoreError, match="permission denied"):
            place(module_of(project), content)
    finally:
        main.chmod(stat.S_IRWXU)
    assert list(main.iterdir()) == []


def test_assets_that_are_a_file(workspace: Workspace, project: Path) -> None:
    content = _prepare(workspace, tiny_candidate(workspace).manifest.id)
    (project / "app/src/main/assets").write_text("not a folder")
    with pytest.raises(StoreError, match="a part of the path is a file"):
        place(module_of(project), content)


def test_a_file_that_is_not_its_manifests(workspace: Workspace) -> None:
    candidate = tiny_candidate(workspace)
    candidate.path.write_bytes(candidate.path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="not the file its manifest describes"):
        _prepare(workspace, candidate.manifest.name)

"""The model card: Markdown with Hugging Face's front matter, from measured values alone.

After Mitchell et al., "Model Cards for Model Reporting" (2019). Names are foreign: each is escaped
for the place where it stands.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from edgesr import __version__
from edgesr.analysis.summary import JobSummary
from edgesr.package.content import Content
from edgesr.package.contract import tiling
from edgesr.package.text import code, markdown, nameless, one_line, yaml
from edgesr.text import NONE, count, figures, fixed, join_known, plural

NOT_SELECTED = (
    "**This file was not selected by written criteria; it was packaged by `--force`."
    " Nothing here says that it is good enough, or better than another.**"
)
NOT_AN_APP = (
    "Latency was measured by a command-line program; an app is scheduled differently, and has to"
    " turn bitmaps into tensors and back besides."
)
_LICENCE_TAG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")


def card_text(content: Content) -> str:
    """The file's text."""
    sections = {
        "Use": _use(content),
        "How it was chosen": _chosen(content),
        "Measured": _measured(content),
        "Tensors": _tensors(content),
        "Check it in the app": _check(content),
        "Limits": _limits(content),
        "Provenance": _provenance(content),
    }
    parts = [_front(content), f"# {markdown(content.manifest.name)}", _summary(content)]
    parts += [] if content.decision.selected else [NOT_SELECTED]
    for title, text in sections.items():
        parts += [f"## {title}", text]
    return "\n\n".join(parts) + "\n"


def _front(content: Content) -> str:
    """The YAML that Hugging Face reads."""
    entries: dict[str, Any] = {
        "library_name": "tflite",
        "pipeline_tag": "image-to-image",
        "tags": ["super-resolution", "tflite", "litert", "android", "edgesr"],
    }
    if content.about.licence:
        entries["license"] = _licence_tag(content.about.licence)
    lines = [f"{key}: {yaml(value)}" for key, value in entries.items()]
    return "\n".join(["---", *lines, "---"])


def _licence_tag(licence: str) -> str:
    """The hub's short name in lower case, as it wants it; what is none is ``other``."""
    tag = licence.strip().lower()
    return tag if _LICENCE_TAG.fullmatch(tag) else "other"


def _summary(content: Content) -> str:
    model, given = content.manifest.model, content.model.input
    return (
        f"Enlarges RGB pictures of {given.width} × {given.height} pixels by {content.model.scale}."
        f" Network {code(model.arch)}, {model.parameters:,} parameters, variant"
        f" {code(content.manifest.variant)}, {len(content.tflite) / 1000:.1f} kB."
    )


def _use(content: Content) -> str:
    run = content.decision.default
    megabytes = (content.golden.given.nbytes + content.golden.made.nbytes) / 1e6
    return (
        "- `model.tflite` and `contract.json` belong into the app's assets, `EdgesrUpscaler.kt`"
        f" into its sources: it loads the model on {code(run.delegate)} with"
        f" {plural(run.threads, 'thread')}.\n"
        f"- `golden-*` ({megabytes:.1f} MB) are for tests: in"
        f" `app/src/debug/assets/edgesr/{content.folder}` no release has them.\n"
        "- For pictures like those that it was trained on, which this card does not know; what it"
        " was measured on stands below. Where reading matters, read its output before you ship"
        " it: sharp strokes can be wrong ones."
    )


def _chosen(content: Content) -> str:
    decision, selection = content.decision, content.decision.selection
    if selection is None:
        run = decision.default
        return (
            f"It was not. {code(run.delegate)} with {plural(run.threads, 'thread')} is what was"
            " asked for, or the fastest that was measured."
        )
    criteria = one_line(str(selection.criteria.get("name") or "without a name"))
    runs = ", ".join(code(name) for name in selection.runs) or "no run"
    lines = [f"By the criteria {code(criteria)} on {selection.created_at[:10]}, from {runs}:", ""]
    for one in decision.choices:
        devices = "; ".join(markdown(label) for label in one.devices) or "no device is named"
        lines.append(
            f"- {markdown(one.device_class)}: {code(one.delegate)},"
            f" {plural(one.threads, 'thread')}; measured on {devices}."
            f" {markdown(one.recommendation)}".rstrip()
        )
    if all(one.device_class == "host" for one in decision.choices):
        lines += ["", "**No phone was measured: it was chosen on the machine of its maker.**"]
    return "\n".join(lines)


_HEAD = (
    "device", "delegate", "threads", "latency ms (95 %)", "rounds", "trust", "memory MiB",
    "PSNR-Y dB (95 %)", "SSIM-Y (95 %)", "CER (95 %)",
)  # fmt: skip


def _measured(content: Content) -> str:
    measured = content.measured
    if not measured.jobs:
        return "\n".join(["No measured values were at hand.", "", *_missing(content)]).rstrip()
    # the choice stands first: a fleet's table has a hundred rows
    chosen = {(one.delegate, one.threads) for one in content.decision.choices}
    jobs = sorted(measured.jobs, key=lambda job: (job.delegate, job.threads) not in chosen)
    rows = [f"| {' | '.join(_HEAD)} |", "|" + " --- |" * len(_HEAD)]
    rows += [f"| {' | '.join(_cells(job))} |" for job in jobs]
    parts = ["\n".join(rows), "\n".join(_notes(content))]
    return "\n\n".join(part for part in parts if part)


def _cells(job: JobSummary) -> Iterator[str]:
    yield markdown(nameless(job.device_label))
    yield markdown(_placed(job))
    yield count(job.threads)
    yield _interval(job.median_ms, job.median_low_ms, job.median_high_ms)
    yield str(job.rounds)
    yield job.trust
    yield _memory(job)
    yield _interval(job.psnr_y, job.psnr_y_low, job.psnr_y_high, decimals=2)
    yield _interval(job.ssim_y, job.ssim_y_low, job.ssim_y_high, decimals=4)
    yield _interval(job.cer, job.cer_low, job.cer_high, decimals=3)


def _placed(job: JobSummary) -> str:
    """Where it ran; a part of the graph, or nothing at all, says so."""
    if not job.measured:
        return f"{job.delegate}, {job.status}"
    if job.outcome == "partial":
        nodes = f"{count(job.nodes_delegated)} of {count(job.nodes_total)} nodes"
        return f"{job.delegate} for {nodes}"
    return job.placed


def _memory(job: JobSummary) -> str:
    if math.isfinite(job.memory_peak_mb):
        return f"{fixed(job.memory_peak_mb, 1)} peak"
    return f"{fixed(job.memory_mb, 1)} growth" if math.isfinite(job.memory_mb) else NONE


def _interval(value: float, low: float, high: float, *, decimals: int | None = None) -> str:
    """``24.3 (23.9–25.1)``; without brackets where there is no interval."""

    def told(number: float) -> str:
        return figures(number) if decimals is None else fixed(number, decimals)

    known = math.isfinite(low) and math.isfinite(high)
    return f"{told(value)} ({told(low)}–{told(high)})" if known else told(value)


def _notes(content: Content) -> Iterator[str]:
    measured = content.measured
    if any(job.simulated for job in measured.jobs):
        yield "- **Simulated phones: their times are of the machine that played them.**"
    yield from _doubts(measured.jobs)
    yield "- Trust: A nothing to doubt, B usable with care, C don't decide on it."
    for pairs in measured.pairs():
        yield f"- Quality on {markdown(pairs)}; mean over pictures."
    for name in dict.fromkeys(job.ocr for job in measured.jobs if job.ocr):
        yield f"- CER: character error rate as {markdown(name)} reads it."
    yield from filter(None, dict.fromkeys(map(_bicubic, measured.jobs)))
    engines = {tuple(measured.engine(job).items()) for job in measured.jobs}
    for engine in sorted(engines - {()}):
        about = dict(engine)
        told = " ".join(about[key] for key in ("name", "version") if key in about)
        digest = f", sha256 {code(about['sha256'])}" if "sha256" in about else ""
        yield f"- Measured by {markdown(told)}{digest}."
    yield from _missing(content)
    yield f"- {NOT_AN_APP}"


def _doubts(jobs: Sequence[JobSummary]) -> Iterator[str]:
    """One line for all jobs that are doubted for the same reasons."""
    places: dict[tuple[str, ...], list[str]] = {}
    for job in jobs:
        found = dict.fromkeys([*job.trust_reasons, *(doubt.code for doubt in job.doubts)])
        threads = plural(int(job.threads), "thread") if math.isfinite(job.threads) else ""
        where = join_known(nameless(job.device_label), job.placed, threads)
        places.setdefault(tuple(found), []).append(markdown(where))
    for reasons, doubted in places.items():
        if reasons:
            doubts = ", ".join(markdown(name.replace("_", " ")) for name in reasons)
            yield f"- Doubts about {'; '.join(doubted)}: {doubts}."


def _bicubic(job: JobSummary) -> str:
    """What the pictures look like without a network; empty where it is not known."""
    if not math.isfinite(job.bicubic_psnr_y):
        return ""
    cer = f" and a CER of {fixed(job.bicubic_cer, 3)}" if math.isfinite(job.bicubic_cer) else ""
    return f"- Bicubic enlargement has {fixed(job.bicubic_psnr_y, 2)} dB{cer} there."


def _missing(content: Content) -> Iterator[str]:
    for name in content.measured.missing:
        yield f"- The selection rests on the run {code(name)}, which the workspace does not hold."


def _tensors(content: Content) -> str:
    head = "| tensor | shape | type | layout | black, white | scale | zero point |"
    rows = [head, "|" + " --- |" * 7]
    for what, picture in (("input", content.model.input), ("output", content.model.output)):
        low, high = picture.encoding.black, picture.encoding.white
        step = NONE if picture.scale is None else f"{picture.scale:.9g}"
        zero = NONE if picture.zero_point is None else str(picture.zero_point)
        rows.append(
            f"| {what} | 1 × {picture.height} × {picture.width} × 3 | {picture.dtype}"
            f" | NHWC, RGB | {low:g}, {high:g} | {step} | {zero} |"
        )
    tiles = tiling(content)
    overlap = f"{plural(tiles['overlap'], 'pixel')} ({tiles['overlap_from']})"
    return (
        "\n".join(rows) + f"\n\nLarger pictures: tiles with an overlap of {overlap}. {tiles['how']}"
    )


def _check(content: Content) -> str:
    golden = content.golden
    rows = ["| | worst value | mean |", "| --- | --- | --- |"]
    for name, allowed in golden.steps.items():
        rows.append(f"| {name} | {figures(allowed.worst, 2)} | {figures(allowed.mean, 2)} |")
    here = f"{figures(golden.xnnpack.worst, 2)} and {figures(golden.xnnpack.mean, 2)}"
    return (
        "Feed `golden-input.png`: the input tensor has to be `golden-input.bin` byte for byte, the"
        " output `golden-output.bin` up to so many 255ths of white:\n\n" + "\n".join(rows) + "\n\n"
        f"It was made by LiteRT's plain kernels; XNNPACK differs by {here} on the same machine. The"
        " figures of gpu and nnapi are set by hand. `EdgesrUpscaler.selfTest()` does all of it. The"
        " Kotlin file was compiled against stand-ins of Android's and LiteRT's classes, and ran on"
        " no phone."
    )


def _limits(content: Content) -> str:
    manifest = content.manifest
    given = content.model.input
    lines = [
        f"- Takes {given.width} × {given.height} pixels and nothing else; other sizes by tiles.",
        f"- Against its checkpoint: {_parity(content)}.",
        *(f"- {markdown(note)}" for note in manifest.notes),
    ]
    if manifest.calibration:
        lines.append(f"- Its integer ranges were found on {markdown(manifest.calibration)}.")
    if not content.about.licence:
        lines.append("- No licence was stated when it was packaged: ask its maker.")
    return "\n".join(lines)


def _parity(content: Content) -> str:
    parity = content.manifest.parity
    value = "no value differs" if parity.psnr_db is None else f"{parity.psnr_db:.1f} dB"
    return f"{value} on {plural(parity.images, 'picture')} ({markdown(parity.source)})"


def _provenance(content: Content) -> str:
    manifest = content.manifest
    versions = ", ".join(f"{name} {version}" for name, version in manifest.tools.items())
    facts = {
        "file": f"sha256 {code(content.sha256)}, with metadata",
        "candidate": f"sha256 {code(manifest.id)}, as it was measured; both give the same output,"
        " bit for bit, on the golden input",
        "checkpoint": f"{code(manifest.source.checkpoint)}, sha256 {code(manifest.source.sha256)}",
        "converted with": markdown(versions) or "unknown tools",
        "packaged by": f"edgesr {__version__}",
    }
    if manifest.quantization:
        facts["quantization"] = markdown(manifest.quantization.method)
    if content.about.author:
        facts["author"] = markdown(content.about.author)
    if content.about.licence:
        facts["licence"] = markdown(content.about.licence)
    return "\n".join(f"- {what}: {value}" for what, value in facts.items())

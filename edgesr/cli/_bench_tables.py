"""How ``edgesr bench`` shows its plan and its result: tables, or one JSON document."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgesr.analysis.summary import JobSummary
    from edgesr.analysis.sustained import Series
    from edgesr.bench.runner import BenchRequest
    from edgesr.bench.session import BenchResult
    from edgesr.cli._render import Terminal
    from edgesr.device.info import DeviceInfo
    from edgesr.device.profile import Profile


def print_plan(
    terminal: "Terminal",
    request: "BenchRequest",
    phones: "Mapping[str, tuple[Profile, DeviceInfo]]",
    *,
    as_json: bool,
) -> None:
    """The jobs and how long they may take.

    The document: ``suite`` {its fields}, ``jobs`` [{candidate, variant, device, delegate,
    threads}], ``launches`` (with ``--until`` the most, and ``launches_least``), ``estimate_s``
    {least, most}.
    """
    from edgesr.bench.plan import estimate_s

    jobs, suite = request.jobs(phones), request.suite
    least, _ = estimate_s(len(jobs) * suite.least_rounds, suite)
    _, most = estimate_s(len(jobs) * suite.rounds, suite)
    if as_json:
        terminal.json(
            {
                "suite": suite.model_dump(mode="json"),
                "jobs": [job.to_dict() for job in jobs],
                "launches": len(jobs) * suite.rounds,
                "launches_least": len(jobs) * suite.least_rounds,
                "estimate_s": {"least": least, "most": most},
            }
        )
        return
    names = {c.manifest.id: c.manifest.name for c in request.candidates}
    rows = [[names[job.candidate], job.device, job.delegate, str(job.threads)] for job in jobs]
    columns, launches = ["candidate", "device", "delegate", "#threads"], "rounds"
    if suite.pace is not None:
        columns, launches = [*columns, "#fps"], f"segments of {suite.pace.seconds:g} s"
        rows = [[*row, f"{job.pace_fps:g}"] for row, job in zip(rows, jobs, strict=True)]
    terminal.table("plan", columns, rows)
    rounds = f"{suite.rounds} {launches}"
    if suite.until_pct is not None:
        rounds = f"{suite.least_rounds} to {rounds}, until known to {suite.until_pct:g} %"
    terminal.print(f"{len(jobs)} jobs x {rounds}: {_duration(least)} to {_duration(most)}")


def print_result(terminal: "Terminal", result: "BenchResult", *, as_json: bool) -> None:
    """One table per candidate with a row per job, then remarks and the run's folder.

    The document: ``run`` (its folder), ``counts`` {ok, refused, failed} of jobs, ``jobs`` as
    `job_document` says, and for a paced suite ``sustained`` as `series_document` says.
    """
    from edgesr.analysis.rows import read_run, tidy_rows
    from edgesr.analysis.summary import summarise
    from edgesr.analysis.sustained import sustained
    from edgesr.report.sustained import series_document

    rows = tidy_rows([read_run(result.run)])
    jobs, series = summarise(rows), sustained(rows)
    if ((rows["engine"] == "litert-python") & ~rows["simulated"]).any():
        terminal.note(
            "measured by edgesr's runner on ai-edge-litert; "
            "give the official benchmark_model with --binary"
        )
    if as_json:
        document: dict[str, Any] = {"run": str(result.run.path), "counts": result.counts}
        document["jobs"] = [job_document(job) for job in jobs]
        document |= {"sustained": [series_document(one) for one in series]} if series else {}
        terminal.json(document)
        return
    devices = list(dict.fromkeys(job.device for job in jobs))
    fleet = len(devices) > 1
    jobs.sort(key=lambda job: devices.index(job.device))  # they were measured in parallel
    for candidate in dict.fromkeys(job.candidate for job in jobs):
        own = [job for job in jobs if job.candidate == candidate]
        _print_candidate(terminal, own, fleet=fleet)
    _print_series(terminal, series)
    for line in (*_remarks(jobs, fleet=fleet), *_unsettled(jobs, result.run.header())):
        terminal.print(line)
    terminal.print(f"run: {result.run.path}")


def job_document(job: "JobSummary") -> dict[str, Any]:
    """A job in the JSON document; a number that is not known is null.

    * ``candidate`` (its name), ``id`` (sha256 of its file), ``delegate`` (the one asked for),
      ``threads``, ``device``;
    * ``status``: ok when any round is, else the most frequent of failed, refused, timeout,
      device_lost, aborted, "not measured"; ``reason``: why the latest bad round is bad, or null;
      ``cause``: the kind of the latest reason, or null;
    * ``rounds`` (good ones), and over them ``median_ms`` (median of their medians), ``interval_ms``
      [low, high] (its 95 % interval; null below three rounds), ``spread_ms`` [smallest, largest of
      their medians] or null, ``init_ms`` (where cold and warm are not told
      apart, else ``init_cold_ms`` and ``init_warm_ms``), ``memory_mb`` (growth of the resident
      set, MiB), ``memory_pss_mb`` (proportional set size, MiB);
    * ``verdict`` {requested, outcome: full, partial, fallback or unknown, nodes_total,
      nodes_delegated, partitions}: the worst over the rounds;
    * ``psnr_y`` (dB) and ``ssim_y`` of the pixels that the device made;
    * of their text, null where none was read: ``cer`` and ``cer_interval`` [low, high] (95 %),
      ``word_recall``, ``confidence``, ``text_images``, ``ocr`` (engine, version, language),
      ``bicubic_cer``, ``truth_cer``, and on the same pictures ``cer_vs_bicubic`` and
      ``cer_vs_reference`` (the fp32 reference) {mean, low, high};
    * ``doubts``: codes of the reasons not to trust the figures fully; ``trust``: A nothing to
      doubt, B usable with care, C don't decide on it; ``trust_reasons``: codes of what keeps it
      from A, the worst first;
    * ``simulated``: whether a stand-in phone ran it, whose times are of the machine behind it;
      ``selectable``: verified, and its pixels are not known to be wrong.
    """
    return {
        "candidate": job.name,
        "id": job.candidate,
        "delegate": job.delegate,
        "threads": _whole(job.threads),
        "device": job.device,
        "status": job.status,
        "reason": job.reasons[-1] if job.reasons else None,
        "cause": job.cause,
        "rounds": job.rounds,
        "median_ms": job.median_ms,
        "interval_ms": _interval(job),
        "spread_ms": [job.fastest_ms, job.slowest_ms] if job.measured else None,
        "init_ms": job.init_ms,
        "init_cold_ms": job.init_cold_ms,
        "init_warm_ms": job.init_warm_ms,
        "memory_mb": job.memory_mb,
        "memory_pss_mb": job.memory_pss_mb,
        "verdict": {
            "requested": job.delegate,
            "outcome": job.outcome,
            "nodes_total": _whole(job.nodes_total),
            "nodes_delegated": _whole(job.nodes_delegated),
            "partitions": _whole(job.partitions),
        },
        "psnr_y": job.psnr_y,
        "ssim_y": job.ssim_y,
        **_text_document(job),
        "doubts": [doubt.code for doubt in job.doubts],
        "trust": job.trust,
        "trust_reasons": list(job.trust_reasons),
        "simulated": job.simulated,
        "selectable": job.selectable,
    }


def _text_document(job: "JobSummary") -> dict[str, Any]:
    """The part of a job's document about text."""
    read = math.isfinite(job.cer)
    differences = {
        "cer_vs_bicubic": (job.cer_vs_bicubic, job.cer_vs_bicubic_low, job.cer_vs_bicubic_high),
        "cer_vs_reference": (
            job.cer_vs_reference, job.cer_vs_reference_low, job.cer_vs_reference_high
        ),
    }  # fmt: skip
    return {
        "cer": job.cer,
        "cer_interval": [job.cer_low, job.cer_high] if read else None,
        "word_recall": job.word_recall,
        "confidence": job.confidence,
        "text_images": _whole(job.text_images),
        "ocr": job.ocr or None,
        "bicubic_cer": job.bicubic_cer,
        "truth_cer": job.truth_cer,
        **{
            name: dict(zip(("mean", "low", "high"), values, strict=True))
            if math.isfinite(values[0])
            else None
            for name, values in differences.items()
        },
    }


def _print_candidate(terminal: "Terminal", jobs: Sequence["JobSummary"], *, fleet: bool) -> None:
    from edgesr.text import figures, fixed

    scored = any(math.isfinite(job.psnr_y) for job in jobs)
    columns = [*(["device"] if fleet else []), "asked for", "#ms", "#95 %", "#init ms", "#MiB"]
    read = any(math.isfinite(job.cer) for job in jobs)
    columns += [*(["#PSNR"] if scored else []), *(["#CER"] if read else []), "trust", "ran on"]
    rows = []
    for job in jobs:
        cells = [_device(job)] if fleet else []
        cells += [_asked(job), figures(job.median_ms), interval_text(job), _init(job)]
        cells += [fixed(job.memory_mb, 0), *([fixed(job.psnr_y, 2)] if scored else [])]
        cells += [fixed(job.cer, 3)] if read else []
        rows.append([*cells, job.trust, _came_to(job)])
    terminal.table(f"{jobs[0].name} ({jobs[0].candidate[:12]})", columns, rows)


def _print_series(terminal: "Terminal", series: Sequence["Series"]) -> None:
    """What each paced job comes to; its segments stand in the report."""
    from edgesr.report.sustained import place, remarks, sentence

    for one in series:
        terminal.print(f"{place(one)}: {sentence(one)} Trust {one.job.trust}.")
        for line in remarks(one):
            terminal.print(f"  ? {line}")


def _device(job: "JobSummary") -> str:
    from edgesr.text import short

    return short(job.device_label, 48)


def _asked(job: "JobSummary") -> str:
    from edgesr.report.wording import delegate_words

    return f"{delegate_words(job.delegate)} t{job.threads:.0f}"


def _init(job: "JobSummary") -> str:
    """Cold and warm where they are told apart, else one number."""
    from edgesr.text import figures

    kinds = ((job.init_cold_ms, "cold"), (job.init_warm_ms, "warm"))
    known = [f"{figures(ms)} {kind}" for ms, kind in kinds if math.isfinite(ms)]
    return ", ".join(known) or figures(job.init_ms)


def _interval(job: "JobSummary") -> list[float] | None:
    """The median's 95 % interval over rounds, ms."""
    ends = [job.median_low_ms, job.median_high_ms]
    return ends if all(map(math.isfinite, ends)) else None


def interval_text(job: "JobSummary") -> str:
    """Both ends of the median's interval, ms."""
    from edgesr.text import NONE, figures

    ends = _interval(job)
    return NONE if ends is None else "–".join(figures(end) for end in ends)


def _unsettled(jobs: Sequence["JobSummary"], header: Mapping[str, Any]) -> list[str]:
    """Which jobs did not come to be known as well as ``--until`` asked for."""
    from edgesr.analysis.statistics import Estimate

    suite = header.get("suite")
    until = suite.get("until_pct") if isinstance(suite, dict) else None
    if not isinstance(until, int | float):
        return []
    halves = [
        Estimate(job.median_ms, job.median_low_ms, job.median_high_ms, job.rounds).half_width
        for job in jobs
        if job.measured
    ]
    wide = [100 * half for half in halves if not 100 * half <= until]
    if not wide:
        return []
    worst = max((half for half in wide if math.isfinite(half)), default=math.nan)
    most = f", the least known to {worst:.2g} %" if math.isfinite(worst) else ""
    return [f"{len(wide)} of {len(jobs)} jobs are not known to {until:g} %{most}"]


def _came_to(job: "JobSummary") -> str:
    """Where it ran, its status unless that is ok, and ``?`` before it when there are doubts."""
    from edgesr.report.wording import status_words, verdict_words

    status = status_words(job)
    words = [verdict_words(job), "" if status == "ok" else status]
    return ("? " if job.doubts else "") + "; ".join(word for word in words if word)


def _remarks(jobs: Sequence["JobSummary"], *, fleet: bool) -> list[str]:
    """Why rounds are bad, and what to doubt: one line for each cause, with the first's numbers."""
    from edgesr.report.wording import ONCE, doubt_words
    from edgesr.text import clean, plural

    causes: dict[str, list[tuple[str, str]]] = {}
    for job in jobs:
        where = f"{job.name} {_asked(job)}{f' on {_device(job)}' if fleet else ''}"
        for reason in job.reasons:
            causes.setdefault(reason, []).append((clean(reason), where))
        for doubt in job.doubts:
            words = f"? {doubt_words(doubt)}"
            cause = words if doubt.code in ONCE else f"? {doubt.code}"
            causes.setdefault(cause, []).append((words, where))
    lines = []
    for found in causes.values():
        words, where = found[0]
        others = len(found) - 1
        more = f", likewise {plural(others, 'other job')}" if others else ""
        lines.append(f"{words} ({where}{more})")
    return lines


def _whole(value: float) -> int | None:
    return int(value) if math.isfinite(value) else None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

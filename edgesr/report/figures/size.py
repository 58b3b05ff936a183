"""Size of the model files."""

import math
from collections.abc import Sequence

from edgesr.analysis.summary import JobSummary
from edgesr.report.figures._lanes import Group, Lane, LanePlot, draw_lanes, unique_names
from edgesr.report.figures.registry import Drawing, Frame, plot
from edgesr.text import figures, plural

MOST = 40


@plot("size", title="File size", caption="The .tflite file as it is shipped.", order=30)
def size(jobs: Sequence[JobSummary], frame: Frame) -> Drawing | None:
    """One bar per candidate, kB (1,000 bytes)."""
    sizes = {job.candidate: job.size_bytes / 1e3 for job in jobs if math.isfinite(job.size_bytes)}
    if not sizes:
        return None
    names = unique_names(jobs)
    ordered = sorted(sizes.items(), key=lambda item: (item[1], names[item[0]]))
    groups = [Group(names[c], (_bar(kb),)) for c, kb in ordered[:MOST]]
    plan = LanePlot({"All candidates": groups}, "kB")
    alt = (
        f"File sizes of {plural(len(sizes), 'candidate')}, {figures(ordered[0][1])} to "
        f"{figures(ordered[-1][1])} kB."
    )
    left_out = len(ordered) - len(groups)
    return Drawing(
        draw_lanes(plan, frame),
        alt,
        f"{left_out} larger ones are in the table only." if left_out else "",
    )


def _bar(kilobytes: float) -> Lane:
    return Lane("", 0, kilobytes, kilobytes, f"{figures(kilobytes)} kB", bar=True)

"""How well text is read against latency."""

from collections.abc import Sequence

from edgesr.analysis.summary import JobSummary
from edgesr.report.figures._scatter import Scatter, draw_scatter
from edgesr.report.figures.registry import Drawing, Frame, plot
from edgesr.text import plural


def _lines(job: JobSummary) -> dict[str, float]:
    return {
        f"bicubic {job.bicubic_cer:.3f}": job.bicubic_cer,
        f"originals {job.truth_cer:.3f}": job.truth_cer,
    }


_CER = Scatter(
    axis="Character error rate",
    value=lambda job: job.cer,
    lines=_lines,
    interval=lambda job: (job.cer_low, job.cer_high),
    least=0,
    higher_is_better=False,
    pad=0.005,
)


@plot(
    "cer",
    title="Readability against latency",
    caption="Down and to the left is better. Character error rate of the text that OCR reads in "
    "the pixels that the device itself produced, with its 95 % interval over pictures; the dashed "
    "lines are bicubic and the high-res originals; the staircase is the Pareto front of these two "
    "alone: none of the others that may be chosen is faster and read better. Intervals of two "
    "candidates may overlap and their difference still be significant, since they are read on the "
    "same pictures: see the table. Colour: where it ran. Mark: variant.",
    order=22,
)
def cer(jobs: Sequence[JobSummary], frame: Frame) -> Drawing | None:
    """A scatter of the CER over ms per frame, one panel per device, scale and size."""
    drawn = draw_scatter(jobs, frame, _CER)
    if drawn is None:
        return None
    values = [job.cer for job in drawn.points]
    alt = (
        f"Character error rate over latency for {plural(len(values), 'measurement')}: "
        f"{min(values):.3f} to {max(values):.3f}. All values are in the table below."
    )
    return Drawing(drawn.figure, alt, drawn.note)

"""Quality against latency."""

from collections.abc import Sequence

from edgesr.analysis.summary import JobSummary
from edgesr.report.figures._scatter import Scatter, draw_scatter
from edgesr.report.figures.registry import Drawing, Frame, plot
from edgesr.text import plural

_PSNR = Scatter(
    axis="PSNR-Y, dB",
    value=lambda job: job.psnr_y,
    lines=lambda job: {f"bicubic {job.bicubic_psnr_y:.2f} dB": job.bicubic_psnr_y},
)


@plot(
    "quality",
    title="Quality against latency",
    caption="Up and to the left is better. PSNR-Y is of the pixels that the device itself "
    "produced; the dashed line is bicubic on the same images. The "
    "staircase is the Pareto front of these two alone: none of the others that may be chosen is "
    "faster and better. Colour: where it ran. Mark: variant.",
    order=20,
)
def quality(jobs: Sequence[JobSummary], frame: Frame) -> Drawing | None:
    """A scatter of PSNR-Y (dB) over ms per frame, one panel per device, scale and size."""
    drawn = draw_scatter(jobs, frame, _PSNR)
    if drawn is None:
        return None
    values = [job.psnr_y for job in drawn.points]
    alt = (
        f"PSNR-Y over latency for {plural(len(values), 'measurement')}: {min(values):.2f} to "
        f"{max(values):.2f} dB. All values are in the table below."
    )
    return Drawing(drawn.figure, alt, drawn.note)

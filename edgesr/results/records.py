"""The record: one round of one job, as it is appended to ``records.jsonl``.

Unknown is ``null``; what was not measured is absent. Times carry their unit in the name,
memory is in MiB (``benchmark_model`` prints "MB" and means MiB).
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA = 1

Status = Literal["ok", "failed", "refused", "timeout", "device_lost", "aborted"]
Outcome = Literal["full", "partial", "fallback", "unknown"]
Fps = Annotated[float, Field(gt=0, le=1000)]
"""Frames per second."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Job(_Part):
    """What is measured: candidate x device x delegate x threads, free running or at a pace."""

    candidate: str
    """Sha256 of the .tflite."""
    variant: str
    device: str
    """Serial of the phone, or ``host``."""
    delegate: str
    threads: int
    pace_fps: Fps | None = None
    """Frames per second of a paced job; absent where inferences follow one another at once."""

    @property
    def key(self) -> str:
        """A name that is unique within a run and safe in file names."""
        place = f"{self.device}-{self.delegate}"
        safe = "".join(c if c.isalnum() or c in "-." else "_" for c in place)
        pace = "" if self.pace_fps is None else f"-{self.pace_fps:g}fps"
        return f"{self.candidate[:12]}-{safe}-t{self.threads}{pace}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; without a pace where there is none."""
        return self.model_dump(mode="json", exclude_none=True)


class Verdict(_Part):
    """Where the graph really ran."""

    requested: str
    """The delegate that was asked for."""
    outcome: Outcome
    nodes_total: int | None = None
    nodes_delegated: int | None = None
    partitions: int | None = None
    """Delegated and left-over pieces together."""
    refused_ops: tuple[str, ...] = ()
    """Operations that the delegate refused, also where it took the rest."""


class Latency(_Part):
    """Microseconds over the inferences of one round."""

    avg: float | None = None
    min: float | None = None
    max: float | None = None
    std: float | None = None
    median: float | None = None
    p5: float | None = None
    p95: float | None = None
    first: float | None = None
    """First warm-up inference."""
    warmup_avg: float | None = None
    count: int | None = None


class Memory(_Part):
    """MiB; init and overall are growth of the maximal resident set since the tool's start."""

    init: float | None = None
    overall: float | None = None
    peak: float | None = None
    pss: float | None = None


FEWEST_IMAGES = 5
"""A difference on fewer proves nothing: of 4, all are worse by mere chance 1 time in 16."""


class Interval(_Part):
    """A mean over pictures with its 95 % bootstrap interval, see `edgesr.quality.intervals`."""

    mean: float
    low: float | None = None
    """None where there are too few pictures to tell."""
    high: float | None = None
    n: int

    @property
    def surely_above_zero(self) -> bool:
        """Whether a difference is more than chance, and upwards."""
        return self.n >= FEWEST_IMAGES and self.low is not None and self.low > 0


class OcrEngine(_Part):
    """What read the pictures: another version reads other text."""

    engine: str
    version: str
    language: str


class Accuracy(_Part):
    """Quality of the pixels that the device itself produced."""

    psnr_y: float | None = None
    psnr_y_interval: "Interval | None" = None
    """Over the pictures; of those whose PSNR is finite."""
    ssim_y: float | None = None
    ssim_y_interval: "Interval | None" = None
    reference_psnr_db: float | None = None
    """Against the fp32 reference's pixels; None when not one value differs."""
    reference_max_abs: float | None = None
    """Largest difference to the fp32 reference, in 8-bit steps."""
    floor_db: float | None = None
    """Below this ``reference_psnr_db`` the pixels count as wrong."""
    images: int
    """How many pictures were scored."""
    images_of: int | None = None
    """Of how many that fit: the limit on launches may leave some out."""
    protocol: str
    per_image: str | None = None
    """File with the figures of each picture and what was read, relative to the run folder."""
    cer: float | None = None
    """Character error rate, mean over the pictures with text; absent, as all below, without."""
    cer_interval: Interval | None = None
    word_recall: float | None = None
    confidence: float | None = None
    """The engine's own, 0 to 1; it can rise while more is misread."""
    text_images: int | None = None
    """How many pictures have text."""
    text_references: dict[str, int] | None = None
    """``text``: compared with the known text, ``truth-ocr``: with what is read in the truth."""
    ocr: OcrEngine | None = None
    cer_vs_bicubic: Interval | None = None
    """CER minus bicubic's on the same pictures: below zero it reads better."""
    cer_vs_reference: Interval | None = None
    """CER minus that of the fp32 reference on plain kernels: above zero letters are lost."""
    confidence_vs_bicubic: Interval | None = None
    confidence_vs_reference: Interval | None = None


class DeviceState(_Part):
    """The device's condition just before or after a round."""

    temperature_c: float | None = None
    """Of a phone's battery, which every phone tells; of this machine's hottest CPU sensor."""
    cpu_temperature_c: float | None = None
    """Of a phone's hottest CPU zone, where the shell may read it."""
    battery_pct: float | None = None
    charging: Literal["none", "ac", "usb", "wireless"] | None = None
    thermal_status: int | None = None
    """Android's throttling status: 0 none, 1 light, 2 moderate, 3 severe .. 6 shutdown."""
    big_core_clock_mhz: float | None = None
    big_core_limit_mhz: float | None = None
    """The clock that the system allows at the moment."""
    screen_on: bool | None = None
    load_1m: float | None = None
    """Load average of the last minute, where the system tells it."""
    busy_pct: float | None = None
    """CPU in use over the half second before, per cent of the whole device."""


class Doubt(_Part):
    """A reason not to trust a number fully; the wording lives in `report`."""

    code: str
    numbers: dict[str, float | str] = Field(default_factory=dict)


class OpTime(_Part):
    """What one operation costs, from the tool's own profile."""

    op: str
    """Node type as the tool names it, for example ``Convolution (NHWC, F32) IGEMM``."""
    name: str = ""
    """Tensor or node name, where the tool tells it."""
    ms: float
    """Per inference, over all calls."""
    pct: float | None = None
    """Share of the whole inference."""
    calls: int | None = None
    """Per inference."""


class Engine(_Part):
    """The program that measured."""

    name: Literal["benchmark_model", "litert-python"]
    sha256: str | None = None
    version: str | None = None


class LogFile(_Part):
    """The raw output that the record was read from."""

    path: str
    """Relative to the run folder."""
    sha256: str


class Segment(_Part):
    """Which part of a paced series a round is."""

    series: Annotated[int, Field(ge=0)]
    """From 0; a series that broke off is never continued, the next one has the next number."""
    number: Annotated[int, Field(ge=0)]
    """From 0."""
    count: Annotated[int, Field(ge=1)]
    """Segments of a whole series."""
    seconds: Annotated[float, Field(gt=0, le=600)]
    """How long frames are due, without start and initialisation."""


class Record(_Part):
    """One round of one job, good or not."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    job: Job | None = None
    """Absent for a log recorded elsewhere that doesn't tell."""
    round: int | None = None
    segment: Segment | None = None
    """Of a paced job."""
    started_at: str | None = None
    """UTC, ISO 8601."""
    argv: list[str] = Field(default_factory=list)
    status: Status
    reason: str | None = None
    """Why the status is not ``ok``, one line."""
    cause: str | None = None
    """The reason's kind, for programs: see `edgesr.bench.outcome.Cause`."""
    verdict: Verdict | None = None
    latency_us: Latency | None = None
    init_us: float | None = None
    init_kind: Literal["cold", "warm"] | None = None
    """Whether the delegate compiled its kernels (cold) or loaded them (warm); None where it has
    no such difference or the log doesn't tell."""
    memory_mb: Memory | None = None
    accuracy: Accuracy | None = None
    profile: tuple[OpTime, ...] | None = None
    """From a pass of its own, on request."""
    before: DeviceState | None = None
    after: DeviceState | None = None
    doubts: list[Doubt] = Field(default_factory=list)
    engine: Engine | None = None
    simulated: bool | None = None
    """True where a stand-in phone ran it: the time is of the machine behind it."""
    source: Literal["proto", "log"] | None = None
    log: LogFile | None = None

    @model_validator(mode="after")
    def _segment_has_pace(self) -> Self:
        """A round of a series that lost its pace would count as ordinary latency."""
        if self.segment is not None and (self.job is None or self.job.pace_fps is None):
            raise ValueError("a segment belongs to a job with a pace")
        return self

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what was never set is left out, except the fields all records have."""
        tree = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        always = {"schema": self.schema_version, "status": self.status, "reason": self.reason}
        return {**always, **tree, "doubts": [doubt.model_dump() for doubt in self.doubts]}

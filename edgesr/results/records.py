"""The record: one round of one job, as it is appended to ``records.jsonl``.

Unknown is ``null``; what was not measured is absent. Times carry their unit in the name,
memory is in MiB (``benchmark_model`` prints "MB" and means MiB).
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 1

Status = Literal["ok", "failed", "refused", "timeout", "device_lost", "aborted"]
Outcome = Literal["full", "partial", "fallback", "unknown"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Job(_Part):
    """What is measured: candidate x device x delegate x threads."""

    candidate: str
    """Sha256 of the .tflite."""
    variant: str
    device: str
    """Serial of the phone, or ``host``."""
    delegate: str
    threads: int

    @property
    def key(self) -> str:
        """A name that is unique within a run and safe in file names."""
        serial = "".join(c if c.isalnum() or c in "-." else "_" for c in self.device)
        return f"{self.candidate[:12]}-{serial}-{self.delegate}-t{self.threads}"


class Verdict(_Part):
    """Where the graph really ran."""

    requested: str
    """The delegate that was asked for."""
    outcome: Outcome
    nodes_total: int | None = None
    nodes_delegated: int | None = None
    partitions: int | None = None
    """Delegated and left-over pieces together."""


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


class Accuracy(_Part):
    """Quality of the pixels that the device itself produced."""

    psnr_y: float | None = None
    ssim_y: float | None = None
    reference_psnr_db: float | None = None
    """Against the fp32 reference's pixels; None when not one value differs."""
    reference_max_abs: float | None = None
    """Largest difference to the fp32 reference, in 8-bit steps."""
    images: int
    protocol: str


class DeviceState(_Part):
    """The device's condition just before or after a round."""

    temperature_c: float | None = None
    battery_pct: float | None = None
    thermal_status: int | None = None
    big_core_clock_mhz: float | None = None
    load_1m: float | None = None
    """Load average of the last minute, where the system tells it."""


class Doubt(_Part):
    """A reason not to trust a number fully; the wording lives in `report`."""

    code: str
    numbers: dict[str, float | str] = Field(default_factory=dict)


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


class Record(_Part):
    """One round of one job, good or not."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    job: Job | None = None
    """Absent for a log recorded elsewhere that doesn't tell."""
    round: int | None = None
    started_at: str | None = None
    """UTC, ISO 8601."""
    argv: list[str] = Field(default_factory=list)
    status: Status
    reason: str | None = None
    """Why the status is not ``ok``, one line."""
    verdict: Verdict | None = None
    latency_us: Latency | None = None
    init_us: float | None = None
    memory_mb: Memory | None = None
    accuracy: Accuracy | None = None
    before: DeviceState | None = None
    after: DeviceState | None = None
    doubts: list[Doubt] = Field(default_factory=list)
    engine: Engine | None = None
    source: Literal["proto", "log"] | None = None
    log: LogFile | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what was never set is left out, except the fields all records have."""
        tree = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        always = {"schema": self.schema_version, "status": self.status, "reason": self.reason}
        return {**always, **tree, "doubts": [doubt.model_dump() for doubt in self.doubts]}

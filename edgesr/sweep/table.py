"""The rows of a sweep, as they are shown and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgesr.results.store import Candidate
from edgesr.sweep.ways import Way


@dataclass(frozen=True)
class Row:
    """What became of one way. Unknown is None."""

    way: Way
    candidate: Candidate | None = None
    """None where there is none, and `error` says why."""
    psnr_y: float | None = None
    """Of the .tflite's own pixels, dB; mean over the test images."""
    ssim_y: float | None = None
    cer: float | None = None
    """Character error rate; None where nothing was read."""
    integer_only: bool | None = None
    """Whether no tensor of the file is float."""
    latency_us: Mapping[str, float | None] = field(default_factory=dict)
    """Delegate -> median, None where it did not run there, and a note says why."""
    notes: tuple[str, ...] = ()
    error: str | None = None

    @property
    def is_reference(self) -> bool:
        """Whether others are compared with it."""
        return self.way.name == self.way.reference

    @property
    def size_bytes(self) -> int | None:
        """Of the file."""
        return self.candidate.manifest.size_bytes if self.candidate else None

    @property
    def equal(self) -> float | None:
        """Share of the output values that file and quantized network have in common."""
        about = self.candidate.manifest.quantization if self.candidate else None
        return about.agreement.equal if about else None


@dataclass(frozen=True)
class Table:
    """All rows, references first."""

    rows: tuple[Row, ...]

    def row(self, name: str) -> Row | None:
        """The row of that name."""
        return next((row for row in self.rows if row.way.name == name), None)

    def drop_db(self, row: Row) -> float | None:
        """PSNR-Y of its reference minus its own."""
        reference = self.row(row.way.reference)
        if reference is None or reference.psnr_y is None or row.psnr_y is None:
            return None
        return reference.psnr_y - row.psnr_y

    def failed(self) -> tuple[Row, ...]:
        """Rows without a candidate."""
        return tuple(row for row in self.rows if row.error is not None)

    def to_list(self) -> list[dict[str, Any]]:
        """JSON-ready."""
        return [self._document(row) for row in self.rows]

    def _document(self, row: Row) -> dict[str, Any]:
        manifest = row.candidate.manifest if row.candidate else None
        document = {
            "method": row.way.name,
            "variant": row.way.variant,
            "psnr_y": row.psnr_y,
            "psnr_drop_db": self.drop_db(row),
            "reference": row.way.reference,
            "ssim_y": row.ssim_y,
            "cer": row.cer,
            "size_bytes": row.size_bytes,
            "integer_only": row.integer_only,
            "latency_us": dict(row.latency_us),
            "equal": row.equal,
            "candidate": manifest.name if manifest else None,
            "path": str(row.candidate.path) if row.candidate else None,
            "notes": list(row.notes),
        }
        return document | ({} if row.error is None else {"error": row.error})


def candidates_of(rows: Sequence[Row]) -> tuple[Candidate, ...]:
    """The candidates to measure; a file that two ways came to is measured once."""
    found = {row.candidate.manifest.id: row.candidate for row in rows if row.candidate}
    return tuple(found.values())

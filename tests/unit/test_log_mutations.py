"""Damaged logs: never a traceback, never a silent wrong number.

A damaged log is either read to the figures of the original, or to a status that is not ``ok``.
What no reader could see, and nothing else, is let through. Each class is proved where it occurs:

* a figure of one ``count=`` line whose change leaves a line that the tool could have printed:
  `log_witness.witness` finds samples that give it. (Averages, the first inference and the time of
  initialisation are said twice, so they never pass changed, with the exceptions below.)
* digits that the second saying leaves out: of an initialisation of a second and more the session
  line has six digits; LiteRT's tool repeats all with 10 microseconds;
* a footprint, which is said once, that is still printed like whole pages and still grows from
  init over overall to peak; LiteRT's has two decimals, and no page shows in them;
* node counts of a partial delegation, said once, that could be true;
* one number replaced by another wherever it stands (the line must still have its samples), and
  the same digit changed alike where it is said twice (once in some 100,000 tries, not in these);
* a line that is gone without a trace: then what only it said is unknown, never something else.
"""

import itertools
import random
from pathlib import Path

import pytest

from edgesr.bench.benchmark_log import BenchmarkLog, read_log
from edgesr.bench.outcome import Printed, Reading, read_launch
from edgesr.bench.recorded import Recorded, find_recorded
from tests.unit.log_mutations import MUTATIONS, Mutation, replace_everywhere
from tests.unit.log_witness import witness

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"
SEED = 20261125
TWICE = ("avg", "first", "warmup_avg")


def load(folder: Path) -> list[Recorded]:
    names = sorted(path.stem for path in folder.glob("*.rc"))
    return find_recorded(folder / name for name in names)


class Original:
    """A recording and what its lines say."""

    def __init__(self, recorded: Recorded) -> None:
        self.name = recorded.name
        self.printed = recorded.printed
        self.data = recorded.printed.text.encode()
        self.log = read_log(recorded.printed.text)
        self.reading = read_launch(recorded.printed)

    def mutated(self, data: bytes) -> Printed:
        text = data.decode("utf-8", "replace")
        printed = self.printed
        return Printed(text, printed.exit_code, None, printed.argv, printed.exit_known)


def difference(original: Original, got: Reading, mutated: BenchmarkLog) -> str | None:
    """What in an ``ok`` reading is neither the original's nor of the classes above."""
    return (
        _figures(original, got, mutated)
        or _footprints(original, got)
        or _verdict(original, got, mutated)
    )


def _figures(original: Original, got: Reading, mutated: BenchmarkLog) -> str | None:
    true = original.log.latency()
    if true is None or got.latency is None:
        return "figures where there are none"
    coarse = 10.0 if original.log.litert else 0.0
    for name in TWICE:
        one, other = getattr(true, name) or 0, getattr(got.latency, name) or 0
        if abs(one - other) > coarse:
            return f"{name}: {one} became {other}"
    init = original.log.init_us or 0
    blur = max(coarse, 1e-5 * init if init >= 1e6 else 0)
    if got.init_us is not None and abs(init - got.init_us) > blur:
        return f"init: {init} became {got.init_us}"
    if got.latency != true:
        if got.latency.median is None:
            return "the percentiles are gone"
        for series in mutated.series:
            if witness(series) is None:
                return f"no samples give {series}"
    return None


def _footprints(original: Original, got: Reading) -> str | None:
    true = original.log.memory
    values = [] if got.memory is None else [got.memory.init, got.memory.overall, got.memory.peak]
    told = [value for value in values if value is not None]
    if told != sorted(told) or any(value < 0 for value in told):
        return f"footprints shrink: {told}"
    for name, value in zip(("init", "overall", "peak"), values, strict=False):
        if value is None or value == true.get(name) or original.log.litert:
            continue
        pages = round(value * 256)
        if all(float(f"{n / 256:.6g}") != value for n in (pages - 1, pages, pages + 1)):
            return f"{name} is no number of pages: {value}"
    return None


def _verdict(original: Original, got: Reading, mutated: BenchmarkLog) -> str | None:
    true = original.reading.verdict
    if got.verdict.requested != true.requested:
        return f"{true.requested} became {got.verdict.requested}"
    if got.verdict.outcome not in {true.outcome, "unknown"}:
        return f"{true.outcome} became {got.verdict.outcome}"
    if got.init_kind not in {original.log.init_kind, None}:
        return f"{original.log.init_kind} became {got.init_kind}"
    nodes = got.verdict.nodes_delegated, got.verdict.nodes_total, got.verdict.partitions
    if nodes in {(true.nodes_delegated, true.nodes_total, true.partitions), (None,) * 3}:
        return None
    taken, total, partitions = nodes
    if taken is None or partitions is None or total is None:
        return None if total == true.nodes_total or total == sum(mutated.split or ()) else "nodes"
    both = not mutated.split or (total == sum(mutated.split) and taken <= mutated.split[0])
    return None if both and taken <= total and partitions <= 2 * taken + 1 else f"nodes: {nodes}"


def check(original: Original, other: Original, mutation: Mutation, rng: random.Random) -> str:
    """Applies one mutation; gives the status, and fails where a number is silently wrong."""
    data = mutation(rng, original.data, other.data)
    printed = original.mutated(data)
    reading = read_launch(printed)
    alone = read_launch(Printed(printed.text, None, exit_known=False))
    assert (reading.reason is None) == (reading.status == "ok")
    for got, judged in ((reading, True), (alone, False)):
        if got.status != "ok":
            assert got.cause, got
            assert (got.latency, got.init_us, got.memory) == (None, None, None)
            continue
        mutated = read_log(printed.text)
        if mutation is replace_everywhere:
            assert all(witness(series) for series in mutated.series if series.count)
            continue
        candidates = [original]
        if other.log.finished and mutation.__name__ in {"interleave", "appended"}:
            candidates.append(other)
        wrong = [(difference if judged else _figures)(one, got, mutated) for one in candidates]
        assert None in wrong, (original.name, other.name, mutation.__name__, wrong, printed.text)
    return reading.status


def mutate(recordings: list[Original], times: int, seed: int) -> dict[str, dict[str, int]]:
    """Statuses per mutation."""
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    counts: dict[str, dict[str, int]] = {m.__name__: {} for m in MUTATIONS}
    finished = [one for one in recordings if one.reading.status == "ok"]
    for mutation in itertools.islice(itertools.cycle(MUTATIONS), times):
        # a log without a result can hardly become one: most tries go to those with one
        original = rng.choice(finished if rng.random() < 0.8 else recordings)
        status = check(original, rng.choice(recordings), mutation, rng)
        counts[mutation.__name__][status] = counts[mutation.__name__].get(status, 0) + 1
    return counts


def test_damaged_logs_are_read_right_or_not_at_all() -> None:
    counts = mutate([Original(one) for one in load(RECORDED)], 1800, SEED)
    for name, found in counts.items():
        assert sum(found.values()) == 100, name
    for name in ("interleave", "appended"):
        assert counts[name].get("ok", 0) <= 15, counts[name]  # beside a log without any figures
    assert counts["line_ends"]["ok"] > 20  # Windows' line ends change nothing
    assert counts["change_a_figure"]["failed"] > 50


def test_ten_thousand_damaged_logs(shared: Path) -> None:
    recordings = [Original(one) for one in load(shared / "benchmark_model_logs")]
    assert len(recordings) == 153
    counts = mutate(recordings, 10_000, SEED + 1)
    assert sum(sum(found.values()) for found in counts.values()) == 10_000


def test_every_recorded_line_has_samples_that_give_it() -> None:
    """The proof itself is sound: it finds samples for what the tool really printed."""
    seen = 0
    for one in load(RECORDED):
        for series in read_log(one.printed.text).series:
            assert witness(series) is not None, (one.name, series)
            seen += 1
    assert seen > 60


@pytest.mark.parametrize("place", ["avg", "first", "Init", "Warmup"])
def test_every_digit_that_is_said_twice_is_guarded(place: str) -> None:
    """All digits of these figures, one after the other, each changed to every other digit."""
    original = Original(find_recorded([RECORDED / "03b_elsr_xnn_t2"])[0])
    lines = {
        "avg": ("avg=11789.6", "Inference (avg): 11789.6"),
        "first": ("first=15705", "First inference: 15705"),
        "Init": ("session in 60.851ms", "Init: 60851"),
        "Warmup": ("avg=12294.8", "Warmup (avg): 12294.8"),
    }[place]
    for text in lines:
        for at, digit in enumerate(text):
            for new in "0123456789" if digit.isdigit() else "":
                changed = original.printed.text.replace(text, text[:at] + new + text[at + 1 :])
                reading = read_launch(original.mutated(changed.encode()))
                assert (reading.status == "ok") == (new == digit), (text, at, new)

"""Selection: constraints, doubt, ties, weights, groups, and why not the others."""

import json
import math
import random
from dataclasses import replace
from typing import Any

import pytest

from edgesr.analysis.doubts import JobDoubt
from edgesr.analysis.rows import NOT_MEASURED
from edgesr.analysis.summary import JobSummary
from edgesr.errors import ConfigError
from edgesr.select.choose import select
from tests.unit.fake_jobs import criteria, job, only_group, phone_job
from tests.unit.fake_runs import HOSTILE, candidate_id


def winner(jobs: list[JobSummary], *args: Any, **kwargs: Any) -> str | None:
    found = only_group(jobs, criteria(*args, **kwargs)).winner
    return found.name if found else None


def test_nothing_measured_is_no_group() -> None:
    found = select([], [], criteria(), {})
    assert found.groups == ()
    assert found.winners == ()
    assert found.to_dict()["winners"] == []


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        ({"latency_median_ms": {"max": 21}}, 20.0, 22.0),
        ({"latency_p95_ms": {"max": 23}}, 20.0, 22.0),
        ({"latency_median_ms": {"min": 19}}, 20.0, 18.0),
    ],
)
def test_latency_limits(constraint: dict[str, Any], good: float, bad: float) -> None:
    assert winner([job(ms=good)], constraint) == "net"
    assert winner([job(ms=bad)], constraint) is None


@pytest.mark.parametrize(
    ("constraint", "bad"),
    [
        ({"init_ms": {"max": 20}}, {"init_ms": 21.0}),
        ({"init_ms": {"max": 20}}, {"init_cold_ms": 30.0, "init_warm_ms": 5.0}),
        ({"init_ms": {"max": 20}}, {"init_ms": math.nan}),
        ({"memory_peak_mb": {"max": 60}}, {"memory_mb": 61.0}),
        ({"memory_peak_mb": {"max": 60}}, {"memory_peak_mb": 61.0}),
        ({"size_mb": {"max": 0.03}}, {"size_bytes": 40_000.0}),
        ({"size_mb": {"max": 0.03}}, {"size_bytes": math.nan}),
        ({"psnr_y": {"min": 34.5}}, {"psnr_y_low": 34.4}),
        ({"psnr_y": {"min": 34.5}}, {"psnr_y": math.nan, "psnr_y_low": math.nan}),
        ({"psnr_gain_db": {"min": 1.5}}, {"bicubic_psnr_y": 33.6}),
        ({"psnr_gain_db": {"min": 1.5}}, {"bicubic_psnr_y": math.nan}),
        ({"ssim_y": {"min": 0.93}}, {"ssim_y_low": 0.92}),
        ({"refused_ops": {"max": 0}}, {"refused_ops": ("PRELU",)}),
        ({"trust": {"min": "B"}}, {"trust": "C", "trust_reasons": ("busy",)}),
        ({}, {"statuses": {"ok": 9, "failed": 1}}),
        ({}, {"outcome": "fallback"}),
        ({}, {"outcome": "unknown"}),
        ({}, {"outcome": "partial"}),
        ({}, {"median_ms": math.nan}),
        ({}, {"doubts": (JobDoubt("pixels_wrong", {}, 0),)}),
        ({"verdict": {"min": "partial"}}, {"outcome": "fallback"}),
    ],
)
def test_each_constraint(constraint: dict[str, Any], bad: dict[str, Any]) -> None:
    assert winner([job()], constraint) == "net"
    group = only_group([job(**bad)], criteria(constraint))
    assert group.winner is None
    assert group.nearest_miss
    assert "net" in group.recommendation
    assert group.rejected[0].why


@pytest.mark.parametrize("name", ["cer", "cer_vs_bicubic"])
def test_text_constraints(name: str) -> None:
    text = {name: 0.02, f"{name}_low": 0.01, f"{name}_high": 0.03}
    assert winner([job(**text)], {name: {"max": 0.03}}) == "net"
    assert winner([job(**text)], {name: {"max": 0.025}}) is None
    assert winner([job()], {name: {"max": 1}}) is None
    group = only_group([job()], criteria({name: {"max": 1}}))
    assert "--accuracy" in group.nearest_miss


def test_a_constraint_holds_only_if_its_interval_does() -> None:
    assert winner([job(median_high_ms=20.9)], {"latency_median_ms": {"max": 21}}) == "net"
    group = only_group([job(median_high_ms=21.2)], criteria({"latency_median_ms": {"max": 21}}))
    assert group.winner is None
    assert "21.2" in group.rejected[0].why[0]


def test_too_few_rounds_say_what_to_do() -> None:
    few = job(rounds=2, median_low_ms=math.nan, median_high_ms=math.nan)
    group = only_group([few], criteria({"latency_median_ms": {"max": 100}}))
    assert group.winner is None
    assert "--rounds" in group.nearest_miss
    assert winner([few]) == "net"  # without a limit on it, it may still be chosen


def test_the_longest_inference_bounds_a_p95_that_is_not_told() -> None:
    silent = {"p95_ms": math.nan, "p95_low_ms": math.nan, "p95_high_ms": math.nan}
    limit = {"latency_p95_ms": {"max": 30}}
    assert winner([job(longest_ms=29.0, **silent)], limit) == "net"
    assert winner([job(longest_ms=31.0, **silent)], limit) is None
    assert winner([job(longest_ms=29.0, rounds=2, **silent)], limit) is None
    assert winner([job(longest_ms=math.nan, **silent)], limit) is None
    # it is an upper bound, and proves no lower one
    assert winner([job(longest_ms=29.0, **silent)], {"latency_p95_ms": {"min": 1}}) is None


def test_partial_only_where_it_is_allowed() -> None:
    partial = job(outcome="partial", nodes_delegated=9.0, nodes_total=12.0)
    assert winner([partial]) is None
    assert winner([partial], {"verdict": {"min": "partial"}}) == "net"
    assert winner([partial], {"verdict": {"min": "full"}}) is None
    wrong = replace(partial, doubts=(JobDoubt("pixels_wrong", {}, 0),))
    assert winner([wrong], {"verdict": {"min": "partial"}}) is None


def test_expected_refusals_count_until_the_whole_graph_ran() -> None:
    manifest = {"coverage": {"gpu": {"refused": {"PRELU": "its shape"}}}}
    manifests = {candidate_id("net"): manifest}
    wanted = criteria({"refused_ops": {"max": 0}, "verdict": {"min": "partial"}})
    partial = job(outcome="partial", delegate="gpu-cl-fp32")
    assert only_group([partial], wanted, manifests).winner is None
    assert only_group([job(delegate="gpu-cl-fp32")], wanted, manifests).winner is not None
    for damaged in ({"coverage": 3}, {"coverage": {"gpu": []}}, {}):
        found = only_group([partial], wanted, {candidate_id("net"): damaged})
        assert found.winner is not None


def test_every_device_of_a_class_counts_with_its_worst() -> None:
    jobs = [phone_job("P1", ms=20), phone_job("P2", ms=30),
            phone_job("P1", "other", 24), phone_job("P2", "other", 25)]  # fmt: skip
    group = only_group(jobs, criteria())
    assert group.devices == ("P1 (Redmi 12C)", "P2 (Galaxy A14)")
    assert group.winner is not None
    assert group.winner.name == "other"
    value = group.winner.values["latency_median_ms"]
    assert (value.value, value.device) == (25, "P2 (Galaxy A14)")
    assert winner(jobs, {"latency_median_ms": {"max": 26, "device": "galaxy a14"}}) == "other"


def test_a_choice_not_measured_on_a_device_does_not_qualify() -> None:
    jobs = [phone_job("P1", ms=10), phone_job("P1", "other", 24), phone_job("P2", "other", 25)]
    group = only_group(jobs, criteria())
    assert group.winner is not None
    assert group.winner.name == "other"
    assert "not measured on Galaxy A14" in group.rejected[0].why[0]


@pytest.mark.parametrize("name", ["P2", "p2", "galaxy a14", "P2 (Galaxy A14)"])
def test_a_constraint_may_name_a_device(name: str) -> None:
    jobs = [phone_job("P1", ms=50), phone_job("P2", ms=20)]
    assert winner(jobs, {"latency_median_ms": {"max": 25, "device": name}}) == "net"
    assert winner(jobs, {"latency_median_ms": {"max": 25, "device": [name, "P1"]}}) is None
    two = [{"max": 25, "device": name}, {"max": 40, "device": "P1"}]
    assert winner(jobs, {"latency_median_ms": two}) is None


def test_a_device_of_another_group_leaves_this_one_alone_and_an_unknown_one_is_told() -> None:
    jobs = [phone_job("P1"), job("net", 90)]
    found = select(jobs, [], criteria({"latency_median_ms": {"max": 25, "device": "P1"}}), {})
    assert len(found.winners) == 2
    with pytest.raises(ConfigError) as caught:
        select(jobs, [], criteria({"latency_median_ms": {"max": 25, "device": "P9"}}), {})
    assert "P1 (Redmi 12C)" in caught.value.hint


def test_groups_are_scale_size_and_class() -> None:
    unlisted = [phone_job(p, device_class="unlisted") for p in ("P2", "P3", "P4")]
    jobs = [job(), job("three", scale=3.0), job("small", input="320×180"), phone_job("P1"),
            *unlisted, job("odd", scale=math.nan, input="")]  # fmt: skip
    places = [(g.scale, g.input, g.device_class) for g in select(jobs, [], criteria(), {}).groups]
    assert len(places) == len(set(places)) == 7
    assert (2, "640×360", "unlisted: Pixel 7") in places
    assert (0, "", "host") in places
    assert len(select(jobs, [], criteria(by="device"), {}).groups) == 8


def test_the_same_reason_on_several_devices_is_told_once() -> None:
    jobs = [phone_job(serial, outcome="fallback") for serial in ("P1", "P2", "P3")]
    (one,) = only_group(jobs, criteria()).rejected
    assert one.why == ("xnnpack fell back on all 3 devices",)
    (one,) = only_group([*jobs[:2], phone_job("P3")], criteria()).rejected
    assert one.why == ("xnnpack fell back on Redmi 12C and on Galaxy A14",)


def test_two_phones_of_one_model_are_told_apart_by_their_serials() -> None:
    same = [phone_job(serial, ms=ms, device_label=f"{serial} (Pixel 7, simulated)")
            for serial, ms in (("P3", 20), ("P4", 30))]  # fmt: skip
    limit = criteria({"latency_median_ms": {"max": 25}})
    assert "on P4 (Pixel 7, simulated)" in only_group(same, limit).rejected[0].why[0]
    other = phone_job("P1", ms=20)
    assert "on Pixel 7 (simulated)" in only_group([same[1], other], limit).rejected[0].why[0]


def test_a_limit_names_the_device_whose_interval_misses_it() -> None:
    """The slower phone keeps to the limit, the quicker one only by its median."""
    unsure = phone_job("P2", ms=20, median_low_ms=15.0, median_high_ms=27.0)
    limit = criteria({"latency_median_ms": {"max": 25}})
    (one,) = only_group([phone_job("P1", ms=24), unsure], limit).rejected
    assert "20 ms (15–27) on Galaxy A14" in one.why[0]
    assert "Redmi" not in one.why[0] + one.would_win
    assert "more rounds" in one.why[0]
    assert "more rounds" not in only_group([job(ms=30)], limit).rejected[0].why[0]


def test_values_that_differ_look_different() -> None:
    group = only_group([job("fast", 20.0), job("slow", 20.004, run="another")], criteria())
    assert group.rejected[0].would_win == "wins if latency < 20 ms (now 20.004 ms)"
    limit = criteria({"latency_median_ms": {"max": 33.3}})
    (one,) = only_group([job(ms=33.2, median_high_ms=33.34)], limit).rejected
    assert "33.34" in one.why[0]
    assert "33.34" in one.would_win


LOST: dict[str, Any] = {"median_ms": math.nan, "rounds": 0, "round_ms": {}, "status": "device_lost",
                        "statuses": {"device_lost": 5}, "outcome": "unknown",
                        "reasons": ("the cable was pulled",)}  # fmt: skip


def test_a_device_that_was_lost_does_not_keep_its_class_from_a_choice() -> None:
    jobs = [phone_job("P1"), phone_job("P1", "other", 30),
            phone_job("P2", **LOST), phone_job("P2", "other", **LOST)]  # fmt: skip
    found = select(jobs, [], criteria({"latency_median_ms": {"max": 25}}), {})
    (group,) = found.groups
    assert group.winner is not None
    assert group.winner.devices == group.devices == ("P1 (Redmi 12C)",)
    assert group.left_out == ("P2 (Galaxy A14)",)
    assert len(group.pareto) == 1
    assert "not measured on P2 (Galaxy A14)" in group.recommendation
    (note,) = found.notes
    assert note.startswith("P2 (Galaxy A14)")
    assert "the cable was pulled" in note
    assert found.to_dict()["groups"][0]["left_out"] == ["P2 (Galaxy A14)"]


@pytest.mark.parametrize(
    "changes",
    [
        {"statuses": {"refused": 5}, "status": "refused", "reasons": ("no OpenCL",)},
        {"outcome": "fallback", "median_ms": 50.0},
    ],
)
def test_a_device_that_answered_counts(changes: dict[str, Any]) -> None:
    jobs = [phone_job("P1"), phone_job("P2", **{**LOST, **changes})]
    group = only_group(jobs, criteria())
    assert group.winner is None
    assert group.left_out == ()


def test_a_lost_device_counts_where_a_limit_names_it_or_there_is_no_other() -> None:
    jobs = [phone_job("P1"), phone_job("P2", **LOST)]
    named = criteria({"latency_median_ms": {"max": 25, "device": "galaxy a14"}})
    assert only_group(jobs, named).winner is None
    assert only_group(jobs[1:], criteria()).winner is None
    groups = select(jobs, [], criteria(by="device"), {}).groups
    assert [group.winner is None for group in groups] == [False, True]


def test_a_candidate_that_was_only_tried_on_a_lost_device_is_told() -> None:
    jobs = [phone_job("P1"), phone_job("P2", "other", **LOST)]
    (one,) = only_group(jobs, criteria()).rejected
    assert (one.choice.name, one.why) == ("other", ("not measured",))
    assert one.choice.devices == ()


def test_a_lost_job_leaves_the_older_measurement() -> None:
    old = phone_job("P1", ms=10, run="20261101T000000Z-aaaaaaaa")
    for status in ("device_lost", NOT_MEASURED):
        lost = {**LOST, "status": status, "statuses": {status: 1}}
        new = phone_job("P1", run="20261102T000000Z-bbbbbbbb", **lost)
        group = only_group([new, old], criteria())
        assert group.winner is not None
        assert group.winner.values["latency_median_ms"].value == 10
    crashed = phone_job("P1", run="20261102T000000Z-bbbbbbbb",
                        **{**LOST, "status": "failed", "statuses": {"failed": 5}})  # fmt: skip
    assert only_group([old, crashed], criteria()).winner is None


def test_the_newest_run_counts() -> None:
    old = job("net", 10, run="20261101T000000Z-aaaaaaaa")
    new = job("net", 30, run="20261102T000000Z-bbbbbbbb")
    for jobs in ([old, new], [new, old]):
        found = select(jobs, [], criteria(), {})
        assert found.runs == (old.run, new.run)
        assert found.winners[0].values["latency_median_ms"].value == 30


def test_ties_go_on_to_the_next_metric() -> None:
    fast = job("fast", 20.0, size_bytes=50_000.0)
    jitter = {n: 20.001 * (1 + 0.001 * (n % 2)) for n in range(10)}
    small = job("small", 20.001, size_bytes=10_000.0, round_ms=jitter)
    slow = job("slow", 21.0, size_bytes=1_000.0)  # 5 % slower in every round: told apart
    order = ("latency_median_ms", "size_mb")
    assert winner([fast, small, slow], order=order) == "small"
    assert winner([fast, small, slow]) == "fast"  # tied to the end: by value


def test_rounds_tell_apart_what_intervals_do_not() -> None:
    """All rounds of one are 2 % slower, while heat moves both by 20 %."""
    heat = {n: 20 * (1 + 0.02 * n) for n in range(10)}
    wide = {"median_low_ms": 20.0, "median_high_ms": 24.0}
    fast = job("fast", 22, round_ms=heat, **wide)
    slow = job("slow", 22.4, round_ms={n: 1.02 * ms for n, ms in heat.items()},
               size_bytes=1.0, **wide)  # fmt: skip
    order = ("latency_median_ms", "size_mb")
    assert winner([fast, slow], order=order) == "fast"
    other = replace(slow, run="20261125T100001Z-00000002")  # no rounds in common
    assert winner([fast, other], order=order) == "slow"


def test_negligible_differences_decide_nothing() -> None:
    sharp = job("sharp", 30, psnr_y=35.03, psnr_y_low=35.02, psnr_y_high=35.04)
    quick = job("quick", 20, psnr_y=35.0, psnr_y_low=34.99, psnr_y_high=35.01)
    order = ("psnr_y", "latency_median_ms")
    assert winner([sharp, quick], order=order) == "quick"
    assert winner([replace(sharp, psnr_y=36, psnr_y_low=35.9, psnr_y_high=36.1), quick],
                  order=order) == "sharp"  # fmt: skip


def test_unknown_values_come_last() -> None:
    unknown = job("unknown", 10, psnr_y=math.nan, psnr_y_low=math.nan, psnr_y_high=math.nan)
    order = ("psnr_y", "latency_median_ms")
    assert winner([unknown, job("known", 90)], order=order) == "known"
    assert winner([unknown], order=order) == "unknown"
    weights = {"objective": {"weights": {"psnr_y": 1}}}
    group = only_group([unknown, job("known", 90)], criteria(**weights))
    assert group.winner is not None
    assert group.winner.name == "known"
    assert "--accuracy" in group.rejected[0].would_win


def test_weights_trade_in_the_metrics_own_units() -> None:
    """20 ms cost as much as 1 dB."""
    weights = {"objective": {"weights": {"psnr_y": 1, "latency_median_ms": 0.05}}}
    small, large = job("small", 20, psnr_y=35.0), job("large", 39, psnr_y=36.0)
    assert winner([small, large], **weights) == "large"
    assert winner([small, replace(large, median_ms=41.0)], **weights) == "small"
    group = only_group([small, replace(large, median_ms=44.0)], criteria(**weights))
    assert group.rejected[0].would_win.startswith("wins if PSNR-Y > 36.20 dB")
    assert "latency < 40 ms" in group.rejected[0].would_win


def test_what_would_change_the_choice_does() -> None:
    fast, slow = job("fast", 20), job("slow", 30)
    group = only_group([fast, slow], criteria())
    assert group.rejected[0].would_win == "wins if latency < 20 ms (now 30 ms)"
    assert winner([fast, job("slow", 19.9)]) == "slow"
    limit = {"latency_median_ms": {"max": 25}, "size_mb": {"max": 1}}
    order = ("psnr_y", "latency_median_ms")
    sharp = job("sharp", 30, psnr_y=37.0, psnr_y_low=36.9, psnr_y_high=37.1)
    group = only_group([fast, sharp], criteria(limit, order))
    expected = "wins if latency <= 25 ms (now 30 ms, up to 30.3 ms)"
    assert group.rejected[0].would_win == expected
    assert group.rejected[0].why[0].startswith("latency 30 ms (29.7–30.3), limit <= 25")
    meets = {"median_high_ms": 25.0}
    assert winner([fast, replace(sharp, **meets)], limit, order) == "sharp"
    worse = replace(sharp, psnr_y=30.0, psnr_y_low=29.9, psnr_y_high=30.1)
    group = only_group([fast, worse], criteria(limit, order))
    assert group.rejected[0].would_win.startswith("qualifies if latency <= 25 ms")


def test_the_nearest_miss_is_the_one_that_misses_least() -> None:
    limit = {"latency_median_ms": {"max": 10}, "psnr_y": {"min": 34}}
    jobs = [job("near", 12), job("far", 30), job("broken", 5, outcome="fallback")]
    group = only_group(jobs, criteria(limit))
    assert group.nearest_miss.startswith("near on ")
    assert "latency <= 10 ms" in group.nearest_miss
    assert group.pareto
    assert all(choice.name != "broken" for choice in group.pareto)


def test_of_equally_near_misses_the_one_that_would_win_is_named() -> None:
    doubtful = {"trust": "C", "trust_reasons": ("busy",)}
    sharper = {"psnr_y": 37.0, "psnr_y_low": 36.9, "psnr_y_high": 37.1}
    jobs = [job("quick", 12, **doubtful), job("sharp", 30, **sharper, **doubtful)]
    order = ("psnr_y", "latency_median_ms")
    group = only_group(jobs, criteria({"trust": {"min": "B"}}, order))
    assert group.nearest_miss.startswith("sharp on ")
    relaxed = only_group(jobs, criteria({"trust": {"min": "C"}}, order)).winner
    assert relaxed is not None
    assert relaxed.name == "sharp"


def test_a_fallback_is_never_chosen_and_never_called_by_its_delegate() -> None:
    jobs = [job("net", 30, delegate="xnnpack"),
            job("net", 5, delegate="gpu", outcome="fallback"),
            job("other", 5, delegate="gpu", outcome="fallback")]  # fmt: skip
    group = only_group(jobs, criteria())
    assert group.winner is not None
    assert group.winner.delegate == "xnnpack"
    assert "fell back" in group.elsewhere
    (other,) = group.rejected
    assert other.why == ("gpu fell back",)
    assert other.would_win == ""


def test_pareto_is_what_no_other_beats() -> None:
    draw = random.Random(3)  # noqa: S311
    jobs = [job(f"n{n}", draw.uniform(5, 50), psnr_y=draw.uniform(30, 37),
                size_bytes=draw.choice([1e4, 2e4, 3e4])) for n in range(60)]  # fmt: skip
    group = only_group(jobs, criteria())
    assert group.pareto_axes == ("latency_median_ms", "psnr_y", "size_mb")
    found = {choice.name for choice in group.pareto}

    def costs(one: JobSummary) -> tuple[float, float, float]:
        return one.median_ms, -one.psnr_y, one.size_bytes

    def beaten(one: JobSummary) -> bool:
        mine = costs(one)
        return any(
            costs(o) != mine and all(a <= b for a, b in zip(costs(o), mine, strict=True))
            for o in jobs
        )

    assert found == {one.name for one in jobs if not beaten(one)}
    read = [replace(one, cer=0.1 - 0.001 * n) for n, one in enumerate(jobs)]
    assert only_group(read, criteria()).pareto_axes[1] == "cer"


def test_the_choice_does_not_depend_on_the_order_of_jobs() -> None:
    draw = random.Random(5)  # noqa: S311
    jobs = [phone_job(serial, f"net{n % 7}", draw.uniform(18, 24), delegate=delegate,
                      threads=float(threads), size_bytes=1e4 * (n % 7),
                      run=f"20261125T10000{draw.randrange(3)}Z-00000001")
            for n in range(7) for serial in ("P1", "P2") for delegate in ("cpu", "xnnpack")
            for threads in (1, 4)]  # fmt: skip
    wanted = [criteria({"latency_median_ms": {"max": 23}}, ("latency_median_ms", "size_mb")),
              criteria(objective={"weights": {"psnr_y": 1, "latency_median_ms": 0.1}}),
              criteria({"latency_median_ms": {"max": 1}})]  # fmt: skip
    for one in wanted:
        told = {json.dumps(select(shuffled(jobs, draw), [], one, {}).to_dict()) for _ in range(5)}
        assert len(told) == 1


def shuffled(jobs: list[JobSummary], draw: random.Random) -> list[JobSummary]:
    return draw.sample(jobs, len(jobs))


def test_simulated_phones_are_named_as_such() -> None:
    for limit in ({}, {"latency_median_ms": {"max": 1}}):
        jobs = [phone_job("P1", simulated=True, device_label="P1 (Redmi 12C, simulated)")]
        group = only_group(jobs, criteria(limit))
        assert "simulated" in group.recommendation
        named = criteria({"latency_median_ms": {"max": 25, "device": "Redmi 12C"}})
        assert only_group(jobs, named).winner is not None


def test_hostile_runs_stay_data() -> None:
    jobs = [
        job(HOSTILE, 20, delegate=HOSTILE, device=HOSTILE, device_label=HOSTILE + "\n\x1b[31m",
            device_class=HOSTILE, input=HOSTILE, variant=HOSTILE, outcome="<b>",
            reasons=(HOSTILE,), trust="Z", trust_reasons=(HOSTILE,)),
        job("huge", 1e300, threads=1e30, psnr_y=-1e300, size_bytes=math.inf, scale=1e9),
        job("nan", math.nan, threads=math.nan, rounds=0, round_ms={}),
        job("\x1b[31m\u202e", 20, status="<script>", statuses={"<script>": 1}),
    ]  # fmt: skip
    jobs += [job(f"b{n}", 1e308, psnr_y=x, psnr_y_low=x, psnr_y_high=-x, cer=-x, size_bytes=1e308)
             for n, x in enumerate((1e308, -1e308, math.inf, -math.inf))]  # fmt: skip
    weights = {"psnr_y": 10, "latency_median_ms": 1e9, "cer": 1}
    wants = [criteria({name: {"min": "A" if name == "trust" else 1}}) for name in
             ("trust", "latency_p95_ms", "cer", "fps_sustained")]  # fmt: skip
    for wanted in [
        criteria(order=("psnr_y", "cer")),
        criteria(objective={"weights": weights}),
        *wants,
    ]:
        found = select(jobs, [], wanted, {"": {}, candidate_id("huge"): {"coverage": None}})
        json.dumps(found.to_dict(), allow_nan=False)
        for group in found.groups:
            assert "\x1b" not in group.recommendation + group.nearest_miss + group.elsewhere
            assert "\n" not in group.recommendation


@pytest.mark.parametrize(
    ("cer", "low", "pictures", "told"),
    [(0.02, -0.02, 20, None), (0.05, -0.001, 20, "chance"), (0.05, 0.002, 20, "sure"),
     (0.05, 0.002, 2, "chance"), (math.nan, math.nan, 0, None)],
)  # fmt: skip
def test_a_winner_that_is_read_worse_than_bicubic_says_so(
    cer: float, low: float, pictures: int, told: str | None
) -> None:
    one = job(cer=cer, bicubic_cer=0.03, cer_vs_bicubic_low=low, text_images=pictures)
    sentence = only_group([one], criteria()).recommendation
    assert ("worse than bicubic" in sentence) == (told is not None)
    assert ("may be chance" in sentence) == (told == "chance")

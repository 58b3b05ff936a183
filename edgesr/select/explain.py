"""Why it is this one, why not the others, and what would change that: plain sentences."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from edgesr.results.records import FEWEST_IMAGES
from edgesr.select.criteria import Criteria, Objective
from edgesr.select.judge import Judged, closest
from edgesr.select.metric import Metric
from edgesr.select.metrics import METRICS
from edgesr.select.objective import Loss, Ranking, rank, score
from edgesr.select.options import Group, Key, Option
from edgesr.select.selection import Rejected
from edgesr.text import plural, short

_TOLD = ("latency_median_ms", "psnr_y", "cer", "size_mb")
"""Metrics of the recommendation."""
_ELSEWHERE = 3
"""Other delegates of a candidate that are told of."""
_RIVALS = 20
"""The best of those that qualify, against which a candidate that fails is supposed to meet it."""


def place_words(option: Option) -> str:
    """``NAME on xnnpack with 2 threads``."""
    return f"{option.name} on {_where(option.key)}"


def rejections(judged: Sequence[Judged], ranking: Ranking) -> list[Rejected]:
    """Each candidate but the winner's by its best choice, in the order of names."""
    winner = ranking.winner
    by_candidate: dict[str, list[Judged]] = {}
    for one in judged:
        by_candidate.setdefault(one.option.key.candidate, []).append(one)
    if winner is not None:
        del by_candidate[winner.key.candidate]
    found = [_rejected(members, ranking) for members in by_candidate.values()]
    return sorted(found, key=lambda one: (one.choice.name, one.choice.candidate))


def elsewhere(judged: Sequence[Judged], ranking: Ranking, shown: Judged) -> str:
    """Why not another delegate for the same candidate, in one line; empty where there is none."""
    key = shown.option.key
    others = [one for one in judged if one.option.key.candidate == key.candidate
              and one.option.key.delegate != key.delegate]  # fmt: skip
    others.sort(key=lambda one: one.option.key.delegate)
    same, told = _brief(shown, ranking), []
    for _, members in groupby(others, lambda one: one.option.key.delegate):
        best = _best(list(members), ranking)
        reason = _brief(best, ranking)
        told.append(f"{_where(best.option.key)}: {'likewise' if reason == same else reason}")
    rest = len(told) - _ELSEWHERE
    more = [f"and {plural(rest, 'delegate')} more"] if rest > 0 else []
    return "; ".join([*told[:_ELSEWHERE], *more])


def nearest_miss(judged: Sequence[Judged], ranking: Ranking) -> str:
    """What came closest where nothing qualifies, and what would let it pass."""
    best = _best(judged, ranking)
    what = f"{place_words(best.option)} comes closest"
    change = _change(best)
    return f"{what} and wins if {change}" if change else f"{what}, {best.failures[0].why}"


def recommendation(group: Group, criteria: Criteria, winner: Option | None, miss: str) -> str:
    """One sentence with numbers and doubt."""
    scale = f"×{group.place.scale}" if group.place.scale else "an unknown scale"
    size = f" from {group.place.input}" if group.place.input else ""
    head = f"For {_class_words(group)}, {scale}{size}"
    name = short(criteria.name, 60)
    if winner is None:
        return (f"{head}, nothing of {_counted(group)} meets {name}: {miss}{_left_out(group)}"
                f"{_simulated(group)}.")  # fmt: skip
    values = [
        f"{METRICS[m].title} {winner.told(m).text}{_bicubic(winner, m)}"
        for m in _telling(winner, criteria)
    ]
    several = len(group.labels)
    worst = f", each the worst of {several} devices" if several > 1 else ""
    values.append(f"trust {winner.told('trust').text}{worst}")
    return (f"{head}, take {place_words(winner)} by the criteria {name}: {', '.join(values)}"
            f"{_left_out(group)}{_simulated(group)}{_caution(winner)}.")  # fmt: skip


def _telling(winner: Option, criteria: Criteria) -> list[str]:
    """What the sentence tells: the usual figures, and those of the objective."""
    names = dict.fromkeys((*_TOLD, *criteria.objective.order, *criteria.objective.weights))
    return [name for name in names if name != "trust" and math.isfinite(winner.value(name))]


def _class_words(group: Group) -> str:
    name = group.place.device_class
    if name in {"budget", "mid", "flagship"}:
        return f"{name} phones"
    return {"host": "this kind of computer (host)"}.get(name, name)


def _counted(group: Group) -> str:
    return plural(len(group.options), "choice")


_OF_BICUBIC = {"psnr_y": ("bicubic_psnr_y", ".2f", " dB"), "cer": ("bicubic_cer", ".3g", "")}
"""Metric -> where a job holds what plain enlargement has on the same pictures, and its form."""


def _bicubic(option: Option, metric: str) -> str:
    """`` against bicubic's 27.45 dB``: what costs nothing, beside what was measured."""
    if metric not in _OF_BICUBIC:
        return ""
    name, form, unit = _OF_BICUBIC[metric]
    known = {float(getattr(facts.job, name)) for facts in option.facts.values()}
    told = sorted(value for value in known if math.isfinite(value))
    return f" against bicubic's {told[0]:{form}}{unit}" if len(told) == 1 else ""


def _caution(winner: Option) -> str:
    """Whether its text is read worse than plain enlargement's: higher PSNR may hide that."""
    jobs = [facts.job for facts in winner.facts.values()]
    worse = [job for job in jobs if job.cer > job.bicubic_cer]
    if not worse:
        return ""
    sure = any(job.cer_vs_bicubic_low > 0 and job.text_images >= FEWEST_IMAGES for job in worse)
    return "; its text is read worse than bicubic's" + ("" if sure else ", which may be chance")


def _left_out(group: Group) -> str:
    """Which devices of the class it says nothing of."""
    labels = [short(label, 48) for label in group.left_out.values()]
    rest = len(labels) - _ELSEWHERE
    named = [*labels[:_ELSEWHERE], *([f"{rest} more"] if rest > 0 else [])]
    return f", not measured on {' and '.join(named)}" if named else ""


def _simulated(group: Group) -> str:
    """Wherever a time of a stand-in phone stands, that must too."""
    if not group.simulated:
        return ""
    among = "" if len(group.simulated) == len(group.labels) else f"{len(group.simulated)} "
    return f" ({among}simulated phones: their times are of the machine behind them)"


def _rejected(members: Sequence[Judged], ranking: Ranking) -> Rejected:
    best = _best(members, ranking)
    others = elsewhere(members, ranking, best)
    why = _reasons(best, ranking)
    if others:
        why.append(f"elsewhere: {others}")
    return Rejected(best.option.choice(), tuple(why), _would_win(best, ranking))


def _best(members: Sequence[Judged], ranking: Ranking) -> Judged:
    """The one that ranks highest, else of those that miss least the one that would."""
    good = {one.option.key: one for one in members if one.qualifies}
    if good:
        return min(good.values(), key=lambda one: ranking.place(one.option.key))
    near = {one.option.key: one for one in closest(members)}
    again = rank([one.option for one in near.values()], ranking.objective, ranking.evidence)
    return near[again.options[0].key]


def _reasons(one: Judged, ranking: Ranking) -> list[str]:
    if one.failures:
        return [failure.why for failure in one.failures]
    return [_loss_words(one.option, ranking.losses[one.option.key], ranking.objective)]


def _brief(one: Judged, ranking: Ranking) -> str:
    """The first reason, without whom it lost to; nothing for the winner."""
    if one.failures:
        return one.failures[0].why
    loss = ranking.losses.get(one.option.key)
    if loss is None:
        return ""
    weights = ranking.objective.weights
    if weights:
        return f"its score is {_gap(one.option, loss.best, weights):.3g} lower"
    metric = loss.metric or "size_mb"
    values = one.option.told(metric).text, loss.best.told(metric).text
    tied = ", tied" if loss.tied else ""
    return f"{METRICS[metric].title} {values[0]} against {values[1]}{tied}"


def _gap(option: Option, best: Option, weights: Mapping[str, float]) -> float:
    return score(best, weights) - score(option, weights)


def _loss_words(option: Option, loss: Loss, objective: Objective) -> str:
    best = loss.best
    if objective.weights:
        gap = _gap(option, best, objective.weights)
        if math.isnan(gap):
            return f"no score: {_unknown(option, objective.weights)}"
        parts = [f"{METRICS[m].title} {option.told(m).text} against {best.told(m).text}"
                 for m in objective.weights]  # fmt: skip
        return f"its score is {gap:.3g} below that of {_rival(option, best)}: {', '.join(parts)}"
    if not loss.metric:
        return f"equal to {_rival(option, best)} in all that decides"
    title = METRICS[loss.metric].title
    value, theirs = option.told(loss.metric), best.told(loss.metric)
    if math.isnan(value.value):
        return f"{title}: {option.worst(loss.metric).missing}"
    head = "tied, and by plain value " if loss.tied else ""
    return (f"{head}{title} {value.text} against {theirs.text} of {_rival(option, best)}"
            f"{_by_how_much(loss, option)}")  # fmt: skip


def _rival(option: Option, best: Option) -> str:
    """Another option; where it runs only if that is elsewhere."""
    here = option.key[1:] == best.key[1:] and option.name != best.name
    return best.name if here else place_words(best)


def _by_how_much(loss: Loss, option: Option) -> str:
    metric, name = METRICS[loss.metric], loss.metric
    mine, theirs = option.worst(name), loss.best.worst(name)
    gap = abs(mine.value - theirs.value)
    if metric.ranks or not math.isfinite(gap):
        return ""
    overlap = mine.low != mine.high and mine.low <= theirs.high and theirs.low <= mine.high
    shared = {"rounds": "in", "pictures": "on"}.get(metric.samples)
    how = f" {shared} the same {metric.samples}" if shared and overlap and not loss.tied else ""
    if metric.unit == "ms" and theirs.value > 0:
        return f": {100 * gap / theirs.value:.0f} % slower{how}"
    return f": {metric.words(gap)} worse{how}"


def _unknown(option: Option, names: Mapping[str, float]) -> str:
    unknown = [name for name in names if math.isnan(option.value(name))]
    return "; ".join(f"{METRICS[name].title}: {option.worst(name).missing}" for name in unknown)


def _would_win(one: Judged, ranking: Ranking) -> str:
    """The values that would make it the choice, as far as single numbers can."""
    if one.failures:
        change = _change(one)
        return f"{_verb(one, ranking)} if {change}" if change else ""
    loss = ranking.losses[one.option.key]
    if ranking.objective.weights:
        return _outscores(one.option, loss.best, ranking.objective.weights)
    if not loss.metric:
        return ""
    metric, worst = METRICS[loss.metric], one.option.worst(loss.metric)
    if math.isnan(worst.value):
        return f"may win when {metric.title} is known: {worst.missing}"
    return f"wins if {_beats(metric, loss.best.value(loss.metric), worst.value)}"


def _beats(metric: Metric, wanted: float, now: float) -> str:
    """``latency < 17 ms (now 19 ms)``: equal would not do."""
    told = metric.apart(wanted, now)
    return f"{metric.title} {'>' if metric.higher_is_better else '<'} {told[0]} (now {told[1]})"


def _change(one: Judged) -> str:
    """What would let it pass; empty where something stands against it that no value changes."""
    if not all(failure.change for failure in one.failures):
        return ""
    return " and ".join(failure.change for failure in one.failures)


def _verb(one: Judged, ranking: Ranking) -> str:
    """Whether it would then win, or only be in the running."""
    if ranking.winner is None:
        return "wins"
    if any(math.isnan(failure.limit) for failure in one.failures):
        return "qualifies"
    held = one.option.supposing({failure.code: failure.limit for failure in one.failures})
    # ties are not transitive: the winner alone would not tell
    again = rank((*ranking.options[:_RIVALS], held), ranking.objective, ranking.evidence)
    return "wins" if again.winner is held else "qualifies"


def _outscores(option: Option, best: Option, weights: Mapping[str, float]) -> str:
    gap = _gap(option, best, weights)
    if math.isnan(gap):
        return f"may win when its score is known: {_unknown(option, weights)}"
    ways = []
    for name, weight in weights.items():
        metric, value = METRICS[name], option.value(name)
        wanted = value - metric.sign * gap / weight
        if wanted >= 0 or metric.may_be_negative:
            ways.append(_beats(metric, wanted, value))
    return f"wins if {' or '.join(ways)}" if ways else ""


def _where(key: Key) -> str:
    threads = f" with {plural(key.threads, 'thread')}" if key.threads else ""
    return f"{short(key.delegate, 40)}{threads}"

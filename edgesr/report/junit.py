"""Changes between two runs as JUnit XML, which CI systems show test by test."""

import re
from collections import Counter
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from edgesr.analysis.changes import Change, Comparison
from edgesr.analysis.matching import Pair
from edgesr.report.change_words import (
    METHOD_WORDS,
    STATE_WORDS,
    basis_words,
    candidate_words,
    change_words,
    place_words,
    state_cells,
    value_words,
)
from edgesr.report.gate import Gate
from edgesr.text import clean, join_known, short

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not know."""


def junit_xml(comparison: Comparison, gate: Gate) -> bytes:
    """One test case per job and figure, and one per job for what became of it.

    It fails what the gate stops; what is not comparable is skipped.
    """
    suite = ET.Element("testsuite", name=_text(f"edgesr compare {comparison.before.run.name} "
                                               f"{comparison.after.run.name}"))  # fmt: skip
    states = {id(state.pair): state for state in comparison.states}
    for pair in comparison.pairs:
        case = _case(suite, pair, "status")
        state = states.get(id(pair))
        if state is not None:
            words = f"{STATE_WORDS[state.before]} before, now {state_cells(state)[-1]}"
            _say(case, "failure" if gate.stops_at(state) else "system-out", words)
    for change in comparison.changes:
        _figure(suite, change, gate)
    cases = suite.findall("testcase")
    _tell_apart(cases)
    for name in ("failure", "skipped"):
        count = sum(case.find(name) is not None for case in cases)
        suite.set({"failure": "failures"}.get(name, name), str(count))
    suite.set("tests", str(len(cases)))
    suite.set("errors", "0")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _tell_apart(cases: Iterable[ET.Element]) -> None:
    """Numbers cases of one name: two long names may have been shortened to the same."""
    seen: Counter[tuple[str | None, str | None]] = Counter()
    for case in cases:
        key = case.get("classname"), case.get("name")
        seen[key] += 1
        if seen[key] > 1:
            case.set("name", f"{key[1]} ({seen[key]})")


def _figure(suite: ET.Element, change: Change, gate: Gate) -> None:
    case = _case(suite, change.pair, change.metric.name, of_file=change.metric.need == "file")
    before, after = (value_words(change.metric, v) for v in (change.before, change.after))
    if change.verdict == "not_comparable":
        _say(case, "skipped", f"not comparable: {basis_words(change)}")
        return
    told = METHOD_WORDS.get(change.method or "", "")
    words = f"{change.verdict}: {before} before, now {after}: {change_words(change)}, {told}"
    _say(case, "failure" if gate.stops(change) else "system-out", words)


def _case(suite: ET.Element, pair: Pair, name: str, *, of_file: bool = False) -> ET.Element:
    where = "" if of_file else f"{short(pair.after.device_label, 60)} · {place_words(pair)}"
    return ET.SubElement(
        suite,
        "testcase",
        classname=_text(join_known(candidate_words(pair), where)).replace(
            ".", "\N{ONE DOT LEADER}"
        ),
        name=name,
        time="0",
    )


def _say(case: ET.Element, kind: str, words: str) -> None:
    child = ET.SubElement(case, kind)
    if kind == "system-out":
        child.text = _text(words)
    else:
        child.set("message", _text(words))


def _text(words: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", clean(words))

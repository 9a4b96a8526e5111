"""A gate as JUnit XML, which CI servers show as tests: a case for each failed run and each figure that is worse."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tracer.fleet import Blamed, Gate, Worse
from tracer.text import clean, one_line
from tracer.viz import wording

_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def junit(gate: Gate) -> str:
    """A document of one suite; what closes the gate is a failure."""
    read = Element("testcase", classname="logs", name=f"{wording.count(gate.runs, 'run')} read")  # no empty suite
    cases = [read, *(_blamed(each, gate.limit) for each in gate.failures), *map(_worse, gate.worse)]
    broken = sum(each.find("failure") is not None for each in cases)
    suite = Element("testsuite", name="tracer gate", tests=str(len(cases)), failures=str(broken))
    suite.set("errors", "0")
    suite.set("skipped", "0")
    suite.extend(cases)
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _blamed(each: Blamed, limit: float) -> Element:
    case = Element("testcase", classname="runs", name=_text(f"{each.run} {one_line(each.source, 120)}"))
    if each.above and each.probability is not None:
        said = f"step {each.step} of {wording.agent(each.agent or '')}: {each.probability:.2f}, above {limit:.2g}"
        SubElement(case, "failure", message=_text(said)).text = _text("\n".join(map(clean, each.why)))
    return case


def _worse(each: Worse) -> Element:
    case = Element("testcase", classname="baseline", name=_text(one_line(each.words, 140)))
    (before, of), (now, of_now) = each.before, each.now
    SubElement(case, "failure", message=f"{now} of {of_now} runs, before {before} of {of}, q {each.q:.2g}")
    return case


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)

"""Reads a chain of thought that the model wrote itself, finds what went wrong in it, and where that was decided.

slip      an equation that does not hold
misread   a fact that the prompt does not tell so, or a computation with another number than was found
trust     a rumour that is not taken back by the next sentence

Only chains with one such lapse say at which sentence they left the right way: where the answer is wrong and no check
found anything, or where one check found it and the answer is right.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tracer.data.chains import Sentence, Trace, prompt_of, result
from tracer.data.problems import Problem

_REPLY = re.compile(r"(?P<cot>.*?) </think>\n\\boxed\{ (?P<answer>\d+)\}(?:<eos>)?")
_SENTENCE = re.compile(r" [^.]+\.")
_EQUATION = re.compile(
    r" (?:Again )?(?P<name>\w+) = (?P<first>\d+) (?:(?P<step>[+-]\d+)|plus (?P<second>\d+)) = (?P<value>\d+)\."
)
_NUMBER = re.compile(r" (?P<name>\w+): (?P<value>\d+)\.")
_RUMOR = re.compile(r" They say (?P<name>\w+) is (?P<value>\d+)\.")


class _Lapse(NamedTuple):
    kind: str
    at: int


def reread(problem: Problem, reply: str) -> Trace | None:
    """The reply as a trace with its decisive sentence; None unless it ends in an answer and has just one lapse.

    Sentences have a kind, `decisive` and nothing else: what the model's sentences rest on is not known.
    """
    found = _REPLY.fullmatch(reply)
    if found is None or "".join(texts := _SENTENCE.findall(found["cot"])) != found["cot"]:
        return None
    reader = _Reader(problem)
    lapses = [_Lapse(kind, at) for at, text in enumerate(texts) if (kind := reader.lapse(text, texts[at + 1 :]))]
    checks = [at for at, text in enumerate(texts) if text.startswith(" Wait, ")]
    mended = sum(text in {" That was wrong.", " Wait, only a rumor."} for text in texts)
    right = int(found["answer"]) == problem.answer
    if len(lapses) != 1 or mended != right or (right and len(checks) != 1):
        return None
    units = tuple(Sentence(fact.text, "rumor" if fact.rumor else "fact") for fact in problem.facts)
    return Trace(
        problem,
        prompt_of(problem),
        (*units, Sentence(problem.question, "question")),
        tuple(Sentence(text, _kind(text), decisive=at == lapses[0].at) for at, text in enumerate(texts)),
        int(found["answer"]),
        lapses[0].kind + (" recovered" if right else ""),
    )


def _kind(text: str) -> str:
    """As much as the text alone tells."""
    return "check" if text.startswith(" Wait,") else "compute" if " = " in text else "retrieve"


class _Reader:
    """What the chain has found out so far."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.told = {f" {fact.text}" for fact in problem.facts if fact.operands}
        self.held: dict[str, int] = {}
        """Each person's number, as the chain has it."""

    def lapse(self, text: str, later: list[str]) -> str:
        """What is wrong with the next sentence; empty where nothing is."""
        if found := _RUMOR.fullmatch(text):
            self.held[found["name"]] = int(found["value"])
            return "" if later[:1] == [" Wait, only a rumor."] else "trust"
        if found := _EQUATION.fullmatch(text):
            return self._equation(found)
        if found := _NUMBER.fullmatch(text):
            name, value = found["name"], int(found["value"])
            known = {self.problem.facts[k].value for k in self.problem.of(name) if not self.problem.facts[k].operands}
            known |= {self.held[name]} if name in self.held else set()
            self.held[name] = value
            return "" if value in known else "misread"
        return "misread" if re.match(r" \w+: ", text) and text not in self.told else ""

    def _equation(self, found: re.Match[str]) -> str:
        name, value = found["name"], int(found["value"])
        numbers = [int(found[key]) for key in ("first", "second") if found[key]]
        self.held[name] = value
        facts = [self.problem.facts[k] for k in self.problem.of(name)]
        meant = [
            fact
            for fact in facts
            if fact.operands
            and fact.step == (found["step"] or "")
            and [self.held.get(operand) for operand in fact.operands] == numbers
        ]
        if not meant:
            return "misread"
        return "" if result(meant[0], numbers) == value else "slip"

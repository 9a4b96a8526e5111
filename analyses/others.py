"""Who tells of others' steps: a step's address in a text, the name of the agent that took it and its number.

What is said of somebody else's step is that step's, and no doing of the speaker: whoever argues about guilt is not made
a suspect by the words of it, and the values that it names did not come from it. An address is known in any language.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tracer.records import Step

PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_NUMBERED = re.compile(r"(?<!\w)[Ss]tep\W{0,3}\d+(?!\w)")
_NUMBER = re.compile(r"(?<![\d.,])\d{1,6}(?![.,]?\d)")


class Others:
    """The agents of a run and the numbers of their steps."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps: dict[str, set[int]] = defaultdict(set)
        for step in steps:
            self._steps[step.agent].add(step.index)
        self._all = _names(self._steps)
        self._plain = frozenset(name for name in self._steps if len(name) < 4 or name.islower())
        """Names that may be plain words."""

    def named(self, text: str, agent: str) -> bool:
        """Whether a text names another agent of the run than `agent`."""
        return bool(self._named(text, agent) - self._plain)

    def numbered(self, text: str) -> bool:
        """Whether it names a step by its number."""
        return bool(_NUMBERED.search(text))

    def addressed(self, text: str, agent: str) -> bool:
        """Whether it names another agent, and a step by its number or the number of one of that agent's steps.

        A name that may be a plain word needs both.
        """
        if not (names := self._named(text, agent)):  # most texts
            return False
        sure, numbered = names - self._plain, self.numbered(text)
        numbers = {int(found[0]) for found in _NUMBER.finditer(text)}
        return bool(sure and numbered) or any(self._steps[name] & numbers for name in (names if numbered else sure))

    def _named(self, text: str, agent: str) -> set[str]:
        return {found[0] for found in self._all.finditer(text)} - {agent}

    def own(self, step: Step) -> Step:
        """The step with blanks where a paragraph tells of another's step, so that places in the text stay."""
        content = self._blanked(step.content, step.agent)
        return step if content == step.content else step.model_copy(update={"content": content})

    def _blanked(self, text: str, agent: str) -> str:
        if not self.addressed(text, agent):  # most steps
            return text
        parts, end = [], 0
        for border in [*PARAGRAPHS.finditer(text), None]:
            start, end, rest = end, border.end() if border else len(text), border.start() if border else len(text)
            told = text[start:rest]
            parts += [" " * len(told) if self.addressed(told, agent) else told, text[rest:end]]
        return "".join(parts)


def _names(agents: Iterable[str]) -> re.Pattern[str]:
    """Any of the names; in scripts without blanks one stands next to letters of another kind."""
    letter = "[A-Za-z0-9_]"
    told = [re.escape(name) for name in sorted(filter(None, agents), key=len, reverse=True)]
    return re.compile(rf"(?<!{letter})(?:{'|'.join(told)})(?!{letter})" if told else r"(?!)")

"""Chains of thought of the pocket world, each sentence with the sentences that it truly rests on.

    We need Cal. Cal: Ana plus Hal. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 4. Hal: 1. Cal = 4 plus 1 = 5.
    Wait, check Ana. Again Ana = 1 +5 = 6. That was wrong. Cal = 6 plus 1 = 7. So Cal is 7.

What is needed is looked up from the answer backwards, first operand first, and computed on the way back; a number that
is known already is said again before it is used, if it is the second one or the second one took some work. Slips happen
(a wrong result), rumours may be believed, and a check may find either. Between two facts about one person, the writer
throws a coin.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Set
from typing import NamedTuple

from tracer.data.problems import Fact, Problem
from tracer.data.world_words import LARGEST

PAPER_KINDS = {
    "goal": "problem_setup",
    "plan": "plan_generation",
    "retrieve": "fact_retrieval",
    "recall": "fact_retrieval",
    "trust": "fact_retrieval",
    "compute": "active_computation",
    "redo": "active_computation",
    "consolidation": "result_consolidation",
    "check": "self_checking",
    "recheck": "self_checking",
    "verdict": "self_checking",
    "backtrack": "uncertainty_management",
    "filler": "uncertainty_management",
    "answer": "final_answer_emission",
}
"""Our kinds of sentence, and which of the eight tags of Thought Anchors (arXiv 2506.19143) each would get."""

FILLERS = (" Hmm.", " Okay.", " Let me think.")


class Sentence(NamedTuple):
    """A sentence and where its content comes from. Indices count the units of the prompt, then the chain of thought."""

    text: str
    """With the space before it, so that joined sentences are the chain of thought."""
    kind: str
    """A key of PAPER_KINDS; in the prompt `fact`, `rumor` or `question`."""
    parents: frozenset[int] = frozenset()
    """All sentences whose content this one uses; the sentence before it is among them when it decides what is next."""
    either: frozenset[int] = frozenset()
    """The parents that are not needed by themselves, because another parent carries the same content."""
    group: str | None = None
    """Sentences that carry the same content have the same group; None when there is no second one."""
    decisive: bool = False
    """Whether the chain leaves the right way here: its only error, mended or not. With several errors, none is."""


class Noise(NamedTuple):
    """How often the writer errs, doubts and digresses."""

    slip: float = 0.05
    slip_carry: float = 0.12
    """When a ten is crossed."""
    trust: float = 0.4
    """A rumour about the person to look up is believed: so often that it is no surprising sentence."""
    told: float = 0.2
    """An agent believes a rumour that it finds in a file or in its notes."""
    doubt: float = 0.3
    """What was believed is taken back at once."""
    check: float = 0.08
    """A right computation is checked at once."""
    check_wrong: float = 0.25
    """A slip is checked at once."""
    late: float = 0.08
    """Before the answer, something right is checked."""
    late_wrong: float = 0.35
    """Before the answer, what went wrong is checked."""
    filler: float = 0.06
    so_far: float = 0.1


NOISY = Noise()
CLEAN = NOISY._replace(slip=0, slip_carry=0, trust=0, told=0)


class Trace(NamedTuple):
    """A problem with its chain of thought."""

    problem: Problem
    prompt: str
    """Ends where the chain of thought begins."""
    units: tuple[Sentence, ...]
    """The sentences of the prompt: its facts and rumours, then the question."""
    sentences: tuple[Sentence, ...]
    answer: int
    """What the chain of thought arrives at, right or not."""
    event: str
    """"clean", "slip", "trust", either with " recovered", or "several"."""

    @property
    def cot(self) -> str:
        """The chain of thought."""
        return "".join(sentence.text for sentence in self.sentences)

    @property
    def text(self) -> str:
        """Prompt, chain of thought and answer: what the model learns."""
        return f"{self.prompt}{self.cot}{ending(self.answer)}"

    @property
    def correct(self) -> bool:
        """Whether the answer is the problem's."""
        return self.answer == self.problem.answer


def prompt_of(problem: Problem) -> str:
    """All that stands before the chain of thought."""
    return " ".join(["Q:", *(fact.text for fact in problem.facts), problem.question]) + "\n<think>"


def ending(answer: int) -> str:
    """All that stands after it."""
    return f" </think>\n\\boxed{{ {answer}}}"


def trace(problem: Problem, seed: int, noise: Noise = NOISY) -> Trace:
    """One chain of thought; the same in every process for the same problem, seed and noise."""
    writer = _Writer(problem, random.Random(f"trace {problem.seed} {seed}"), noise)
    answer = writer.write()
    sentences = _settled(writer.sentences)
    units = len(problem.facts) + 1
    return Trace(problem, prompt_of(problem), sentences[:units], sentences[units:], answer, writer.event())


def equation(fact: Fact, numbers: list[int], value: int) -> str:
    """A computation as a sentence; the value stands there as given, right or not."""
    if fact.step:
        return f" {fact.subject} = {numbers[0]} {fact.step} = {value}."
    return f" {fact.subject} = {numbers[0]} plus {numbers[1]} = {value}."


def result(fact: Fact, numbers: list[int]) -> int:
    """What the fact gives for these operands, kept among the numbers that there are words for."""
    value = sum(numbers) + (int(fact.step) if fact.step else 0)
    return min(max(value, 0), LARGEST)


def content_of(fact: Fact) -> str:
    """What two sentences have in common that say the same about somebody."""
    return f"{fact.subject}: {fact.content}" if fact.operands else f"{fact.subject}={fact.value}"


class _Value(NamedTuple):
    """What the writer holds to be somebody's number."""

    value: int
    stated: int
    """The sentence that said so last."""


class _Computed(NamedTuple):
    """A computation that was made."""

    fact: Fact
    at: int
    source: frozenset[int]
    """The plan, and its fact where that is not one of two."""
    stated: frozenset[int]
    """Sentences that gave the operands' numbers."""


class _Writer:
    """Writes one chain of thought, sentence by sentence, and books what each rests on."""

    def __init__(self, problem: Problem, rng: random.Random, noise: Noise) -> None:
        self.problem, self.rng, self.noise = problem, rng, noise
        self.sentences = [
            Sentence(fact.text, "rumor" if fact.rumor else "fact", group=content_of(fact)) for fact in problem.facts
        ]
        self.state = len(problem.facts)
        """The latest sentence that is no filler: it decides what is to come next."""
        self.sentences.append(Sentence(problem.question, "question", group="question"))
        self.asked = {problem.target: {self.state, self.state + 1}}
        """The sentences that last called for somebody's number: the plan and its fact, or the question and the goal."""
        self.held: dict[str, _Value] = {}
        self.used: dict[tuple[str, int], set[int]] = {}
        """The computations that have somebody's number as an operand: they tell it as well."""
        self.computed: dict[str, _Computed] = {}
        self.errors: dict[str, int] = {}
        """Where somebody's number went wrong, of those not yet mended."""
        self.lapses: list[tuple[str, int]] = []
        """Kind and sentence of each error that was made."""
        self.mended = False
        """Whether a doubt or a check found something wrong."""

    def write(self) -> int:
        """The whole chain; gives the answer."""
        target, called = self.problem.target, self.state
        self._say(f" We need {target}.", "goal", {called}, group="question")
        self._evaluate(target)
        self._late_check()
        value, stated = self.held[target]
        self._say(f" So {target} is {value}.", "answer", {stated}, {called, called + 1}, group=f"{target}={value}")
        self._mark_decisive()
        return value

    def event(self) -> str:
        """Which error was made, and whether it was mended."""
        if len(self.lapses) != 1:
            return "several" if self.lapses else "clean"
        [(kind, _)] = self.lapses
        return kind + (" recovered" if self.mended else "")

    def _evaluate(self, name: str) -> None:
        """State somebody's number: known already, believed, looked up or computed."""
        if name in self.held:
            self._recall(name)
        elif (rumor := self.problem.rumor(name)) is not None and self.rng.random() < self.noise.trust:
            self._trust(name, rumor)
        else:
            self._derive(name)

    def _recall(self, name: str) -> None:
        value, stated = self.held[name]
        group = f"{name}={value}"
        copies = {stated, *(k for k in self.problem.of(name) if self.sentences[k].group == group)}
        self._say(f" {name}: {value}.", "recall", set(), copies, self.asked[name], group=group)
        self.held[name] = _Value(value, self.state)

    def _trust(self, name: str, rumor: int) -> None:
        claim = self.problem.facts[rumor]
        self._say(f" {claim.text}", "trust", {rumor}, self.asked[name], group=content_of(claim))
        self.lapses.append(("trust", self.state))
        if self.rng.random() < self.noise.doubt:
            self._say(" Wait, only a rumor.", "backtrack")
            self.mended = True
            self._derive(name)
        else:
            self.held[name], self.errors[name] = _Value(claim.value, self.state), self.state

    def _derive(self, name: str) -> None:
        place = self.rng.choice(self.problem.of(name))
        fact = self.problem.facts[place]
        kind = "plan" if fact.operands else "retrieve"
        # Of two facts about one person, only the plan says which is meant: then it is more than a copy of its fact.
        several = len(self.problem.of(name)) > 1 and bool(fact.operands)
        group = content_of(fact) + (" taken" if several else "")
        self._say(f" {fact.text}", kind, {place}, self.asked[name], group=group)
        if not fact.operands:
            self.held[name] = _Value(fact.value, self.state)
            return
        plan = self.state
        source = {plan} if several else {plan, place}
        for operand in fact.operands:
            self.asked[operand] = source
            self._evaluate(operand)
        if fact.operands[1:] and self.sentences[self.state].kind not in {"retrieve", "recall"}:
            # The second number took some work: the first one is said again, so that both stand side by side.
            self._recall(fact.operands[0])
        self._compute(fact, source)

    def _compute(self, fact: Fact, source: set[int]) -> None:
        name, numbers = fact.subject, [self.held[operand].value for operand in fact.operands]
        stated = frozenset(self.held[operand].stated for operand in fact.operands)
        right = result(fact, numbers)
        value = self._slipped(numbers, right)
        self._say(equation(fact, numbers, value), "compute", stated, source, group=f"{name}={value}")
        self._use(fact, numbers)
        self.held[name] = _Value(value, self.state)
        self.computed[name] = _Computed(fact, self.state, frozenset(source), stated)
        if value != right:
            self.lapses.append(("slip", self.state))
            self.errors[name] = self.state
        if self.rng.random() < (self.noise.check if value == right else self.noise.check_wrong):
            self._check(name)
        elif name != self.problem.target and self.rng.random() < self.noise.so_far:
            self._say(f" So far {name} is {value}.", "consolidation", group=f"{name}={value}")

    def _use(self, fact: Fact, numbers: list[int]) -> None:
        for operand, number in zip(fact.operands, numbers, strict=True):
            self.used.setdefault((operand, number), set()).add(self.state)

    def _slipped(self, numbers: list[int], right: int) -> int:
        carry = right // 10 != max(numbers) // 10
        if self.rng.random() >= (self.noise.slip_carry if carry else self.noise.slip):
            return right
        return self.rng.choice(
            [value for value in range(right - 3, right + 4) if 0 <= value <= LARGEST and value != right]
        )

    def _late_check(self) -> None:
        """Before the answer, look once more at what went wrong, or at something that did not."""
        wrong = next(iter(self.errors), None)
        if wrong is not None and self.rng.random() < self.noise.late_wrong:
            self._check(wrong)
        elif wrong is None and self.computed and self.rng.random() < self.noise.late:
            self._check(self.rng.choice(list(self.computed)))

    def _check(self, name: str) -> None:
        """Work somebody's number out again, say whether it was right, and redo what rested on a wrong one."""
        before = self.held[name]
        self._say(f" Wait, check {name}.", "check", {before.stated})
        # What was said before can also be read from the computations that used it.
        told = {before.stated} | self.used.get((name, before.value), set())
        self._again(name)
        again = self.held[name]
        wrong = again.value != before.value
        self._say(f" That was {'wrong' if wrong else 'right'}.", "verdict", {again.stated}, told)
        if wrong:
            self.errors.pop(name, None)
            self.mended = True
            self._redo(name)

    def _again(self, name: str) -> None:
        """The second look: a computed number is computed again, a believed one is looked up."""
        if name not in self.computed:
            del self.held[name]
            self.asked[name] = {self.state}
            self.noise, noise = self.noise._replace(slip=0, slip_carry=0, trust=0, check=0, so_far=0), self.noise
            self._derive(name)
            self.noise = noise
            return
        done = self.computed[name]
        self._recompute("recheck", done, " Again", set(), {done.at, *done.source, *done.stated})

    def _redo(self, name: str) -> None:
        """Compute anew, in the old order, whatever rested on the old number."""
        stale = {name}
        for later, done in list(self.computed.items()):
            fresh = {self.held[operand].stated for operand in done.fact.operands if operand in stale}
            if later != name and fresh:
                kept = {self.held[operand].stated for operand in done.fact.operands if operand not in stale}
                self._recompute("redo", done, "", fresh, {done.at, *done.source, *kept})
                stale.add(later)
                self.errors.pop(later, None)

    def _recompute(self, kind: str, done: _Computed, opening: str, needs: set[int], copies: set[int]) -> None:
        name, numbers = done.fact.subject, [self.held[operand].value for operand in done.fact.operands]
        value = result(done.fact, numbers)
        self._say(opening + equation(done.fact, numbers, value), kind, needs, copies, group=f"{name}={value}")
        self._use(done.fact, numbers)
        self.held[name] = _Value(value, self.state)

    def _mark_decisive(self) -> None:
        """Of several errors each may have cost the right answer, so none of them is called decisive."""
        if len(self.lapses) == 1:
            [(_, at)] = self.lapses
            self.sentences[at] = self.sentences[at]._replace(decisive=True)

    def _say(
        self, text: str, kind: str, needs: Set[int] = frozenset(), *copies: Set[int], group: str | None = None
    ) -> None:
        """Add a sentence that needs all of `needs`, what stood last, and one of each set of copies.

        Where one of the copies is needed anyway, the others are not: they bring nothing that is not there.
        """
        if kind not in {"goal", "verdict", "recheck"} and self.rng.random() < self.noise.filler:
            self.sentences.append(Sentence(self.rng.choice(FILLERS), "filler"))
        needed = frozenset(needs) | {self.state}
        open_ = [same for same in copies if not needed & same]
        parents = needed.union(*open_)
        either = frozenset(parent for same in open_ if len(same) > 1 for parent in same)
        self.state = len(self.sentences)
        self.sentences.append(Sentence(text, kind, parents, either, group))


def _settled(sentences: list[Sentence]) -> tuple[Sentence, ...]:
    """A group of one is no group."""
    sizes = Counter(sentence.group for sentence in sentences)
    return tuple(s if sizes[s.group] > 1 else s._replace(group=None) for s in sentences)

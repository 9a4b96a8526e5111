"""A step taken apart into claims, each with its sources: what `tracer cite` says, as one record.

Every claim is scored from the same rows: a row gives the odds of all of the step's own words. Inside the strongest
sources the sentence is found that does most, by erasing each in turn. Beside the claims stands the whole step, thought
included: it is what the check is made on, and what becomes edges of the graph.

Needs torch and transformers for a model in this process, and none of them for one behind a server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracer.analyses.citing import METHODS, Scored, reused
from tracer.analyses.statement import Hearing, Source, Span, Statement, Unit, statement
from tracer.analyses.view import USER_ROLES
from tracer.records import Cited, CitedSource, Claim, Edge, Run, Step

if TYPE_CHECKING:
    from tracer.analyses.reading import Mask, Reading
    from tracer.lm.echoed import Echoed
    from tracer.lm.local import LocalLM

QUOTED = 3
"""Of so many sources of each claim the sentence is found that does most."""
EDGE = 2.0
"""Nats that a source takes from the whole step to count as an edge, if it holds SHARE of the words, too."""
SHARE = 0.05
Progress = Callable[[str, int, int], None]


class Question(NamedTuple):
    """What is asked."""

    run: Run
    steps: Sequence[Step]
    step: int
    method: str
    unit: Unit = "step"
    span: str | None = None
    check: bool = True


def cite(lm: LocalLM | Echoed, asked: Question, progress: Progress | None = None) -> Cited:
    """The sources of a step, measured with a language model."""
    from tracer.analyses.reading import heard

    hearing = heard(lm, asked.steps, asked.step)
    said = _statement(asked, hearing)
    reading = _reading(lm, said)
    sets = [np.ones(len(reading.text.ids) - reading.text.told, dtype=np.bool_), *reading.masks]
    before = reading.read
    score = METHODS[asked.method].score
    assert score is not None
    scored = score(reading, sets, _told(progress, "sources"))
    cost = {
        "rows": scored.rows,
        "tokens": reading.read - before,
        "plain": scored.rows * len(reading.text.ids),
    }
    found = _answer(asked, said, scored, [*_measured(reading, asked, hearing, sets)], _quotes(reading, scored, sets))
    return _checked(reading, found, scored, sets, asked, progress).model_copy(
        update={
            "model": lm.name,
            "revision": lm.revision,
            "cost": cost | {"check_tokens": reading.read - before - cost["tokens"]},
            "notes": tuple(_notes(asked, said, hearing)),
        }
    )


def _reading(lm: LocalLM | Echoed, said: Statement) -> Reading:
    """The statement before the model, wherever that runs."""
    from tracer.analyses.reading import Reading
    from tracer.lm.local import LocalLM

    if isinstance(lm, LocalLM):
        return Reading(lm, said)
    from tracer.analyses.echo_reading import EchoReading

    return EchoReading(lm, said)


def cite_reuse(asked: Question, edges: Sequence[Edge]) -> Cited:
    """The sources of a step by the values that it has from them, without a language model."""
    said = _statement(asked, Hearing(public=True, own=True, prompts=True))
    scored = reused(said, edges)
    blank = [Claim(text=text) for text in _texts(said)]
    quotes: Quotes = [
        {k: (_alike(said, source, text), None) for k, source in enumerate(said.sources)} for text in _texts(said)
    ]
    notes = ("no language model was asked: scores are not checked, and made-up claims are not looked for",)
    return _answer(asked, said, scored, blank, quotes).model_copy(update={"notes": notes})


def edges_of(found: Cited) -> list[Edge]:
    """What was measured, as edges of the graph: sources that take EDGE nats of the whole step, and SHARE."""
    return [
        Edge(
            source=each.step,
            target=found.step,
            origin="measured",
            weight=each.share,
            reason=f"{_reason(each)} ({found.method}, {found.model})",
        )
        for each in found.whole.sources
        if each.step >= 0 and each.score >= EDGE and each.share >= SHARE and found.model is not None
    ]


def _reason(each: CitedSource) -> str:
    interval = "" if each.low is None or each.high is None else f" [{each.low:.1f}, {each.high:.1f}]"
    return f"cited: step {each.step} gives {each.score:.1f}{interval} nats to what is said here"


def _statement(asked: Question, hearing: Hearing) -> Statement:
    return statement(asked.steps, asked.step, hearing, task=asked.run.task, unit=asked.unit, span=asked.span)


def _texts(said: Statement) -> list[str]:
    """The whole step, then its claims."""
    return [said.words((said.own, len(said.text))), *map(said.words, said.claims)]


def _measured(reading: Reading, asked: Question, hearing: Hearing, sets: Sequence[Mask]) -> list[Claim]:
    """The whole step and each claim, with what the model holds of them with and without sources."""
    from tracer.analyses.log_odds import logprob
    from tracer.analyses.support import Support

    odds = reading.erased([(), range(reading.count)])
    support, logs, said = Support(reading, odds[0], odds[1]), logprob(odds), reading.statement
    claims = [
        Claim(text=text, logprob=_rounded(logs[0, words].sum()), alone=_rounded(logs[1, words].sum()))
        for text, words in zip(_texts(said), sets, strict=True)
    ]
    brings = _brings(asked)
    for number in range(len(said.claims)):
        rests = tuple(said.words(said.thought[r]) for r in reading.carriers(number))
        made_up = () if brings else tuple(support.made_up(number))
        claims[number + 1] = claims[number + 1].model_copy(
            update={
                "rests_on": rests,
                "unsupported": made_up,
                "said_before": _said_before(asked, said.speaker, made_up) if made_up else None,
            }
        )
    return claims


def _brings(asked: Question) -> bool:
    """Whether the step is where facts come in from outside, so that no earlier step need account for them."""
    step = asked.steps[asked.step]
    return step.kind == "tool_result" or step.agent.lower() in USER_ROLES


def _said_before(asked: Question, speaker: str, values: Sequence[str]) -> int | None:
    """The first of the speaker's own earlier steps that has all of these values."""
    from tracer.analyses.support import said_before
    from tracer.analyses.transcript import lines

    own = [
        (line.step, line.own) for line in lines(asked.steps) if line.speaker == speaker and 0 <= line.step < asked.step
    ]
    return said_before(values, own)


Quotes = Sequence[dict[int, tuple[str, float | None]]]
"""For each set of words: source -> its sentence that does most, and what it does."""


def _quotes(reading: Reading, scored: Scored, sets: Sequence[Mask]) -> Quotes:
    """Sentences of the strongest sources, by what the words lose without each."""
    from tracer.analyses.log_odds import logprob

    said = reading.statement
    best = [[k for k in scored.order(n)[:QUOTED] if row[k] > 0] for n, row in enumerate(scored.scores)]
    asked = sorted({k for row in best for k in row if len(said.sources[k].sentences) > 1})
    parts = [(k, span) for k in asked for span in said.sources[k].sentences]
    logs = logprob(reading.without([span for _, span in parts])) if parts else np.zeros((1, 1))
    found: list[dict[int, tuple[str, float | None]]] = []
    for words in sets:
        lost = [float((logs[0, words] - row[words]).sum()) for row in logs[1:]]
        chosen: dict[int, tuple[str, float | None]] = {}
        for (k, span), drop in sorted(zip(parts, lost, strict=True), key=lambda each: each[1]):
            chosen[k] = said.words(span), _rounded(drop)
        found.append(chosen)
    return found


def _alike(said: Statement, source: Source, text: str) -> str:
    """The sentence of a source that has most words of a text."""
    words = set(text.split())
    spans: Sequence[Span] = source.sentences or ((source.start, source.end),)
    return said.words(max(spans, key=lambda span: len(words & set(said.words(span).split()))))


def _answer(asked: Question, said: Statement, scored: Scored, claims: Sequence[Claim], quotes: Quotes) -> Cited:
    whole, *others = (
        claim.model_copy(update={"sources": tuple(_sources(asked, said, scored, number, quotes[number]))})
        for number, claim in enumerate(claims)
    )
    return Cited(
        run=asked.run.id,
        step=asked.step,
        agent=asked.steps[asked.step].agent,
        method=asked.method,
        score=METHODS[asked.method].unit,
        model=None,
        revision=None,
        whole=whole,
        claims=tuple(others),
    )


def _sources(
    asked: Question, said: Statement, scored: Scored, number: int, quotes: dict[int, tuple[str, float | None]]
) -> list[CitedSource]:
    """The sources of one claim, the strongest first."""
    row = scored.scores[number]
    words = None if scored.words is None else scored.words[number]
    share = np.maximum(row if words is None else words, 0)
    total = float(share.sum())
    found = []
    for k in scored.order(number):
        source = said.sources[k]
        first = said.words(source.sentences[0] if source.sentences else (source.start, source.end))
        quote, quote_score = quotes.get(k, (first, None))
        found.append(
            CitedSource(
                step=source.step,
                agent="user" if source.step < 0 else asked.steps[source.step].agent,
                score=_rounded(row[k]),
                low=None if scored.low is None else _rounded(scored.low[number, k]),
                high=None if scored.high is None else _rounded(scored.high[number, k]),
                words=None if words is None else _rounded(words[k]),
                share=_rounded(share[k] / total) if total > 0 else 0.0,
                quote=quote,
                quote_score=quote_score,
            )
        )
    return found


def _checked(
    reading: Reading, found: Cited, scored: Scored, sets: Sequence[Mask], asked: Question, progress: Progress | None
) -> Cited:
    from tracer.analyses.faithfulness import faithfulness

    if not asked.check:
        return found
    number = 1 if asked.span is not None else 0
    check = faithfulness(reading, sets[number], scored.scores[number], _told(progress, "check"))
    return found.model_copy(update={"check": check})


def _told(progress: Progress | None, words: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(words, done, total)


def _notes(asked: Question, said: Statement, hearing: Hearing) -> list[str]:
    step = asked.steps[asked.step]
    notes = []
    if _brings(asked):
        notes.append("here facts come in from outside: made-up claims are not looked for, and scores say little")
    if all(source.step >= 0 and asked.steps[source.step].agent == step.agent for source in said.sources):
        notes.append("nobody else had said anything before: the sources are its own earlier steps")
    elif hearing.public:
        notes.append("read as a talk in which everybody hears everything, for so the speaker's words are likelier")
    return notes


def _rounded(value: float) -> float:
    return round(float(value), 4)

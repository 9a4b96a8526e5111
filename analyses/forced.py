"""Forced answers: how likely each answer is if the chain of thought stopped here, at every sentence, without sampling.

    l(i, a) = ln p( a + after | text[:border_i] + closing ),    share(i, a) = exp l(i, a) / sum_b exp l(i, b)

in nats, by teacher forcing at temperature 1 (forced-answer importance, Thought Anchors, arXiv 2506.19143, section 3,
there from 100 samples a prefix). It is exact for the candidates, so it has no interval; what it leaves out are answers
that are no candidates and other spellings, and `mass` says how much is left in. It tells what the model would say now,
and not what it would have said had it gone on thinking: that takes `resampling`.

The text is read once, and every prefix takes its keys and values from there. A model with layers that keep a state in
their place reads each prefix anew, with the same result.
"""

from __future__ import annotations

import inspect
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.equivalence import NONE, TRUNCATED
from tracer.errors import TracerError
from tracer.quantities import Number, read

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import DynamicCache

    from tracer.lm.local import LocalLM

Array = npt.NDArray[np.float64]

CLOSING, AFTER = "\n</think>\n\nTherefore, the final answer is \\boxed{", "}"
"""How a trace is made to answer where its own way is not known, or takes longer than LEAD."""
LEAD = 80
"""Characters between the end of the reasoning and the answer, at most: more may already argue for an answer."""
NUMBERS = 32
"""So many of the numbers that a trace states are candidates, at most."""
BLOCK = 256
"""Tokens read at once."""


class Forced(NamedTuple):
    """Forced answers after each of n + 1 prefixes."""

    candidates: tuple[str, ...]
    """C answers; the first one is the target."""
    logprobs: Array
    """(n + 1, C) ln p of each answer with what follows it, in nats"""

    @property
    def mass(self) -> Array:
        """Probability of all candidates together, (n + 1,); where it is small, the shares say little.

        Candidates of which one begins with another are both counted, unless something follows the answer: then they
        exclude each other, and the mass is at most 1.
        """
        return np.asarray(np.exp(np.logaddexp.reduce(self.logprobs, axis=1)))

    @property
    def shares(self) -> Array:
        """P(candidate) among the candidates, (n + 1, C); rows sum to 1."""
        return np.exp(self.logprobs - np.logaddexp.reduce(self.logprobs, axis=1, keepdims=True))

    @property
    def effects(self) -> Array:
        """What each sentence adds to the target's share: after - before, (n,) in [-1, 1]."""
        return np.diff(self.shares[:, 0])

    @property
    def distances(self) -> Array:
        """Total variation between the shares before and after each sentence, (n,) in [0, 1]."""
        return np.asarray(np.abs(np.diff(self.shares, axis=0)).sum(axis=1) / 2)

    def merged(self, labels: Sequence[str]) -> Forced:
        """The answers of one label as one, with their probabilities added; the target's label stays the first."""
        names = tuple(dict.fromkeys(labels))
        same = [[k for k, label in enumerate(labels) if label == name] for name in names]
        return Forced(names, np.stack([np.logaddexp.reduce(self.logprobs[:, ks], axis=1) for ks in same], axis=1))


class _Question(NamedTuple):
    """One prefix with its closing, and the candidates, in tokens."""

    context: list[int]
    """At least one."""
    rests: list[list[int]]
    """What each candidate adds."""


def forced(
    lm: LocalLM, text: str, borders: Sequence[int], closing: str, candidates: Sequence[str], after: str
) -> Forced:
    """How likely each candidate is as the answer, after each prefix text[:border].

    Prefix, closing, candidate and `after` are encoded together, as a text is, and scored from the last border of tokens
    up to the end of the closing that all candidates share: a blank at its end counts as the candidates' own where the
    vocabulary has it in their first tokens. No candidate, a blank one or one given twice raises TracerError, and a text
    that the model cannot read whole DoesNotFitError.
    """
    if not candidates or len(set(candidates)) < len(candidates) or not all(each.strip() for each in candidates):
        raise TracerError("forcing an answer takes different candidates, one at least, and none of them blank")
    questions = [_question(lm, text[:border] + closing, [each + after for each in candidates]) for border in borders]
    lm.require_room(max((len(each.context) + max(map(len, each.rests)) for each in questions), default=0))
    shared = _shared(lm, text, questions)
    rows = [shared.score(each) if shared else _afresh(lm, each) for each in questions]
    return Forced(tuple(candidates), np.array(rows, dtype=np.float64).reshape(len(questions), len(candidates)))


def _question(lm: LocalLM, head: str, tails: Sequence[str]) -> _Question:
    wholes = [lm.encode(head + tail) for tail in tails]
    inside = bisect_right([end for _, end in wholes[0].offsets], len(head))
    shared = min(inside, _common(*(whole.ids for whole in wholes)))
    rests = [whole.ids[shared:] for whole in wholes]
    if not all(rests):
        raise TracerError(f"{lm.name} has no tokens for {tails[rests.index([])]!r}: leave this candidate out")
    return _Question(wholes[0].ids[:shared] or list(lm.prompt("")), rests)


def _common(*rows: Sequence[int]) -> int:
    """Length of the longest common beginning."""
    differ = (place for place, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1)
    return next(differ, min(map(len, rows)))


def _afresh(lm: LocalLM, question: _Question) -> list[float]:
    """ln p of each rest, reading the context anew."""
    from tracer.lm.scoring import score

    found = lm.batches.run(question.rests, lambda rests: score(lm.model, question.context, rests), _fit(lm, question))
    return [sum(each) for each in found]


def _fit(lm: LocalLM, question: _Question) -> int:
    longest = max(map(len, question.rests))
    return lm.fit(len(question.context) + longest, scored=longest)


def _shared(lm: LocalLM, text: str, questions: Sequence[_Question]) -> _Shared | None:
    """None where keys and values cannot be shared, or are not those of a shorter text: some models scale positions by
    the length of the text. The shortest prefix that shares any is read in both ways, for there it would show the most.
    """
    from tracer.lm.rows import served

    if not questions or not served(lm.model):
        return None
    shared = _Shared(lm, text)
    asked = next((each for each in questions if shared.start(each) > 1), questions[-1])
    pairs = zip(shared.score(asked), _afresh(lm, asked), asked.rests, strict=True)
    off = max(abs(ours - plain) / len(rest) for ours, plain, rest in pairs)
    return shared if off <= (1e-3 if lm.model.dtype.itemsize > 2 else 0.1) else None


class _Shared:
    """A text's keys and values."""

    def __init__(self, lm: LocalLM, text: str) -> None:
        self.lm, self.ids = lm, lm.prompt(text)
        [self.cache] = lm.batches.run([self.ids], lambda texts: [self._extended(None, 0, ids) for ids in texts], 1)

    def start(self, question: _Question) -> int:
        """How many tokens of the context are the text's; its last one is read together with the rests."""
        return min(_common(self.ids, question.context), len(question.context) - 1)

    def score(self, question: _Question) -> list[float]:
        """ln p of each rest."""
        context, start = question.context, self.start(question)
        cache = self._extended(self.cache, start, context[start:-1])
        return self.lm.batches.run(
            question.rests, lambda rests: self._rests(cache, context, rests), _fit(self.lm, question)
        )

    def _extended(self, cache: Any, start: int, ids: Sequence[int]) -> DynamicCache:
        """The first `start` tokens of a cache, then these."""
        import torch

        made = _copied(cache, start, 1)
        few = "logits_to_keep" in inspect.signature(self.lm.model.forward).parameters
        more = {"logits_to_keep": 1} if few else {}
        with torch.inference_mode():
            for at in range(0, len(ids), BLOCK):
                block = torch.tensor([list(ids[at : at + BLOCK])], device=self.lm.device)
                self.lm.model(block, past_key_values=made, use_cache=True, **more)
        return made

    def _rests(self, cache: Any, context: Sequence[int], rests: Sequence[list[int]]) -> list[float]:
        """Padding stands on the right, where it changes nothing before it."""
        import torch

        longest = max(map(len, rests))
        padded = [[context[-1], *rest, *[0] * (longest - len(rest))] for rest in rests]
        with torch.inference_mode():
            ids = torch.tensor(padded, device=self.lm.device)  # (B, longest + 1)
            own = _copied(cache, len(context) - 1, len(rests))
            logits = self.lm.model(ids[:, :-1], past_key_values=own, use_cache=True).logits.float()
            values = _chosen(logits, ids[:, 1:]).tolist()  # (B, longest)
        return [sum(row[: len(rest)]) for row, rest in zip(values, rests, strict=True)]


def _copied(cache: Any, tokens: int, rows: int) -> DynamicCache:
    """A cache of its own for each row, with the first tokens of another one."""
    from transformers import DynamicCache

    made = DynamicCache()  # no window: nothing is dropped, the model's masks hide what lies behind it
    for layer, held in enumerate(cache.layers if cache is not None and tokens else ()):
        keys, values = (part[:, :, :tokens].expand(rows, -1, -1, -1) for part in (held.keys, held.values))
        made.update(keys, values, layer)
    return made


def _chosen(logits: Tensor, tokens: Tensor) -> Tensor:
    """ln p of each token: logits (B, b, V), tokens (B, b) -> (B, b)."""
    return logits.gather(-1, tokens[..., None]).squeeze(-1) - logits.logsumexp(-1)


def closing_of(said: str, answer: str, end: str = "\n</think>\n\n") -> tuple[str, str]:
    r"""How a trace itself gets from the end of its reasoning to its answer: what stands before the answer, and after.

    Before: `said` up to the first place where the answer stands for itself, a blank before it included, so that an
    answer can be given as it is extracted (" </think>\n\\boxed{ " and "5" make the text " </think>\n\\boxed{ 5"). `end`
    closes the reasoning where `said` has no closing tag. After: the signs that follow on the answer at once, or else
    the line's end. CLOSING and AFTER where the answer is not there, or only behind more than LEAD characters.
    """
    left, right = (r"(?<!\w)" if answer[:1].isalnum() else ""), (r"(?!\w)" if answer[-1:].isalnum() else "")
    found = re.search(left + re.escape(answer) + right, said[: LEAD + len(answer) + 1]) if answer else None
    if not found or found.start() > LEAD:
        return CLOSING, AFTER
    before = said[: found.start()]
    after = re.compile(r"[^\w\s]{1,8}|\n?").match(said, found.end())
    return before if "</think>" in before else end + before.lstrip(), after[0] if after else ""


_NUMBER = re.compile(
    r"(?<![\w.,/^])-?(?:[1-9]\d{0,2}(?:,\d{3}){1,4}|0|[1-9]\d{0,14})(?:\.\d{1,15})?(?![\w/]|[.,]\d)", re.ASCII
)


def candidates_of(text: str, target: str, answers: Sequence[str] = ()) -> tuple[str, ...]:
    """What an answer may be: the target, then the answers of rollouts, then numbers that the text states.

    Answers that differ in spelling only are kept, since the model may give either (see `Forced.merged`). Numbers come
    in where the target is one: those of the text that are none of the answers, each value once as it is first spelled,
    the most frequent first, NUMBERS at most.
    """
    given = dict.fromkeys(each for each in (target, *answers) if each.strip() and each not in {NONE, TRUNCATED})
    if not isinstance(read(target), Number):
        return tuple(given)
    taken = {value.value for value in map(read, given) if isinstance(value, Number)}
    spelled: dict[Fraction, str] = {}
    counts: Counter[Fraction] = Counter()
    for found in _NUMBER.finditer(text):
        value = Fraction(found[0].replace(",", ""))
        counts[value] += 1
        spelled.setdefault(value, found[0])
    stated = [spelled[value] for value, _ in counts.most_common() if value not in taken]
    return (*given, *stated[:NUMBERS])

"""Which of the eight kinds of Thought Anchors (arXiv 2506.19143, section 3) a sentence of reasoning is: a cheap guess.

    e(k, i) = exp(b_k + w_k . x_i)                                      x_i: the signs of SIGNS, by regular expressions
    P(k_1 ... k_n)  ~  prod_i e(k_i, i)  *  prod_i (a(k_{i-1}, k_i) / p(k_i)) ** 1/2

a are the shares in which one kind follows another, p the kinds' own shares; half their weight, for neighbours share
signs, too. A sentence's probabilities are the marginals (forward-backward).

The authors' labels are themselves one model's opinion (GPT-4o, shown the whole trace), and the weights in
sentence_kinds.json were fitted to 323 of them; what they are worth on a trace they were not fitted to stands there,
too. Good for colours and rough shares, not for claims about kinds. The pocket world knows its own kinds: there
`tracer.data.chains.PAPER_KINDS` maps them, and nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tracer.records import Record

Array = npt.NDArray[np.float64]

KINDS = (
    "problem_setup",
    "plan_generation",
    "fact_retrieval",
    "active_computation",
    "uncertainty_management",
    "result_consolidation",
    "self_checking",
    "final_answer_emission",
)
LONGEST = 2_000
"""Characters of a sentence that are read."""

CUES: dict[str, str] = {
    "doubts": r"\b(wait|hmm+|hold on|not sure|unsure|confus\w*|mistake|wrong|might not|may not|alternatively|oops)\b",
    "supposes": r"\b(maybe|perhaps|seems?|i think|if|suppose|assum\w+)\b",
    "checks": r"\b(check\w*|verif\w+|confirm\w*|make sure|double[- ]\w+|sanity|review\w*|recount\w*|again)\b",
    "approves": r"\b(correct|right|matches|consistent|makes sense|solid|indeed|holds|checks out|good)\b",
    "plans": r"\b(let'?s|let me|i'?ll|i (need to|should|can)|we (can|need|should|have to)|try|approach|method)\b",
    "orders": r"^\W*(first|next|now|then|starting|second|finally|to (find|solve|do|get))\b",
    "asks_how": r"\b(how|what|which|why|when)\b",
    "recalls": r"\b(recall|remember\w*|known?|formula\w*|theorem|definition|property|rule|means|in general)\b",
    "given": r"\b(given|there (are|is)|we have|has|have|each|every|where|consists?)\b",
    "restates": r"\b(problem|question|asked|asks|asking|find the|determine|looking for|want to)\b",
    "concludes": r"\b(so|therefore|thus|hence|which means|that means|in total|total|altogether|putting|overall)\b",
    "opens_with_so": r"^\W*(so|therefore|thus|hence)\b",
    "answers": r"the answer is|answer:",
    "boxes": r"\\boxed|final answer",
    "computes": r"\b(calculat\w+|comput\w+|substitut\w+|simplif\w+|multipl\w+|divid\w+|subtract\w*|add(ing|ed)?|plus"
    r"|minus|times|sum|expand\w*|count\w*|factor\w*|evaluat\w+)\b",
    "equation": r"=|≈|≤|≥|<|>|\\(approx|leq?|geq?|equiv)",
    "arithmetic": r"\d\s*(\\times|\\cdot|[-+*/×·^÷!])\s*\(?\d",
    "number": r"\d",
    "reasons": r"\b(because|since|due to|implies|as)\b",
    "looks_back": r"\b(earlier|before|previous\w*|above|already|as i did|initial\w*|originally)\b",
    "negates": r"\b(but|however|not|n't|doesn't|don't|isn't|actually|instead)\b",
    "question": r"\?\s*$",
    "leads_in": r":\s*$",
    "listed": r"^\W*(\d+[.)]|[-*•])\s|\*\*",
}
"""Patterns that the eight definitions suggest; matched without case."""

_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in CUES.items()}
_WORD = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?")
_CARRIED = ("doubts", "checks", "approves", "plans", "computes", "equation", "leads_in", "boxes", "concludes")
"""Cues of the sentence before that say something about this one."""
_OPENING = 3
"""Sentences at the beginning that tend to restate the problem."""
_MEMORY = 0.9
"""How much of a check or an answer that was announced is left one sentence later."""

_BOXED = 3.0
"""Added to the score of final_answer_emission where an answer is boxed: its definition, too rare here to be learnt."""


class Kind(NamedTuple):
    """A guess at the kind of a sentence."""

    kind: str
    """One of KINDS."""
    probability: float


class KindModel(Record):
    """Weights, and how well they do."""

    version: int = 1
    intercepts: dict[str, float]
    """kind -> b"""
    weights: dict[str, dict[str, float]]
    """kind -> sign -> w"""
    follows: dict[str, dict[str, float]]
    """kind -> next kind -> ln (a / p), halved"""
    training: dict[str, Any] = Field(default_factory=dict)
    """What it was fitted to, and its agreement with labels it was not fitted to."""


@cache
def shipped() -> KindModel:
    """The weights that come with the package."""
    return KindModel.model_validate_json(files("tracer.analyses").joinpath("sentence_kinds.json").read_bytes())


def kinds(sentences: Sequence[str], model: KindModel | None = None) -> list[Kind]:
    """The likeliest kind of each sentence of one chain of thought, given whole and in order."""
    shares = probabilities(signs(sentences), model or shipped())
    return [Kind(KINDS[int(row.argmax())], float(row.max())) for row in shares]


def probabilities(rows: Array, model: KindModel) -> Array:
    """(n, signs) -> (n, 8), each row summing to 1."""
    weights = np.asarray([[model.weights[kind].get(name, 0.0) for name in SIGNS] for kind in KINDS])  # (8, signs)
    step = np.asarray([[model.follows[kind].get(after, 0.0) for after in KINDS] for kind in KINDS])  # (8, 8)
    scores = rows @ weights.T + np.asarray([model.intercepts[kind] for kind in KINDS])  # (n, 8)
    scores[:, KINDS.index("final_answer_emission")] += _BOXED * rows[:, list(SIGNS).index("boxes")]
    before, after = np.zeros_like(scores), np.zeros_like(scores)
    for i in range(1, len(scores)):
        before[i] = _log_sum((before[i - 1] + scores[i - 1])[:, None] + step, 0)
        after[-1 - i] = _log_sum(step + (after[-i] + scores[-i])[None, :], 1)
    joint = before + scores + after
    shares = np.exp(joint - joint.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _log_sum(values: Array, axis: int) -> Array:
    """Less a constant, so that a long chain stays finite: only differences between kinds count."""
    summed = np.logaddexp.reduce(values, axis=axis)
    return np.asarray(summed - summed.max())


def signs(sentences: Sequence[str]) -> Array:
    """(n, signs): each entry in [0, 1]."""
    view = _look(sentences)
    columns = [sign(view) for sign in SIGNS.values()]
    return np.column_stack(columns).astype(np.float64) if sentences else np.zeros((0, len(SIGNS)))


class _View(NamedTuple):
    """A chain of thought, looked at once."""

    found: Mapping[str, Array]
    """cue -> (n,) of 0 and 1"""
    lengths: Array
    """(n,) words"""
    known: Array
    """(n,) share of a sentence's words and numbers that stand in an earlier one"""
    told: Array
    """(n,) the same with the opening sentences only"""


def _look(sentences: Sequence[str]) -> _View:
    texts = [sentence[:LONGEST] for sentence in sentences]
    words = [[word.casefold() for word in _WORD.findall(text)] for text in texts]
    seen: set[str] = set()
    opening = {word for each in words[:_OPENING] for word in each}
    known, told = np.zeros(len(texts)), np.zeros(len(texts))
    for i, each in enumerate(words):
        known[i] = sum(word in seen for word in each) / max(1, len(each))
        told[i] = sum(word in opening for word in each) / max(1, len(each))
        seen.update(each)
    found = {name: np.asarray([float(bool(p.search(text))) for text in texts]) for name, p in _PATTERNS.items()}
    return _View(found, np.asarray([float(len(each)) for each in words]), known, told)


def _cue(name: str) -> Callable[[_View], Array]:
    return lambda view: view.found[name]


def _carried(name: str) -> Callable[[_View], Array]:
    return lambda view: np.concatenate([[0.0], view.found[name][:-1]])


def _remembered(name: str) -> Callable[[_View], Array]:
    """1 just after the cue, and less with every sentence."""

    def sign(view: _View) -> Array:
        made = np.zeros(len(view.lengths))
        for i in range(1, len(made)):
            made[i] = max(_MEMORY * made[i - 1], view.found[name][i - 1])
        return made

    return sign


def _place(view: _View) -> Array:
    return np.linspace(0.0, 1.0, len(view.lengths))


SIGNS: dict[str, Callable[[_View], npt.NDArray[Any]]] = {
    **{name: _cue(name) for name in CUES},
    **{f"after_{name}": _carried(name) for name in _CARRIED},
    "checks_lately": _remembered("checks"),
    "doubts_lately": _remembered("doubts"),
    "boxes_lately": _remembered("boxes"),
    "place": _place,
    "place_squared": lambda view: _place(view) ** 2,
    "opening": lambda view: np.arange(len(view.lengths)) < _OPENING,
    "closing": lambda view: np.arange(1, len(view.lengths) + 1) == len(view.lengths),
    "brief": lambda view: np.exp(-view.lengths / 6),
    "known": lambda view: view.known,
    "told": lambda view: view.told,
}
"""What the weights stand on, each as a function of the whole chain of thought."""

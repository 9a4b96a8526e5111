"""Fit the weights of `sentence_kinds` to published labels, and measure them on traces they were not fitted to.

A multinomial logit with a ridge of 1, fitted as a conditional logit whose candidates are the eight kinds. Agreement is
cross-validated leaving one trace out (`by_trace`), and leaving all traces of one problem out (`by_problem`). The ridge
and the weight of neighbours were chosen from a dozen settings by the same cross-validation of the same six traces, so
that the figures are a little rosy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tracer.analyses.logit import fit, stack
from tracer.analyses.published import Trace
from tracer.analyses.sentence_kinds import KINDS, SIGNS, KindModel, kinds, signs
from tracer.errors import BadInputError
from tracer.stats import bootstrap_mean

RIDGE = 1.0
SMOOTHING = 1.0
"""Added to each count of a kind, and of a kind after another."""
NEIGHBOURS = 0.5
"""The weight of what follows what."""


def train(traces: Sequence[Trace]) -> KindModel:
    """Fitted to all labels, with the cross-validated agreement in it."""
    if len({trace.problem for trace in traces}) < 2:
        raise BadInputError("labelled traces of at least two problems are needed to fit and to check")
    model = fit_model(traces)
    by_trace, by_problem = agreement(traces, lambda trace: trace.name), agreement(traces, lambda trace: trace.problem)
    labels = sum(trace.labelled for trace in traces)
    training = {"traces": len(traces), "labels": labels, "by_trace": by_trace, "by_problem": by_problem}
    return model.model_copy(update={"training": training})


def fit_model(traces: Sequence[Trace]) -> KindModel:
    """Weights and shares from all the given traces; a label that is none of the eight teaches nothing."""
    rows, chosen = [], []
    for trace in traces:
        seen = signs([sentence.text for sentence in trace.sentences])
        for row, sentence in zip(seen, trace.sentences, strict=True):
            if sentence.tag in KINDS:
                rows.append(np.kron(np.eye(len(KINDS)), [1.0, *row]))  # (8, 8 * (1 + signs)): a block for each kind
                chosen.append(KINDS.index(sentence.tag))
    if not rows:
        raise BadInputError(f"no sentence is labelled with one of {', '.join(KINDS)}")
    weights = fit(stack(rows, chosen), np.zeros(rows[0].shape[1], dtype=np.int_), RIDGE).reshape(len(KINDS), -1)
    return KindModel(
        intercepts={kind: round(float(w[0]), 3) for kind, w in zip(KINDS, weights, strict=True)},
        weights={
            kind: {name: round(float(v), 3) for name, v in zip(SIGNS, w[1:], strict=True)}
            for kind, w in zip(KINDS, weights, strict=True)
        },
        follows=_follows(traces),
    )


def _follows(traces: Sequence[Trace]) -> dict[str, dict[str, float]]:
    tags = [[sentence.tag for sentence in trace.sentences] for trace in traces]
    alone = Counter(tag for each in tags for tag in each if tag in KINDS)
    pairs = Counter(pair for each in tags for pair in pairwise(each))
    every = sum(alone.values()) + SMOOTHING * len(KINDS)
    made: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        total = sum(pairs[kind, after] for after in KINDS) + SMOOTHING * len(KINDS)
        lift = {a: (pairs[kind, a] + SMOOTHING) / total / ((alone[a] + SMOOTHING) / every) for a in KINDS}
        made[kind] = {after: round(NEIGHBOURS * float(np.log(value)), 3) for after, value in lift.items()}
    return made


def agreement(traces: Sequence[Trace], group: Callable[[Trace], str]) -> dict[str, Any]:
    """How often a held-out label is guessed, by groups of traces; beside it, the kind most frequent elsewhere.

    `accuracy` with a 95 % interval from a bootstrap over the groups, `kappa` (Cohen 1960: agreement beyond chance),
    `macro_f1`, and precision, recall and F1 of each kind; 0 for a kind that is never guessed or never the label.
    """
    true: list[str] = []
    guessed: list[str] = []
    usual: list[str] = []
    groups: list[str] = []
    for held in sorted({group(trace) for trace in traces}):
        model = fit_model(others := [trace for trace in traces if group(trace) != held])
        most = Counter(s.tag for trace in others for s in trace.sentences if s.tag in KINDS).most_common(1)[0][0]
        for trace in traces:
            if group(trace) == held:
                found = kinds([sentence.text for sentence in trace.sentences], model)
                kept = [(s.tag, kind.kind) for s, kind in zip(trace.sentences, found, strict=True) if s.tag in KINDS]
                true += [tag for tag, _ in kept]
                guessed += [kind for _, kind in kept]
                usual += [most] * len(kept)
                groups += [held] * len(kept)
    return _compared(true, guessed, usual, groups)


def _compared(
    true: Sequence[str], guessed: Sequence[str], usual: Sequence[str], groups: Sequence[str]
) -> dict[str, Any]:
    hits = [float(a == b) for a, b in zip(true, guessed, strict=True)]
    accuracy = bootstrap_mean(hits, groups)
    each = {kind: _one(kind, true, guessed) for kind in KINDS}
    return {
        "n": len(true),
        "groups": len(set(groups)),
        "accuracy": round(accuracy.value, 4),
        "low": round(accuracy.low, 4),
        "high": round(accuracy.high, 4),
        "kappa": round(kappa(true, guessed), 4),
        "macro_f1": round(float(np.mean([row["f1"] for row in each.values()])), 4),
        "majority": {
            "accuracy": round(float(np.mean([a == b for a, b in zip(true, usual, strict=True)])), 4),
            "kappa": round(kappa(true, usual), 4),
        },
        "kinds": each,
    }


def kappa(left: Sequence[str], right: Sequence[str]) -> float:
    """(observed - chance) / (1 - chance), chance from both sides' own shares; 0 where both always say the same."""
    n = len(left)
    a, b = Counter(left), Counter(right)
    chance = sum(a[kind] * b[kind] for kind in a) / n**2 if n else 1.0
    observed = sum(x == y for x, y in zip(left, right, strict=True)) / n if n else 1.0
    return (observed - chance) / (1 - chance) if chance < 1 else 0.0


def _one(kind: str, true: Sequence[str], guessed: Sequence[str]) -> dict[str, Any]:
    hits = sum(a == b == kind for a, b in zip(true, guessed, strict=True))
    there, said = true.count(kind), guessed.count(kind)
    return {
        "n": there,
        "precision": round(hits / said, 4) if said else 0.0,
        "recall": round(hits / there, 4) if there else 0.0,
        "f1": round(2 * hits / (there + said), 4) if there + said else 0.0,
    }

"""Published implementations of what `tracer cite` does, run end to end on a reading of ours: oracles for the tests.

    context_cite          PyPI `context-cite`: its prompts, draws, passes, aggregate and solver
    ablation, shapley     Captum's FeatureAblation and ShapleyValueSampling in its LLMAttribution; a source that is
                          taken out is the empty text

Both are given text, not tokens, and tokenize it anew without the sources that are taken out: `reads_the_same` tells
whether what they read is, token for token, what we read. Needs both packages; loaded by the fixture `published` only.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import FeatureAblation, LLMAttribution, ShapleyValueSampling, TextTemplateInput
from context_cite import ContextCiter
from context_cite.solver import LassoRegression
from context_cite.utils import aggregate_logit_probs
from sklearn.linear_model import Lasso

from tracer.analyses.reading import Reading

Array = npt.NDArray[np.float64]
PASS_THROUGH = "{{ messages[0]['content'] }}"
"""A chat template that adds nothing."""


class Sources:
    """What stands before a step's own words, with some sources cut out: a partitioner for `context-cite`."""

    def __init__(self, reading: Reading) -> None:
        text, own = reading.statement.text, reading.statement.own
        tokens = [reading.offsets[start:end] for start, end in reading.text.parts[: reading.count]]
        spans = [(each[0][0], each[-1][1]) for each in tokens]  # a sentence without the blank that is the next one's
        ends = [0, *(end for _, end in spans)]
        self.sources = [text[start:end] for start, end in spans]
        self.between = [text[end:start] for end, (start, _) in zip(ends, spans, strict=False)]
        self.num_sources = len(self.sources)
        self.context = self.joined(*self.sources)
        self.query = text[ends[-1] : own]

    def joined(self, *sources: str) -> str:
        """The text with these in the sources' places."""
        return "".join(part for pair in zip(self.between, sources, strict=True) for part in pair)

    def get_context(self, mask: Sequence[bool] | None = None) -> str:
        """The text with the sources that are kept."""
        kept = [True] * self.num_sources if mask is None else mask
        return self.joined(*(source if keep else "" for source, keep in zip(self.sources, kept, strict=True)))


def context_cite(reading: Reading, rows: int = 1) -> Any:
    """Their ContextCiter on the step of a reading, so many rows at a time; nothing is run yet."""
    sources, lm = Sources(reading), reading.lm
    lm.tokenizer.chat_template, lm.tokenizer.padding_side = PASS_THROUGH, "left"
    made = ContextCiter(
        lm.model,
        lm.tokenizer,
        sources.context,
        sources.query,
        batch_size=rows,
        prompt_template="{context}{query}",
        partitioner=sources,
    )
    made._cache["output"] = reading.statement.text  # the response is given, not generated
    return made


def weights(citer: Any, span: tuple[int, int] | None = None) -> Array:
    """Its attributions, of the whole response or of these characters of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.cuda.amp, on a machine without CUDA
        start, end = span or (None, None)
        return np.asarray(citer.get_attributions(start, end, as_dataframe=False, verbose=False), dtype=np.float64)


def exact_weights(citer: Any, span: tuple[int, int] | None = None) -> Array:
    """The same of the same outcomes, by a solver that goes on to the end."""
    citer.solver = ToTheEnd()
    return weights(citer, span)


class ToTheEnd(LassoRegression):  # type: ignore[misc]  # the package has no types
    """Their solver stops when the dual gap is 1e-4 of the outcome's square, in single precision."""

    def fit(self, masks: Any, outputs: Any, num_output_tokens: int) -> tuple[Array, float]:
        """As theirs."""
        x, y = masks.astype(np.float64), outputs.astype(np.float64) / num_output_tokens
        spread = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
        line = Lasso(alpha=self.lasso_alpha, tol=1e-14, max_iter=10**6).fit((x - x.mean(axis=0)) / spread, y)
        return line.coef_ / spread * num_output_tokens, float(line.intercept_) * num_output_tokens


def odds_together(citer: Any, kind: str = "logit_prob") -> Array:
    """Its outcome of each draw of sources: the log-odds of the whole response."""
    return np.asarray(aggregate_logit_probs(citer._logit_probs, kind), dtype=np.float64)


def reads_the_same(citer: Any, reading: Reading, kept: npt.NDArray[np.bool_]) -> bool:
    """Whether its prompt with these sources is, token for token, what is left of our text before the step's words."""
    left = np.ones(reading.text.told, dtype=np.bool_)
    for part, keep in zip(reading.text.parts, kept, strict=False):
        left[slice(*part)] &= keep
    prompt = [int(token) for token in reading.text.ids[: reading.text.told][left]]
    return bool(citer._get_prompt_ids(mask=kept) == prompt)


def captum(reading: Reading, method: type[Any], seed: int = 0, **options: Any) -> Array:
    """What a method of Captum's says of each source, in nats of log-probability of the step's own words.

    In one pass for each prompt, as is quickest; its default reads word by word.
    """
    sources = Sources(reading)
    text = TextTemplateInput(lambda *kept: sources.joined(*kept) + sources.query, sources.sources)
    torch.manual_seed(seed)
    found = LLMAttribution(method(reading.lm.model), reading.lm.tokenizer).attribute(
        text, target=torch.from_numpy(reading.text.ids[reading.text.told :]), forward_in_tokens=False, **options
    )
    return np.asarray(found.seq_attr.numpy(), dtype=np.float64)


def ablation(reading: Reading) -> Array:
    """ln p of the step without each source, less ln p with all: a pass for each and one for the whole."""
    return captum(reading, FeatureAblation)


def shapley(reading: Reading, samples: int = 25) -> Array:
    """Shapley values from so many random orders of the sources; Captum's default is 25."""
    return captum(reading, ShapleyValueSampling, n_samples=samples)

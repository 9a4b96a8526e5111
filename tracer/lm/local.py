"""Any Hugging Face causal LM, in this process, on the CPU or a GPU.

White-box analyses read `model` (a torch module in evaluation mode, without gradients) and `encode`; black-box ones call
`sample` and `logprobs`. Nothing is downloaded, only safetensors are read, and no code of a model's maker is run.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Self

from tracer.errors import DoesNotFitError, MissingExtraError, TracerError, UnknownTextError
from tracer.lm import Sample, Scored
from tracer.lm.memory import Batches, free_bytes, human, row_bytes, rows_that_fit
from tracer.lm.offsets import Encoded, dropped, tiled, untrimmed
from tracer.lm.sampling import Drawn, Row, Rules, continue_rows, key, require_sense
from tracer.lm.scoring import BLOCK, score

if TYPE_CHECKING:
    import torch

ROWS = {"cpu": 64, "cuda": 256}
"""Rows in a batch at most: beyond, the speed hardly grows, and the cache does."""
_TAIL = 16
"""So many tokens of the prompt are decoded with a continuation, because some decoders drop a text's first blank."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which a broken log may hold and no tokenizer reads; its replacement has the same length."""


class LocalLM:
    """A causal LM and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str, revision: str, max_unknown: float = 1.0) -> None:
        """Wrap a transformers model and its fast tokenizer; see `encode` for `max_unknown`."""
        if not getattr(tokenizer, "is_fast", False):
            raise MissingExtraError(f"{name} has no tokenizer.json, so no character offsets: take another --lm")
        if "past_key_values" not in inspect.signature(model.forward).parameters:
            raise MissingExtraError(f"{name} keeps no keys and values (a recurrent model?): take another --lm")
        self.name = name
        self.revision = revision
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.max_unknown = max_unknown
        self.batches = Batches(ROWS.get(self.device.type, ROWS["cpu"]))
        untrimmed(tokenizer.backend_tokenizer)

    @classmethod
    def load(cls, name: str, *, device: str | None = None, dtype: str | None = None, max_unknown: float = 1.0) -> Self:
        """Load a folder, or a model of the Hugging Face hub that is already on this machine.

        Without a device the first GPU is taken if there is one; without a dtype bfloat16 there, float32 on the CPU.
        """
        try:
            import torch  # noqa: F401
            import transformers  # noqa: F401
        except ImportError as error:
            raise MissingExtraError.for_extra("lm", "A local language model") from error
        from tracer.lm.checkpoint import find
        from tracer.lm.device import device_named, dtype_named
        from tracer.lm.weights import load_model, load_tokenizer

        checkpoint, place = find(str(name)), device_named(device)
        tokenizer = load_tokenizer(checkpoint)
        model = load_model(checkpoint, place, dtype_named(dtype, place))
        return cls(model, tokenizer, name=checkpoint.name, revision=checkpoint.revision, max_unknown=max_unknown)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.model.device
        return device

    @cached_property
    def context(self) -> int | None:
        """The longest text in tokens, or None where the model has no limit."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @cached_property
    def opening(self) -> list[int]:
        """The tokens that begin every text: a begin-of-text token, mostly."""
        read = self.tokenizer("a", return_special_tokens_mask=True)
        pairs = zip(read["input_ids"], read["special_tokens_mask"], strict=True)
        return [token for token, special in takewhile(lambda pair: pair[1] and pair[0] not in self.ends, pairs)]

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text; chat models have several."""
        found: set[int] = set()
        for holder in (self.model.generation_config, self.model.config.get_text_config(), self.tokenizer):
            value = getattr(holder, "eos_token_id", None)
            found.update([value] if isinstance(value, int) else value or [])
        return frozenset(found)

    def encode(self, text: str) -> Encoded:
        """Token ids and exact character offsets, the opening tokens included (once, where the text has them itself).

        A text of which more than `max_unknown` is unknown is refused: what a model says about it means nothing.
        """
        encoded, unknown = self._encode(text)
        if unknown > self.max_unknown:
            raise UnknownTextError(
                f"{self.name} does not know {unknown:.0%} of this text and cannot explain it: name another --lm MODEL"
            )
        return encoded

    def token_ends(self, text: str) -> list[int] | None:
        """Where each token of a text ends, in characters."""
        return [end for _, end in self.encode(text).offsets]

    def unknown_share(self, text: str) -> float:
        """Share of unknown tokens, words that the tokenizer drops included; 0 for an empty text."""
        return self._encode(text)[1]

    def _encode(self, text: str) -> tuple[Encoded, float]:
        text = _LONE_SURROGATE.sub("\ufffd", text)
        read = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ids, raw = list(read["input_ids"]), [tuple(each) for each in read["offset_mapping"]]
        lost = dropped(raw, text)
        unknown = lost + (0 if self.tokenizer.unk_token_id in self.ends else ids.count(self.tokenizer.unk_token_id))
        opening = [] if self.opening and ids[: len(self.opening)] == self.opening else self.opening
        offsets = [(0, 0)] * len(opening) + tiled(raw, len(text))
        return Encoded(opening + ids, offsets), unknown / max(1, len(ids) + lost)

    def require_room(self, tokens: int) -> None:
        """Refuse a text of so many tokens when the model cannot read it whole."""
        if self.context is not None and tokens > self.context:
            raise DoesNotFitError(
                f"the text has {tokens:,} tokens, {self.name} reads {self.context:,}: shorten it, or name another --lm"
            )

    def sample(
        self,
        prefix: str,
        n: int,
        *,
        max_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Sample]:
        """n continuations of the prefix, each cut at the context's end; the same for the same arguments.

        Temperature 0 takes the likeliest token each time. Of the model's own generation settings only the tokens that
        end a text are used: no penalties, no top-k. A larger n begins with the same samples.
        """
        return self.sample_each(
            [prefix], n, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed, stop=stop
        )[0]

    def sample_each(
        self,
        prefixes: Sequence[str],
        n: int,
        *,
        max_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[list[Sample]]:
        """`sample` for each of the prefixes, in common batches."""
        require_sense(n, max_tokens, temperature, top_p)
        different = min(n, 1) if temperature == 0 else n
        rows = [row for prefix in prefixes for row in self._rows(prefix, different, max_tokens, seed)]
        drawn = self.continue_rows(rows, Rules(temperature, top_p, self.ends, self._stops(stop)))
        samples = [self.as_sample(row, each.ids, stop) for row, each in zip(rows, drawn, strict=True)]
        copies = n // max(1, different)
        return [samples[k * different : (k + 1) * different] * copies for k in range(len(prefixes))]

    def _rows(self, prefix: str, n: int, max_tokens: int, seed: int) -> list[Row]:
        prompt = self.prompt(prefix)
        self.require_room(len(prompt) + 1)
        room = max_tokens if self.context is None else min(max_tokens, self.context - len(prompt))
        return [Row(prompt, key(seed, prefix, number), room) for number in range(n)]

    def prompt(self, text: str) -> tuple[int, ...]:
        """The ids of a text, at least one: a model without opening tokens starts an empty text from its end token."""
        if ids := self.encode(text).ids:
            return tuple(ids)
        if not self.ends:
            raise TracerError(f"{self.name} has no token to begin a text with: give it some text to go on from")
        return (min(self.ends),)

    def continue_rows(self, rows: Sequence[Row], rules: Rules) -> list[Drawn]:
        """What each row goes on with. Long prompts come first, so that those of a batch are padded little."""
        if not rows:
            return []
        order = sorted(range(len(rows)), key=lambda place: -len(rows[place].prompt))
        fit = self.fit(max(len(row.prompt) + row.max_tokens for row in rows), scored=1)
        found = self.batches.run(
            [rows[place] for place in order], lambda batch: continue_rows(self.model, batch, rules), fit
        )
        return [drawn for _, drawn in sorted(zip(order, found, strict=True))]

    def fit(self, length: int, *, scored: int, at_most: int | None = None) -> int:
        """Rows of `length` tokens, logits held for `scored` of them, that memory allows; refuses when not one fits."""
        config = self.model.config
        needed = row_bytes(config, length, self.model.dtype.itemsize, scored=scored)
        free = free_bytes(self.device)
        rows = rows_that_fit(needed, free, at_most or self.batches.rows)
        if rows == 0:
            raise DoesNotFitError(
                f"a text of {length:,} tokens takes about {human(needed)} and {human(free or 0)} are free "
                f"on {self.device}: take a shorter text, a smaller --lm, or --dtype bfloat16"
            )
        return rows

    def _stops(self, stop: Sequence[str]) -> Callable[[list[int]], bool]:
        """Whether the tokens drawn so far end in a stop string; as each has a byte or more, a few are looked at."""
        window = max((len(each.encode()) for each in stop), default=0) + 8

        def stops(drawn: list[int]) -> bool:
            text = self._text(drawn[-window:]) if stop else ""
            return any(each in text for each in stop)

        return stops

    def as_sample(self, row: Row, drawn: list[int], stop: Sequence[str] = ()) -> Sample:
        """The tokens that a row went on with, as text, cut before the first stop string."""
        ended = drawn[-1] in self.ends
        text = self._continuation(row.prompt, drawn[:-1] if ended else drawn)
        cut = min((at for each in stop if (at := text.find(each)) >= 0), default=None)
        return Sample(text[:cut], "stop" if ended or cut is not None else "length", len(drawn))

    def _continuation(self, prompt: Sequence[int], ids: Sequence[int]) -> str:
        """What the ids add to the prompt's text."""
        tail = list(prompt[-_TAIL:])
        return self._text([*tail, *ids])[len(self._text(tail)) :]

    def _text(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def logprobs(self, prefix: str, continuations: Sequence[str]) -> list[Scored]:
        """ln p(continuation | prefix) of each, in nats, token by token, at temperature 1.

        Prefix and continuation are encoded together, as a text is. Where a token crosses the border, or the prefix's
        last tokens change, all continuations are scored from the last border of tokens that they share: the values
        stay comparable with each other, and hold the same few characters of the prefix.
        """
        if not continuations:
            return []
        prompt = self.prompt(prefix)
        whole = [self.prompt(prefix + each) for each in continuations]
        self.require_room(max(map(len, whole)))
        shared = min(_common(prompt, ids) for ids in whole)
        context = prompt[:shared] or self.prompt("")
        rests = [ids[shared:] for ids in whole]
        longest = max(map(len, rests))
        fit = self.fit(len(context) + longest, scored=min(longest, BLOCK))
        found = self.batches.run(rests, lambda batch: score(self.model, context, batch), fit)
        return [Scored(text, sum(each), tuple(each)) for text, each in zip(continuations, found, strict=True)]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the longest common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))

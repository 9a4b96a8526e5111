"""A model behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, `transformers serve`.

What the server was not proven to do (`tracer.lm.capabilities`) is not asked of it: samples are then drawn one by one,
texts are cut here, and log-probabilities are refused. Nothing is sent but texts; addresses in a text are never fetched.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple, Self

from tracer.errors import DoesNotFitError
from tracer.lm import Sample, Scored
from tracer.lm.capabilities import Asker, guided
from tracer.lm.completions import TOP, Answer, Choice, Draw, answering, completion, parsed, samples, sane
from tracer.lm.endpoint_address import parse
from tracer.lm.endpoint_identity import fingerprint, listed
from tracer.lm.endpoint_pool import Pool
from tracer.lm.endpoint_reply import EndpointError
from tracer.lm.endpoint_settings import Settings, settings
from tracer.lm.sampling import key, require_sense
from tracer.text import clean

AT_ONCE = 16
"""Samples of one request at most, where the server draws several."""
_OPENING = 4
"""Tokens before a text, at most."""
_SEEDS = 1 << 31
"""Seeds are below: some servers take 32 bits with a sign."""


class Wanted(NamedTuple):
    """Continuations of one prefix that are drawn by one request."""

    prefix: str
    first: int
    """Number of the first one: seeds depend on it."""
    n: int


class Drawn(NamedTuple):
    """One of them."""

    wanted: Wanted
    number: int
    sample: Sample
    choice: Choice


class Endpoint:
    """One model at one or more servers."""

    def __init__(self, pool: Pool, model: str, window: int | None, revision: str) -> None:
        self.pool, self.model, self.window, self.revision = pool, model, window, revision
        self.name, self.where = model, f"{clean(model)} at {','.join(pool.urls)}"
        self.server = Asker(pool, model)
        self._echoed: dict[str, Choice] = {}

    @classmethod
    def open(cls, address: str, ways: Settings | None = None) -> Self:
        """Find the model of `URL`, `URL#MODEL` or `URL,URL#MODEL`; whatever is wrong with it is said at once."""
        found, ways = parse(address), settings() if ways is None else ways
        pool = Pool(found.urls, ways)
        try:
            model, window = listed(pool, found.model)
            return cls(pool, model, window, ways.revision or fingerprint(pool, model))
        except BaseException:
            pool.close()
            raise

    def close(self) -> None:
        """Let go of the servers."""
        self.pool.close()

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
        """n continuations of the prefix; where the server heeds seeds, the same for the same arguments."""
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
        """`sample` for each of the prefixes, side by side."""
        require_sense(n, max_tokens, temperature, top_p)
        draw = Draw(max_tokens, temperature, top_p, seed, tuple(stop))
        different = min(n, 1) if draw.temperature == 0 else n
        found: list[dict[int, Sample]] = [{} for _ in prefixes]
        places: dict[str, list[int]] = {}
        for place, prefix in enumerate(prefixes):
            places.setdefault(prefix, []).append(place)
        for each in self.draw([(prefix, k) for prefix in places for k in range(different)], draw):
            for place in places[each.wanted.prefix]:
                found[place][each.number] = each.sample
        copies = n // max(1, different)
        return [[each for _, each in sorted(one.items())] * copies for one in found]

    def draw(
        self, wanted: Iterable[tuple[str, int]], draw: Draw, logprobs: bool = False
    ) -> Generator[Drawn, None, None]:
        """Samples by prefix and number, each as it comes.

        Prefixes are asked for in the order of their texts, so that each finds in the server's prefix cache what it
        shares with those before it. A sample's seed depends on the seed, its prefix and its number.
        """
        if self.server.refuses("completions"):
            raise EndpointError(
                f"sampling needs a server that goes on with a text (/completions), and {self.where} does not "
                f"({self.server['completions'].found}): use vLLM, SGLang or `transformers serve`, or a model in this "
                "process: --lm FOLDER"
            )
        groups = list(self._groups(sorted(set(wanted)), draw))
        rooms = self._rooms({each.prefix for each in groups}, draw.max_tokens)
        sent = draw._replace(stop=draw.stop if draw.stop and self.server.has("stop") else ())
        more = self.server.extras | ({"logprobs": 1} if logprobs and self.server.has("logprobs") else {})
        requests = [
            completion(
                self.model,
                each.prefix,
                sent._replace(seed=_seed(draw.seed, each), max_tokens=rooms[each.prefix]),
                each.n,
                **more,
            )
            for each in groups
        ]
        for place, found in self.pool.ask_all(requests, self.concurrency):
            answer = self._parsed(found, groups[place].n)
            for k, (sample, choice) in enumerate(zip(samples(answer, draw), answer.choices, strict=True)):
                yield Drawn(groups[place], groups[place].first + k, sample, choice)

    def _groups(self, wanted: Sequence[tuple[str, int]], draw: Draw) -> Iterable[Wanted]:
        """One request for each sample or, where the server draws several, for so many that follow each other."""
        most = AT_ONCE if len(wanted) > 1 and draw.temperature > 0 and self.server.has("n") else 1
        group: Wanted | None = None
        for prefix, number in wanted:
            if group and group.prefix == prefix and group.first + group.n == number and group.n < most:
                group = group._replace(n=group.n + 1)
                continue
            if group:
                yield group
            group = Wanted(prefix, number, 1)
        if group:
            yield group

    def _rooms(self, prefixes: Iterable[str], max_tokens: int) -> dict[str, int]:
        """How many tokens may be drawn behind each prefix: fewer where the model's window ends."""
        rooms = dict.fromkeys(prefixes, max_tokens)
        window = self.window
        if window is None:
            return rooms
        # No token is shorter than a byte, so most prefixes need not be counted.
        near = sorted(each for each in rooms if len(sane(each).encode()) + _OPENING + max_tokens > window)
        for prefix, tokens in zip(near, self.tokens(near), strict=True):
            if tokens >= window:
                raise DoesNotFitError(
                    f"the text has {tokens:,} tokens, {self.where} reads {window:,}: shorten it, or name another --lm"
                )
            rooms[prefix] = min(max_tokens, window - tokens)
        return rooms

    @cached_property
    def concurrency(self) -> int | None:
        """Requests at a time: one where seeds hold only for those who are alone (`transformers serve`)."""
        return 1 if self.server.has("seeds") and not self.server.has("seeds_together") else None

    def _parsed(self, found: Mapping[str, Any], n: int) -> Answer:
        answer = parsed(found, self.where)
        if len(answer.choices) != n:
            raise EndpointError(
                f"{self.where} gives {len(answer.choices)} texts where {n} were asked for: run lm check"
            )
        return answer

    def tokens(self, prefixes: Sequence[str]) -> list[int]:
        """How many tokens each prefix has, as the server counts them; a fourth of its characters where it does not."""
        requests = [completion(self.model, each, Draw(1, 0.0)) for each in prefixes]
        found = {place: self._parsed(each, 1).prompt_tokens for place, each in self.pool.ask_all(requests)}
        return [found[k] or math.ceil(len(each) / 4) for k, each in enumerate(prefixes)]

    def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        n: int = 1,
        *,
        max_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Sample]:
        """n answers to the messages; the schema goes along only where the server was proven to heed one."""
        require_sense(n, max_tokens, temperature, top_p)
        more = self.server.extras | (guided(schema) if schema is not None and self.server.has("json") else {})
        most = AT_ONCE if n > 1 and self.server.has("chat_n") else 1
        said = "\n".join(each["content"] for each in messages)
        groups = [Wanted(said, first, min(most, n - first)) for first in range(0, n, most)]
        draw = Draw(max_tokens, temperature, top_p)
        requests = [
            answering(self.model, messages, draw._replace(seed=_seed(seed, each)), each.n, **more) for each in groups
        ]
        answers = dict(self.pool.ask_all(requests, self.concurrency))
        return [sample for k, each in enumerate(groups) for sample in samples(self._parsed(answers[k], each.n), draw)]

    def echo(self, texts: Sequence[str]) -> list[Choice]:
        """Each text with the log-probabilities of its own tokens; refused where the server gives none."""
        new = [each for each in dict.fromkeys(texts) if each not in self._echoed]
        for place, choice in self.echoes(new, TOP):
            self._echoed[new[place]] = choice
        return [self._echoed[each] for each in texts]

    def echoes(self, texts: Sequence[str], top: int = 1) -> Generator[tuple[int, Choice], None, None]:
        """(place, the same of that text), as they come, with so many alternatives of each token; nothing is kept."""
        lacking = self.server["echo"]
        if not lacking.has:
            raise EndpointError(
                f"log-probabilities of a text need a server that heeds echo with logprobs, and {self.where} does not "
                f"({lacking.found}): use vLLM or SGLang, or a model in this process: --lm FOLDER"
            )
        requests = [completion(self.model, each, Draw(1, 0.0), echo=True, logprobs=top) for each in texts]
        for place, found in self.pool.ask_all(requests):
            yield place, _own(self._parsed(found, 1), texts[place])

    def token_ends(self, text: str) -> list[int] | None:
        """Where each token of a text ends, in characters; None where the server does not tell, or not exactly."""
        if not self.server.has("echo"):
            return None
        tokens = self.echo([text])[0].tokens or ()
        for opening in range(_OPENING):
            if "".join(tokens[opening:]) == sane(text):
                return [0] * opening + list(accumulate(map(len, tokens[opening:])))
        return None

    def logprobs(self, prefix: str, continuations: Sequence[str]) -> list[Scored]:
        """ln p(continuation | prefix) of each, in nats, token by token, at temperature 1.

        Where a token crosses the border, all continuations are scored from the last border of tokens that they share
        with the prefix, as in `LocalLM.logprobs`. A text's first token has no probability, and counts nothing.
        """
        if not continuations:
            return []
        alone, *whole = self.echo([prefix, *(prefix + each for each in continuations)])
        shared = max(1, min(_common(alone.tokens or (), each.tokens or ()) for each in whole))
        rests = [(each.logprobs or ())[shared:] for each in whole]
        return [Scored(text, math.fsum(each), each) for text, each in zip(continuations, rests, strict=True)]


def _seed(seed: int, wanted: Wanted) -> int:
    """The seed of a request: other prefixes and other numbers have others."""
    prompt, number = key(seed, wanted.prefix, wanted.first)
    return int.from_bytes(hashlib.blake2b(f"{prompt} {number}".encode(), digest_size=8).digest(), "big") % _SEEDS


def _own(answer: Answer, text: str) -> Choice:
    """The choice without the one token that was drawn behind the text."""
    [choice] = answer.choices
    if choice.tokens is None or choice.logprobs is None:
        raise EndpointError("the server gave no log-probabilities this time: run lm check")
    size = answer.prompt_tokens if answer.prompt_tokens is not None else len(choice.tokens) - 1
    top = None if choice.top is None else choice.top[:size]
    return Choice(text, choice.finish, choice.tokens[:size], choice.logprobs[:size], top)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))

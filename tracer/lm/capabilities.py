"""What a server can do, each thing proven by asking for it: a status of 200 proves nothing.

`transformers serve` says 200 to `n`, `echo` and `logprobs`, and heeds none of them. So each probe asks for something
whose answer shows whether it was heeded: a stop string out of the very text that was just written, a JSON value that no
model would come up with.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tracer.errors import DoesNotFitError
from tracer.lm.completions import SAMPLING, TOP, Answer, Choice, Draw, answering, completion, parsed
from tracer.lm.endpoint_pool import Pool, Request
from tracer.lm.endpoint_reply import EndpointError, UnavailableError

PROMPT = "Some words in no order at all: river, seven, Kim, blue,"
"""What the probes go on with: something that can be continued in many ways."""
MESSAGES = ({"role": "user", "content": "Say some words in no order."},)
LENGTH = 16
"""Tokens of a probe's answer."""
TOGETHER = 4
"""Equal requests that are asked at the same time."""
_CODE = "zq-7314"
_SCHEMA = {
    "type": "object",
    "properties": {"code": {"type": "string", "enum": [_CODE]}},
    "required": ["code"],
    "additionalProperties": False,
}


class Capability(NamedTuple):
    """One thing that a server can do, or cannot."""

    name: str
    has: bool
    found: str
    """What was seen."""
    instead: str
    """What is done where it is lacking."""


class Asker:
    """One model at a pool of servers, and what its servers are known to heed."""

    def __init__(self, pool: Pool, model: str) -> None:
        self.pool, self.model = pool, model
        self._known: dict[str, Capability] = {}
        self._refused: set[str] = set()
        self.sampling = "plain"
        """The key of SAMPLING; the probe of `sampling` sets it."""

    def __getitem__(self, name: str) -> Capability:
        """What is known of a capability; asked for at first use."""
        if name not in self._known:
            probe = PROBES[name]
            refused = probe.needs in self._refused
            has, found = (False, f"needs {probe.needs}") if refused else self._asked(name, probe)
            self._known[name] = Capability(name, has, found, probe.instead)
        return self._known[name]

    def _asked(self, name: str, probe: Probe) -> Found:
        try:
            return probe.ask(self)
        except UnavailableError as error:
            if not error.internal:
                raise
            return False, str(error)
        except (EndpointError, DoesNotFitError) as error:
            self._refused.add(name)
            return False, f"needs {probe.needs}" if self._lacks_route(name, probe) else str(error)

    def _lacks_route(self, name: str, probe: Probe) -> bool:
        return probe.needs != name and self.refuses(probe.needs)

    def refuses(self, name: str) -> bool:
        """Whether the server says itself that it lacks it."""
        return not self[name].has and name in self._refused

    def has(self, name: str) -> bool:
        """Whether the server was proven to have it."""
        return self[name].has

    def all(self) -> list[Capability]:
        """Every capability, proven or not."""
        return [self[name] for name in PROBES]

    @property
    def extras(self) -> dict[str, Any]:
        """What is sent along with each request, so that all tokens are drawn from."""
        self["sampling"]
        return SAMPLING[self.sampling]

    def write(self, draw: Draw, n: int = 1, prompt: str = PROMPT, **more: Any) -> Answer:
        """One continuation, asked for once."""
        return self._once(completion(self.model, prompt, draw, n, **more))

    def say(self, draw: Draw, n: int = 1, **more: Any) -> Answer:
        """One reply, asked for once."""
        return self._once(answering(self.model, MESSAGES, draw, n, **more))

    def _once(self, request: Request) -> Answer:
        return parsed(self.pool.ask(request, tries=1), self.pool.urls[0] + request.path)


Found = tuple[bool, str]


class Probe(NamedTuple):
    """How a capability is proven, and what is done without it."""

    ask: Callable[[Asker], Found]
    instead: str
    needs: str = "completions"
    """The capability without which there is none of this."""


GREEDY = Draw(LENGTH, temperature=0.0)


def _drawn(seed: int) -> Draw:
    return Draw(LENGTH, seed=seed)


def _completions(asker: Asker) -> Found:
    [choice, *_] = asker.write(GREEDY).choices
    return bool(choice.text), "goes on with a text" if choice.text else "writes nothing"


def _chat(asker: Asker) -> Found:
    [choice, *_] = asker.say(GREEDY).choices
    return bool(choice.text), "answers messages" if choice.text else "answers with nothing"


def _greedy(asker: Asker) -> Found:
    texts = {asker.write(GREEDY._replace(seed=seed)).choices[0].text for seed in (1, 2)}
    same = len(texts) == 1
    return same, f"{'the same text' if same else 'two texts'} for two seeds at temperature 0"


def _sampling(asker: Asker) -> Found:
    """Two seeds give one text where only the likeliest token may be drawn, and two where all may."""
    refusals = []
    for name, extras in SAMPLING.items():
        try:
            narrow = _texts(asker, _narrowed(extras))
            wide = _texts(asker, extras)
        except (EndpointError, DoesNotFitError) as error:
            if isinstance(error, UnavailableError) and not error.internal:
                raise
            refusals.append(error)
            continue
        if len(wide) > 1 and (not extras or len(narrow) == 1):
            asker.sampling = name
            return bool(extras), "draws from all tokens" if extras else "draws, but a top_k of its own may apply"
    if len(refusals) == len(SAMPLING):
        raise refusals[-1]
    return False, "the same text for each seed at temperature 1: it takes the likeliest token"


def _texts(asker: Asker, extras: Mapping[str, Any]) -> set[str]:
    return {asker.write(_drawn(seed), **extras).choices[0].text for seed in (11, 12, 13)}


def _narrowed(extras: Mapping[str, Any]) -> dict[str, Any]:
    """The same with a top_k of 1."""
    told = dict(extras)
    if "top_k" in told:
        told["top_k"] = 1
    if "generation_config" in told:
        told["generation_config"] = json.dumps({**json.loads(told["generation_config"]), "top_k": 1})
    return told


def _seeds(asker: Asker) -> Found:
    one, again, other = (asker.write(_drawn(seed), **asker.extras).choices[0].text for seed in (21, 21, 22))
    if one != again:
        return False, "another text for the same seed"
    return one != other, "the same text for the same seed" if one != other else "the same text for every seed"


def _seeds_together(asker: Asker) -> Found:
    """Most of them suffice: rounding may differ with the batch, which is no harm."""
    seeds = range(31, 31 + TOGETHER)
    alone = [asker.write(_drawn(seed), **asker.extras).choices[0].text for seed in seeds]
    wanted = [completion(asker.model, PROMPT, _drawn(seed), **asker.extras) for seed in seeds]
    found = dict(asker.pool.ask_all(wanted, TOGETHER))
    same = sum(parsed(found[k], PROMPT).choices[0].text == alone[k] for k in range(TOGETHER))
    return same * 2 > TOGETHER, f"{same} of {TOGETHER} texts are the same when they are asked for together"


def _n(asker: Asker) -> Found:
    texts = [each.text for each in asker.write(_drawn(41), 2, **asker.extras).choices]
    if len(texts) == 2 and texts[0] == texts[1]:
        return False, "n=2 returns the same text twice"
    return len(texts) == 2, f"n=2 returns {len(texts)}"


def _chat_n(asker: Asker) -> Found:
    texts = [each.text for each in asker.say(_drawn(42), 2, **asker.extras).choices]
    if len(texts) == 2 and texts[0] == texts[1]:
        return False, "n=2 returns the same answer twice"
    return len(texts) == 2, f"n=2 returns {len(texts)}"


def _logprobs(asker: Asker) -> Found:
    [choice, *_] = asker.write(GREEDY, logprobs=1).choices
    scored = _scored(choice)
    return scored > 0, f"{scored} of the drawn tokens have a log-probability"


def _echo(asker: Asker) -> Found:
    [choice, *_] = asker.write(Draw(1, 0.0), echo=True, logprobs=TOP).choices
    if not choice.text.startswith(PROMPT):
        return False, "the text that is to be repeated is not"
    scored = _scored(choice)
    wide = min((len(each) for each in (choice.top or ())[1:]), default=0)
    return scored > 1, f"{scored} tokens of the text have a log-probability, with {wide} alternatives each"


def _scored(choice: Choice) -> int:
    return sum(not math.isnan(each) for each in choice.logprobs or ())


def _max_tokens(asker: Asker) -> Found:
    answer = asker.write(Draw(3, 0.0))
    if answer.completion_tokens is None:
        return False, "does not say how many tokens it drew"
    return answer.completion_tokens <= 3, f"{answer.completion_tokens} tokens where 3 were allowed"


def _stop(asker: Asker) -> Found:
    whole = asker.write(GREEDY).choices[0].text
    stop = whole[len(whole) // 2 :][:3]
    least = whole.find(stop) + len(stop)  # with the string itself, for some servers leave it on
    if not stop or least >= len(whole):
        return False, "wrote too little to stop at"
    text = asker.write(GREEDY._replace(stop=(stop,))).choices[0].text
    return len(text) <= least, f"{len(text)} of {len(whole)} characters"


def _json(asker: Asker) -> Found:
    text = asker.say(Draw(4 * LENGTH, 0.0), **guided(_SCHEMA)).choices[0].text
    try:
        held = json.loads(text) == {"code": _CODE}
    except (ValueError, RecursionError):
        held = False
    return held, "the answer has the form that was asked for" if held else "the answer has another form"


def guided(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What asks for an answer in the form of a JSON schema."""
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    }


PROBES: dict[str, Probe] = {
    "completions": Probe(_completions, "resampling needs it: start the server with a model that continues texts"),
    "chat": Probe(_chat, "the judge needs it: start the server with a model that has a chat template", "chat"),
    "greedy": Probe(_greedy, "the weights have no fingerprint: set TRACER_LM_REVISION"),
    "sampling": Probe(_sampling, "results say so; start vLLM with --generation-config vllm"),
    "seeds": Probe(_seeds, "samples are kept, but cannot be drawn again"),
    "seeds_together": Probe(_seeds_together, "where seeds are heeded alone, one request at a time"),
    "n": Probe(_n, "samples are drawn one by one"),
    "chat_n": Probe(_chat_n, "answers are asked for one by one", "chat"),
    "logprobs": Probe(_logprobs, "no log-probability is kept with a rollout"),
    "echo": Probe(_echo, "no exact chances, no `logprobs`: use a model in this process, --lm FOLDER"),
    "max_tokens": Probe(_max_tokens, "tokens are estimated from the text"),
    "stop": Probe(_stop, "texts are cut here, after they were written to their end"),
    "json": Probe(_json, "answers are parsed, and asked for again", "chat"),
}
"""Every capability, how it is proven, and what happens without it."""

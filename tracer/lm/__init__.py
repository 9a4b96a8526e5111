"""Language models: what an analysis may ask of one, and how to get one by name.

    pocket   the tiny model that is shipped with the package; it knows its own small world only
    local    any Hugging Face causal LM, in this process, on the CPU or a GPU
    endpoint one behind an OpenAI-compatible server: `URL`, `URL#MODEL`, or several servers, `URL,URL#MODEL`

This module is light; torch loads with the first model in this process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, overload

if TYPE_CHECKING:
    from tracer.lm.endpoint import Endpoint
    from tracer.lm.local import LocalLM

POCKET = "pocket"
"""The name of the shipped model, and the default everywhere."""


class Sample(NamedTuple):
    """One continuation of a prefix."""

    text: str
    """Without the end-of-text token, and cut before the stop string."""
    finish: Literal["stop", "length"]
    """`stop`: the model ended, or wrote a stop string; `length`: max_tokens or the model's context ran out."""
    tokens: int
    """How many tokens were drawn, the end-of-text token included."""


class Scored(NamedTuple):
    """How likely a continuation of a prefix is."""

    text: str
    logprob: float
    """Natural logarithm: the sum of `logprobs`."""
    logprobs: tuple[float, ...]
    """One for each token."""


class LM(Protocol):
    """What every model can do, wherever it runs."""

    name: str
    revision: str
    """Changes whenever the weights do."""

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
        """n continuations of the prefix; temperature 0 takes the likeliest token each time."""

    def logprobs(self, prefix: str, continuations: Sequence[str]) -> list[Scored]:
        """How likely each continuation of the prefix is, at temperature 1."""


class Chat(Protocol):
    """A model that answers messages."""

    name: str
    revision: str
    window: int | None
    """Tokens that the messages and the answer may take together; None where nobody said."""

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
        """n answers to the messages, each with a `role` and a `content`.

        `schema` is a JSON schema of the answer. It binds the model only where that was proven; so parse, and ask again.
        """


def require() -> None:
    """Say which extra to install where torch or transformers are missing."""
    from importlib.util import find_spec

    from tracer.errors import MissingExtraError

    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtraError.for_extra("lm", "A local language model")


@overload
def load(name: Literal["pocket"] = ..., *, device: str | None = None, dtype: str | None = None) -> LocalLM: ...
@overload
def load(name: str, *, device: str | None = None, dtype: str | None = None) -> LocalLM | Endpoint: ...
def load(name: str = POCKET, *, device: str | None = None, dtype: str | None = None) -> LocalLM | Endpoint:
    """The model of a name: `pocket`, a folder, a Hugging Face model that is already on this machine, or a server's."""
    from tracer.lm.endpoint_address import is_address

    if is_address(name):
        return load_served(name)
    require()
    from tracer.lm.local import LocalLM
    from tracer.lm.pocket import pocket

    return pocket(device=device, dtype=dtype) if name == POCKET else LocalLM.load(name, device=device, dtype=dtype)


def load_inside(name: str, purpose: str, *, device: str | None = None, dtype: str | None = None) -> LocalLM:
    """The same for a purpose that reads a model from inside, which no server lets one do."""
    from tracer.errors import MissingExtraError
    from tracer.lm.endpoint_address import is_address

    if is_address(name):
        raise MissingExtraError(
            f"{purpose} reads a model from inside, and a server shows only what it writes: name a model in this "
            "process (--lm FOLDER), or resample (tracer anchors --method resample)"
        )
    found: LocalLM = load(name, device=device, dtype=dtype)  # type: ignore[assignment]
    return found


def load_served(address: str) -> Endpoint:
    """The model of `URL`, `URL#MODEL` or `URL,URL#MODEL`."""
    from importlib.util import find_spec

    from tracer.errors import MissingExtraError

    if find_spec("httpx2") is None or find_spec("stamina") is None:
        raise MissingExtraError.for_extra("endpoint", "A model behind a server")
    from tracer.lm.endpoint import Endpoint

    return Endpoint.open(address)

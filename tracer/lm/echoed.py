"""Texts that a server repeats, with ln p of each token and where it stands: all that is read of a model from outside.

Such a server tells its tokens as texts, and no ids. Its -ln p is the logarithm of a float32 sum, which is 1 where a
token is certain, and the next such number is 1 + PRECISION. So what is likelier than 1 - PRECISION is not told apart,
and is taken for just that.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.lm.completions import Choice, sane
from tracer.lm.endpoint_reply import EndpointError
from tracer.lm.offsets import Offset, aligned

if TYPE_CHECKING:
    from tracer.lm.endpoint import Endpoint

PRECISION = 2.0**-23
_OPENING = 4
"""Tokens before a text, at most."""


class Read(NamedTuple):
    """A text as the server reads it."""

    offsets: list[Offset]
    """[start, end) of each token in the text; those before the text are empty."""
    logprobs: npt.NDArray[np.float64]
    """(T,) ln p of each token given all before it, in nats; 0 for the first one, which has none."""


class Echoed:
    """A model behind a server that heeds echo with logprobs."""

    max_unknown = 1.0
    """It knows any text, as far as one can tell."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.name, self.revision = endpoint, endpoint.name, endpoint.revision

    def read(self, text: str) -> Read:
        """One text."""
        [(_, found)] = self.read_all([text])
        return found

    def read_all(self, texts: Sequence[str]) -> Generator[tuple[int, Read], None, None]:
        """(place, what was read) of each text, as they come."""
        for place, choice in self.endpoint.echoes(texts):
            yield place, self._read(choice, sane(texts[place]))

    def _read(self, choice: Choice, text: str) -> Read:
        tokens, values = choice.tokens or (), choice.logprobs or ()
        for opening in range(min(_OPENING, len(tokens)) + 1):
            offsets = aligned(tokens[opening:], text)
            rest = values[max(1, opening) :]
            if offsets is not None and not any(map(math.isnan, rest)):
                known = [0.0] * (len(values) - len(rest)) + [min(each, -PRECISION) for each in rest]
                return Read([(0, 0)] * opening + offsets, np.array(known))
        raise EndpointError(
            f"{self.endpoint.where} repeats a text in tokens that do not make it up, so no word of it can be found: "
            "use vLLM or SGLang, or a model in this process: --lm FOLDER"
        )

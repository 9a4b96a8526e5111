"""The model that is shipped with the package.

It knows the vocabulary of its own small world and nothing else, so it explains texts of that world only, and refuses
others rather than pass for a judge of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracer.errors import MissingExtraError
from tracer.lm import POCKET

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

FOLDER = Path(__file__).parent.parent / "data" / "pocket"
"""The ground does not import the data room; it only knows where the weights stand."""
MAX_UNKNOWN = 0.01
"""Above this share of unknown tokens a text is not of the model's world."""


def pocket(*, device: str | None = None, dtype: str | None = None, folder: Path = FOLDER) -> LocalLM:
    """The shipped model. It is so small that the CPU is as fast as a GPU, and exact."""
    from tracer.lm.local import LocalLM

    if not folder.is_dir():
        raise MissingExtraError(
            "the pocket model is not in this installation: reinstall it, or name another with --lm MODEL"
        )
    found = LocalLM.load(str(folder), device=device or "cpu", dtype=dtype, max_unknown=MAX_UNKNOWN)
    found.name = POCKET
    return found

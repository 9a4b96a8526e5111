"""A log inside a prompt: fenced, so that it cannot pass for the prompt, and escaped, so that no mark in it acts.

Every line of a prompt that is ours begins with `<<MARK `, and nothing of the log does: the mark is the SHA-256 of the
whole material with a seed, cut to 16 hex digits, and drawn anew while it occurs in it. A log that holds its own mark
would have to be a fixed point of the hash, and even that is looked for. The same material gives the same mark, so that
a question asked twice is the same question, and prompts that share their beginning share a server's cache.

Escaped are control and reordering characters, which may hide words from a person who reads the prompt, halves of
characters, and the marks of chat templates, which a server's tokenizer would take for the border between two speakers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from tracer.text import one_line

DIGITS = 16
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_TEMPLATE = re.compile(
    r"<(?=[|｜])"  # <|im_start|>, <｜User｜>
    r"|[|｜](?=>)"
    r"|<(?=/?(?:s|bos|eos|pad|unk|think|tool_call|tool_response|start_of_turn|end_of_turn|start_of_image)>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
    r"|<(?=</?SYS>>)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")


def mark(texts: Iterable[str], seed: int = 0) -> str:
    """The mark of a prompt over all log texts that go into it, hex digits that stand in none of them."""
    held = "\n".join(text.casefold() for text in texts)
    digest = hashlib.sha256(f"{seed} {held}".encode("utf-8", "surrogatepass"))
    while digest.hexdigest()[:DIGITS] in held:
        digest.update(b"again")
    return digest.hexdigest()[:DIGITS]


def line(fence: str, words: str) -> str:
    """A line of ours."""
    return f"<<{fence} {words}>>"


def escaped(text: str) -> str:
    """The text with nothing in it that acts or hides: U+202E as `\\u{202e}`, a template's `<|end|>` as `<\\|end|\\>`.

    The backslash stands inside, for tokenizers look for the mark anywhere in a text.
    """
    text = _HIDDEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text.replace("\r\n", "\n"))
    return _TEMPLATE.sub(lambda found: f"{found[0]}\\", text)


def name(text: str) -> str:
    """An agent's name or a kind, short enough for a line of ours, and unable to end it."""
    return escaped(one_line(text, 60)).replace("<<", "< <").replace(">>", "> >") or "(unnamed)"


def spaced(text: str) -> str:
    """White space collapsed: what two texts must have in common to be the same words."""
    return _SPACE.sub(" ", text).strip()


def stands(quote: str, text: str) -> bool:
    """Whether a quotation stands word for word in a text; both may be escaped, and white space is no difference."""
    wanted = spaced(escaped(quote)), spaced(quote)
    shown = spaced(escaped(text))
    return bool(wanted[1]) and (wanted[0] in shown or wanted[1] in shown)

"""The words of the pocket world: every text of it is a string of these tokens, and nothing else is.

A token is a whole word with the space before it, so that joining the tokens gives the text back. A name before a
colon (" Kim:") is one token, unlike " Kim" alone: the subject of a fact can then be told from its operands at once,
which a small model learns to look up in a minute instead of an hour.
"""

from __future__ import annotations

from typing import Any

NAMES = ("Ana", "Ben", "Cal", "Dan", "Eva", "Fay", "Hal", "Ivy", "Jon", "Kim", "Leo", "Mia")
RESEARCHERS = ("North", "South", "East", "West")
AGENTS = ("Planner", *RESEARCHERS, "Solver", "Checker", "Reporter")
TOOLS = ("Files", "Calc")
SPEAKERS = (*AGENTS, *TOOLS, "User", "Notes")
STEPS = tuple(f"{sign}{size}" for sign in "+-" for size in range(1, 10))
"""What a fact may add to its operand, or take away."""
LARGEST = 40
"""Numbers run from 0 to here; each is one token."""

PAD, UNKNOWN, END = "<pad>", "<unk>", "<eos>"
_MARKS = ("\n", "Q:", "\\boxed{", " \\boxed{", "}", "<think>", " <think>", " </think>", ".", ",", "?", " =")
_WORDS = (
    "What is We need plus They say Again Wait check That was wrong right only a rumor So far Hmm Okay Let me think "
    "to Look up Nothing Error Try again All facts are here Here Fine"
)

_PATTERN = r"\n|Q:| ?\\boxed\{| ?</?think>| ?[A-Z][a-z]+:| ?[A-Za-z]+| ?[+-]?[0-9]+| ?[^\sA-Za-z0-9]|\s"


def vocabulary() -> list[str]:
    """Every token; the place of a token is its id, so new ones may only be added at the end."""
    named = [f" {name}{colon}" for colon in ("", ":") for name in NAMES]
    spoken = [f"{name}:" for name in SPEAKERS] + [f" {name}{colon}" for colon in ("", ":") for name in SPEAKERS]
    numbers = [f" {number}" for number in range(LARGEST + 1)]
    words = [f" {word}" for word in _WORDS.split()]
    return [PAD, UNKNOWN, END, *_MARKS, *named, *(f" {step}" for step in STEPS), *numbers, *words, *spoken]


def tokenizer_json() -> dict[str, Any]:
    """The tokenizer as the contents of a `tokenizer.json`: split by a pattern, look words up, join without spaces."""
    special = [
        {"id": place, "content": token, "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for place, token in enumerate((PAD, UNKNOWN, END))
    ]
    split = {"type": "Split", "pattern": {"Regex": _PATTERN}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": split,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": {token: place for place, token in enumerate(vocabulary())},
            "unk_token": UNKNOWN,
        },
    }

"""How a tool call ended, and which rule said so. Most of blame's accuracy starts here.

Logs state errors in many ways and often not at all, so the rules go from what is stated to what is guessed, and the
first that fires wins: an explicit status, an error flag, an error type, an exit code, then the text itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tracer.records import ToolStatus


class ToolOutcome(NamedTuple):
    """The end of a tool call."""

    status: ToolStatus
    rule: str


_EXIT_CODE = re.compile(
    r"\A\s*(?:<returncode>\s*|"
    r"(?:[^\n]{0,40}\bexited with (?:unix )?)?(?:exit[ _]?code|returncode|exit status)\s*[:=]?\s*|"
    r"process exited with (?:code )?)(-?\d{1,4})\b",
    re.IGNORECASE,
)
_ERROR_HEAD = re.compile(
    r"\A\W{0,4}(?:error\b|exception\b|unknown language\b|traceback \(most recent call last\)|"
    r"fatal\b|failed\b|failure\b|[A-Z]\w{2,40}(?:Error|Exception)\b\s*[:(]|unable to\b|could not\b|cannot\b|"
    r"permission denied|(?:http )?(?:status )?[45]\d\d\b\s*"
    r"(?:error|not found|forbidden|unauthori[sz]ed|bad request|internal server|too many)|"
    r"[^\n]{0,60}: (?:command not found|no such file or directory)|"
    r"(?:tool|command|request) (?:failed|not found|timed out))",
    re.IGNORECASE,
)
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):", re.MULTILINE)
_CRASH = re.compile(
    r"^(?:error|exception|unhandled)\b[^\n]{0,120}\nTraceback \(most recent call last\):", re.IGNORECASE | re.MULTILINE
)
_NAMED_ERROR = re.compile(r"^(?:[\w.]+\.)?[A-Z]\w{1,40}(?:Error|Exception)(?::|$)", re.MULTILINE)
_NOT_FOUND_PAGE = re.compile(
    r"\b(?:(?:error|http) [45]0[0-9]|40[34] (?:client error|not found|forbidden)|50[0-9] server error|"
    r"file not found|page not found|access denied|failed to (?:fetch|load|open|read|retrieve|download|execute)|"
    r"rate limit(?:ed| exceeded)|connection (?:refused|timed out|error))\b",
    re.IGNORECASE,
)
_EMPTY_VALUE = re.compile(
    r"\A\s*(?:none|null|nan|n/?a|undefined|\[\s*\]|\{\s*\}|\(\s*\)|\"\"|''|set\(\)|"
    r"no (?:results?|matches|output|data|records|rows|items|entries)(?: (?:were )?(?:found|returned|available))?[.!]?|"
    r"nothing(?: (?:was )?found)?[.!]?|not found[.!]?|0 (?:results?|matches|rows|records)[.!]?|empty dataframe\b.*|"
    r"\(?no (?:console )?output\)?[.!]?)\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_NO_RESULTS = re.compile(
    r"\b(?:no (?:search )?results? (?:were )?found|no matching (?:results?|records?|rows?|items?|flights?)|"
    r"no (?:such )?\w+ found|did not (?:return|find|match) any|returned no (?:results?|data)|couldn't find any)\b",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(r"\A[^\n]{0,160}(?:\bnot found\b[^\n]{0,40}|:\s*(?:none|null|nan|n/a)?)\s*\Z", re.IGNORECASE)
_HEAD = 4_000
"""An error notice stands at an end of the text: only this much of the head and of the tail is searched."""
_SHORT = 2_000
"""A longer text is a page or a file; that it *talks* about errors does not make it one."""


def tool_outcome(
    content: str,
    *,
    status: str | None = None,
    is_error: bool | None = None,
    error_type: str | None = None,
    exit_code: int | None = None,
) -> ToolOutcome:
    """Decide how a call ended from what the log states, then from the text.

    A stated success still yields `empty` for an empty text: the tool ran, and brought nothing.
    """
    stated = _stated(status, is_error, error_type, exit_code)
    if stated is not None and stated.status == "error":
        return stated
    guessed = from_text(content)
    if stated is None:
        return guessed
    return guessed if guessed.status == "empty" else stated


def _stated(
    status: str | None, is_error: bool | None, error_type: str | None, exit_code: int | None
) -> ToolOutcome | None:
    """What the log's own fields say, or None."""
    if status is not None and status.lower() in {
        "error",
        "failed",
        "failure",
        "status_code_error",
        "timeout",
        "cancelled",
    }:
        return ToolOutcome("error", f"status: {status.lower()}")
    if is_error:
        return ToolOutcome("error", "is_error")
    if error_type:
        return ToolOutcome("error", f"error.type: {error_type}")
    if exit_code is not None:
        return ToolOutcome("ok" if exit_code == 0 else "error", f"exit code {exit_code}")
    if is_error is False:
        return ToolOutcome("ok", "is_error")
    if status is not None and status.lower() in {"ok", "success", "succeeded", "completed", "status_code_ok"}:
        return ToolOutcome("ok", f"status: {status.lower()}")
    return None


def from_text(content: str) -> ToolOutcome:
    """The text heuristics alone; "ok" with rule "text" means only that nothing spoke against it."""
    head = content[:_HEAD]
    if not content.strip():
        return ToolOutcome("empty", "text: blank")
    if found := _EXIT_CODE.search(head):
        return _after_exit_code(int(found[1]), content[found.end() :])
    if _reports_traceback(content):
        return ToolOutcome("error", "text: traceback")
    if _ERROR_HEAD.search(head):
        return ToolOutcome("error", "text: starts as an error")
    if len(content) <= _SHORT and _NAMED_ERROR.search(content):
        return ToolOutcome("error", "text: names an exception")
    if len(content) <= 600 and _NOT_FOUND_PAGE.search(content):
        return ToolOutcome("error", "text: short and names a failure")
    if _EMPTY_VALUE.search(content):
        return ToolOutcome("empty", "text: an empty value")
    if len(content) <= 600 and (_NO_RESULTS.search(content) or _NO_VALUE.search(content)):
        return ToolOutcome("empty", "text: nothing found")
    return ToolOutcome("ok", "text")


def _reports_traceback(content: str) -> bool:
    """A traceback that is the result, or that a runtime appended to it; not one quoted on a long page."""
    if len(content) <= _SHORT or content.lstrip().startswith("Traceback"):
        return bool(_TRACEBACK.search(content))
    return bool(_CRASH.search(content))


_OUTPUT_LABEL = re.compile(r"\A[^\n]{0,40}\n?\s*(?:code output|(?:its )?output(?: was)?|stdout)\s*:", re.IGNORECASE)


_WRAPPER = re.compile(r"</?(?:returncode|output|stdout)>", re.IGNORECASE)


def _after_exit_code(code: int, rest: str) -> ToolOutcome:
    """An exit code decides about errors; exit 0 with nothing behind it is empty, and a printed error is an error."""
    if code != 0:
        return ToolOutcome("error", f"text: exit code {code}")
    label = _OUTPUT_LABEL.search(rest)
    output = rest[label.end() :] if label else rest
    output = _WRAPPER.sub("", output).strip()
    if not output or _EMPTY_VALUE.search(output):
        return ToolOutcome("empty", "text: exit code 0 without output")
    if len(output) <= 2_000 and (_ERROR_HEAD.search(output) or _NOT_FOUND_PAGE.search(output)):
        return ToolOutcome("error", "text: exit code 0, but the output reports an error")
    if len(output) <= 2_000 and (_NO_RESULTS.search(output) or _NO_VALUE.search(output)):
        return ToolOutcome("empty", "text: exit code 0, nothing found")
    return ToolOutcome("ok", "text: exit code 0")

"""One HTML file that opens from disk, loads nothing and runs nothing but its own script.

Every word of a log is hostile here: it enters the page as deflated JSON only, the script sets nothing but text nodes,
and a content security policy with the hashes of our one style and one script forbids all else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import tracer

STYLES: Final = ("style.css", "board.css", "anchors.css", "tables.css")
SCRIPTS: Final = (
    "dom.js", "evidence.js", "places.js", "drawing.js", "rows.js", "minimap.js", "board.js", "summary.js", "anchors.js",
    "sentences.js", "strip.js", "matrix.js", "agreement.js", "list.js", "compare.js", "main.js",
)  # fmt: skip
"""In this order; they share one scope."""
LEVEL: Final = 6
"""Of deflation: 9 takes three times as long for one percent."""


def page(title: str, contents: Mapping[str, Any], runs: Iterable[Mapping[str, Any]], **words: Any) -> str:
    """The page: `contents` is read at once, each of `runs` is inflated when it is opened.

    `words` go to the template, which shows them while the script starts, or where scripts are off.
    """
    held = list(runs)
    style = "\n".join(_template(name) for name in STYLES)
    body = "\n".join(_template(name) for name in SCRIPTS)
    script = f'(async () => {{\n"use strict";\n{body}}})();'
    return (
        _environment()
        .from_string(_template("template.html"))
        .render(
            title=title,
            data={
                "contents": {**contents, "ids": [run["id"] for run in held], "about": _about()},
                "runs": [deflated(run) for run in held],
            },
            style=Markup(style),  # noqa: S704 (our own files)
            script=Markup(script),  # noqa: S704 (our own files)
            policy=_policy(style, script),
            **words,
        )
    )


def deflated(value: Mapping[str, Any]) -> str:
    """JSON, deflated, in base64. Lone halves of characters, which UTF-8 cannot hold, stay escaped."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), LEVEL)).decode()


def _about() -> dict[str, str]:
    return {"version": tracer.__version__, "date": datetime.now(UTC).date().isoformat()}


def _template(name: str) -> str:
    return (files("tracer.viz") / "templates" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    return environment


def _policy(style: str, script: str) -> str:
    """Nothing may load or run except the one style and the one script whose hashes stand here."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

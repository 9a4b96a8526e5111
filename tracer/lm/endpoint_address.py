"""Where a model behind a server is: `URL`, `URL#MODEL`, or several servers of one model, `URL,URL#MODEL`."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from tracer.errors import TracerError
from tracer.text import clean

SCHEMES = ("http://", "https://")
ROUTES = ("/chat/completions", "/completions", "/models")
"""What is asked for behind a base URL; an address that was copied with one of them is taken without it."""
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Address(NamedTuple):
    """One model, and the servers that have it."""

    urls: tuple[str, ...]
    """Base URLs without a slash at the end; where only a host was given, with its /v1."""
    model: str | None
    """None: the only one that the servers list."""


def is_address(name: str) -> bool:
    """Whether a model's name is that of a server."""
    return name.lower().startswith(SCHEMES)


def parse(name: str) -> Address:
    """Take `URL,URL#MODEL` apart; what cannot be an address, or holds a secret, is refused."""
    where, _, model = name.partition("#")
    return Address(
        tuple(dict.fromkeys(_base(each.strip()) for each in where.split(",") if each.strip())), model or None
    )


def is_local(url: str) -> bool:
    """Whether a server is on this machine."""
    return urlsplit(url).hostname in LOCAL


def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError as error:
        raise TracerError(f"{clean(url)} is no address ({error}): give one such as http://host:8000/v1") from error
    if parts.username is not None or parts.password is not None:
        raise TracerError("the address of a server holds no user or password: put the key into TRACER_API_KEY")
    if not is_address(url) or not host or parts.query:
        raise TracerError(f"{clean(url)} is no address of a server: give one such as http://host:8000/v1")
    path = parts.path.rstrip("/")
    for route in ROUTES:
        path = path.removesuffix(route)
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"

"""Who may post: this machine, or whoever knows the token.

A web page that a user happens to visit can reach a port on loopback, by its own name made to point there (DNS
rebinding). Such a request names a foreign host, or has an Origin; a telemetry client has neither.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from typing import NamedTuple

from tracer.errors import TracerError


class Refusal(NamedTuple):
    """An HTTP status and a line that says why."""

    code: int
    message: str


class Guard(NamedTuple):
    """What a request must show."""

    host: str
    token: str | None

    def refusal(self, headers: Mapping[str, str]) -> Refusal | None:
        """Why a request with these headers is turned away, or None."""
        if "origin" in headers:
            return Refusal(403, "requests of web pages are refused")
        if self.token is not None:
            given = headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
                return Refusal(401, "the header 'Authorization: Bearer TOKEN' is missing or wrong")
        elif not self._is_ours(_name(headers.get("host", ""))):
            return Refusal(403, "the Host header names another machine")
        return None

    def _is_ours(self, name: str) -> bool:
        return is_loopback(name) or name == self.host


def make_guard(host: str, token: str | None) -> Guard:
    """The guard of a receiver that listens on `host`; off loopback it must have a token."""
    if token is not None and not token.strip():
        raise TracerError("the token is empty: give one that nobody can guess")
    if token is None and not is_loopback(host):
        raise TracerError(
            f"{host} can be reached from other machines: give --token TOKEN (or TRACER_TOKEN), or listen on 127.0.0.1"
        )
    return Guard(host, token)


def is_loopback(host: str) -> bool:
    """Does the name or address lead to this machine only?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(host: str) -> str:
    """A Host header without its port, and an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]

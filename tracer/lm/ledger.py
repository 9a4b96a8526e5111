"""The ledger: every rollout that was ever drawn, kept from the moment it is drawn, so that none is drawn twice.

A rollout is known by all that its draw depends on: the digest of its prefix, the model's revision, the sampling
parameters, the seed, and its number; not by the batch it was in, nor by the model's name, which is for people. It goes
into this process's journal at once and, when a run ends or the next one starts, from there into the table `rollouts`,
in one transaction. A rollout that both hold (the process died between the transaction and the journal's removal, or two
processes drew the same one) counts once: what the table holds stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tracer import rows
from tracer.database import WAIT, Database, connect
from tracer.errors import BusyDatabaseError, DatabaseError, TracerError
from tracer.files import write_whole
from tracer.lm.journal import Journal, journals, leftovers, lines
from tracer.lm.rollouts import Request, Rollout, Sampling, digest

KEY = ("prefix", "revision", "temperature", "top_p", "max_tokens", "seed", "sample")
"""The columns that make a rollout the one it is."""
_TYPES: dict[str, type] = {
    "prefix": str,
    "model": str,
    "revision": str,
    "temperature": float,
    "top_p": float,
    "max_tokens": int,
    "seed": int,
    "sample": int,
    "text": str,
    "finish": str,
    "tokens": int,
    "logprob": float,
}
"""The fields of a journal's entry."""
_BATCH = 16 << 20
"""Characters that go into the database at once, a row's other columns taken as so many:"""
_ROW = 256
_FULL = 64 << 20
"""Bytes of journal that are merged before the run ends, so that no merge takes the database for long."""
_MAX_INT = 1 << 63


class Ledger:
    """The rollouts of one model and one way to sample; for one thread. Use it in a `with` block.

    The database is held only while it is read or written, so that a sweep of hours locks nobody out.
    """

    def __init__(self, database: Path, model: str, revision: str, sampling: Sampling, wait: float = WAIT) -> None:
        """See `open`."""
        self.database = database
        self.notes: list[str] = []
        """What the user should be told, in words: damaged entries that were set aside, a database that was busy."""
        self._source: dict[str, Any] = {
            "model": rows.sane(model),
            "revision": revision,
            "temperature": float(sampling.temperature),
            "top_p": float(sampling.top_p),
            "max_tokens": int(sampling.max_tokens),
            "seed": int(sampling.seed),
        }
        self._wait = wait
        self._journal = Journal(database)
        self._found: dict[str, dict[int, Rollout]] = {}
        self._asked: set[str] = set()
        """Prefixes whose rows of the database are in `_found`, beside the journals' entries."""

    @classmethod
    def open(cls, database: Path, model: str, revision: str, sampling: Sampling, *, wait: float = WAIT) -> Self:
        """Take in what earlier runs left behind; a database that does not exist is made.

        Whatever is wrong with the database is told here, before anything is drawn; another process that holds it is
        waited for, here and later, for `wait` seconds. Entries of a process that is still drawing count as held as far
        as it has come.
        """
        if not max(abs(sampling.seed), sampling.max_tokens) < _MAX_INT:
            raise TracerError("the seed and the most tokens must each be below 2^63: take smaller ones")
        ledger = cls(database.resolve(), model, revision, sampling, wait)
        ledger.merge()
        for path in journals(ledger.database):
            for entry in _entries(path, damaged=[]):
                ledger._take(entry)
        return ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Merge, if all went well and the database is free; if not, the next run does."""
        self._journal.close()
        if kind is None:
            try:
                self.merge()
            except BusyDatabaseError as busy:
                self.notes.append(f"{busy}; the new rollouts wait beside it for the next run")

    def held(self, prefix: str) -> dict[int, Rollout]:
        """The rollouts of a prefix, given by its digest, by their numbers, in order."""
        self.fetch([prefix])
        return dict(sorted(self._found.get(prefix, {}).items()))

    def holds(self, prefix: str, sample: int) -> bool:
        """Whether the rollout of a prefix, given by its digest, that has this number is there."""
        self.fetch([prefix])
        return sample in self._found.get(prefix, {})

    def fetch(self, prefixes: Iterable[str]) -> None:
        """Read the rollouts of many prefixes at once; `held` then has them at hand."""
        new = sorted(set(prefixes) - self._asked)
        if new and self.database.exists():
            with closing(connect(self.database, read_only=True, wait=self._wait)) as connection:
                for entry in self._stored(Database(connection, None), new):
                    self._take(entry)
        self._asked.update(new)

    def _stored(self, database: Database, prefixes: list[str]) -> Iterator[dict[str, Any]]:
        """The database's rows of these prefixes, as entries."""
        where = [name for name in KEY if name not in {"prefix", "sample"}]
        query = f"""SELECT prefix, sample, text, finish, tokens, logprob, raw FROM rollouts
            WHERE prefix IN (SELECT unnest(?::VARCHAR[])) AND {" AND ".join(f"{name} = ?" for name in where)}"""  # noqa: S608
        for *cells, raw in database.all(query, [prefixes, *(self._source[name] for name in where)]):
            entry = dict(zip(Rollout._fields, cells, strict=True)) | self._source
            yield entry if raw is None else entry | {"text": raw.decode("utf-8", "surrogatepass")}

    def _take(self, entry: Mapping[str, Any]) -> None:
        """Hold an entry, if it is of this model and sampling."""
        if all(entry[name] == self._source[name] for name in KEY if name in self._source):
            rollout = Rollout(**{name: entry[name] for name in Rollout._fields})
            self._found.setdefault(rollout.prefix, {})[rollout.sample] = rollout

    def add(self, rollout: Rollout) -> None:
        """Keep a rollout; once this returns, neither `kill -9` nor Ctrl-C loses it. One that is held already stays.

        A journal that has grown large is merged on the way; where that fails, the merge at the end says why.
        """
        if rollout.sample in self._found.get(rollout.prefix, {}):
            return
        entry = rollout._asdict() | {"logprob": float(rollout.logprob)} | self._source
        self._journal.append(json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        self._take(entry)
        if self._journal.size > _FULL:
            with suppress(TracerError):
                self.merge()

    def merge(self) -> int:
        """Move this process's journal, and all that others left behind, into the database; return how many were new.

        Damaged entries go to a file beside the journal, FILE.damaged, with a note. Killed at any moment, nothing is
        lost and nothing doubled.
        """
        self._journal.close()
        with closing(connect(self.database, wait=self._wait)) as connection, leftovers(self.database) as found:
            database = Database(connection, None)
            with database.transaction():
                damaged: dict[Path, list[bytes]] = {path: [] for path in found}
                batches = (batch for path in found for batch in _batches(_entries(path, damaged[path])))
                count = sum(database.insert_new("rollouts", batch, KEY) for batch in batches)
            for path in found:
                self._set_aside(path, damaged[path])
                path.unlink(missing_ok=True)
        return count

    def _set_aside(self, journal: Path, damaged: list[bytes]) -> None:
        if damaged:
            kept = write_whole(journal.with_suffix(".damaged"), b"".join(damaged))
            self.notes.append(f"lines of {journal.name} that are damaged: {len(damaged)}, kept in {kept}, drawn again")


def left(requests: Iterable[Request], ledger: Ledger) -> list[Request]:
    """The requests that are still to be drawn: those that the ledger does not hold, each once, in their order."""
    asked = list(dict.fromkeys(requests))
    names = {prefix: digest(prefix) for prefix in {request.prefix for request in asked}}
    ledger.fetch(names.values())
    held = {prefix: ledger.held(name).keys() for prefix, name in names.items()}
    return [request for request in asked if request.sample not in held[request.prefix]]


def _entries(journal: Path, damaged: list[bytes]) -> Iterator[dict[str, Any]]:
    """The entries of a journal; lines that are damaged are added to the list."""
    for line in lines(journal):
        if line.body is None:
            damaged.append(line.raw)
        else:
            yield _entry(journal, line.body)


def _entry(journal: Path, body: bytes) -> dict[str, Any]:
    """One entry. Its sum was right, so other fields than ours are not damage but another version's."""
    try:
        entry = json.loads(body.decode("utf-8", "surrogatepass"))
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or {name: type(value) for name, value in entry.items()} != _TYPES:
        raise DatabaseError(f"{journal} was written by another version of tracer: upgrade blametrace, or move it away")
    return entry


def _batches(entries: Iterable[Mapping[str, Any]]) -> Iterator[list[rows.Row]]:
    """Rows for the database, each key once in a batch, so many at a time as memory should hold."""
    batch: dict[tuple[Any, ...], rows.Row] = {}
    size = 0
    for entry in entries:
        batch.setdefault(tuple(entry[name] for name in KEY), _row(entry))
        size += len(entry["text"]) + _ROW
        if size > _BATCH:
            yield list(batch.values())
            batch, size = {}, 0
    yield list(batch.values())


def _row(entry: Mapping[str, Any]) -> rows.Row:
    text = rows.sane(entry["text"])
    raw = None if text == entry["text"] else entry["text"].encode("utf-8", "surrogatepass")
    return dict(entry) | {"text": text, "raw": raw}

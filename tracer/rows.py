"""Records as rows of the database, and back. Nested values are JSON text; times are UTC without a zone.

Only writing needs pyarrow, so it is imported there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from tracer.records import Edge, Pointer, Record, Run, Span, Step

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
RecordT = TypeVar("RecordT", bound=Record)

# Fields that are neither text, number, time nor a list of these.
JSON_FIELDS: dict[type[Record], frozenset[str]] = {
    Run: frozenset({"labels"}),
    Step: frozenset({"pointer"}),
    Span: frozenset({"attributes", "events", "links", "resource", "pointer"}),
    Edge: frozenset({"source_spans", "target_spans"}),
}
CONVERSATION = ("gen_ai.conversation.id", "session.id")
_MAX_INT = 1 << 63


def columns(kind: type[Record]) -> tuple[str, ...]:
    """The columns that hold a record, in the record's order."""
    return tuple(kind.model_fields)


def to_row(record: Record, **more: Any) -> Row:
    """One record as a row; `more` are columns that the record itself does not have, such as the run."""
    nested = JSON_FIELDS[type(record)]
    row = {name: to_json(value) if name in nested else _cell(value) for name, value in record}
    return row | more


def from_row(kind: type[RecordT], row: Sequence[Any]) -> RecordT:
    """The record that `to_row` took apart, from the cells of `columns(kind)`."""
    nested = JSON_FIELDS[kind]
    fields = {}
    for name, cell in zip(columns(kind), row, strict=True):
        fields[name] = orjson.loads(cell) if name in nested and cell is not None else _uncell(cell)
    return kind(**fields)


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows with the same columns as one Arrow table; DuckDB casts each column to the type of the one it goes into."""
    import pyarrow as pa

    return pa.table({name: _array([row[name] for row in rows]) for name in rows[0]})


def record_table(records: Sequence[Record], more: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Records of one kind as the Arrow table that `table` makes of their rows, column by column, which is quicker."""
    import pyarrow as pa

    kind = type(records[0])
    nested, names = JSON_FIELDS[kind], columns(kind)
    arrays = {name: _array(cells) for name, cells in more.items()}
    fields = list(map(vars, records))
    for name in names:
        cells = list(map(itemgetter(name), fields))
        arrays[name] = _array(list(map(to_json, cells))) if name in nested else _column(cells)
    return pa.table(arrays)


def _column(cells: Sequence[Any]) -> pa.Array:
    """A column of cells as `_cell` gives them; texts are tried as they are, for few hold what Arrow cannot."""
    if _kind(cells) in {str, int, float, bool, None} or not any(cells):
        with suppress(UnicodeEncodeError):
            return _array(cells)
    return _array(list(map(_cell, cells)))


def _array(cells: Sequence[Any]) -> pa.Array:
    """One column. The types are ours to say: pyarrow's own guess costs more than the rest of loading a small file."""
    import pyarrow as pa

    types: dict[type | None, Any] = {
        str: pa.string(),
        bytes: pa.binary(),
        int: pa.int64(),
        float: pa.float64(),
        datetime: pa.timestamp("us"),
        None: pa.null(),
    }
    kind = _kind(cells)
    if kind in {list, tuple}:
        items = types[_kind([item for cell in cells for item in cell])]
        return pa.array(cells, type=pa.list_(items))
    return pa.array(cells, type=types[kind])


def _kind(cells: Iterable[Any]) -> type | None:
    """The type of the cells of one column; None when all are empty."""
    return next((type(cell) for cell in cells if cell is not None), None)


def conversation(span: Span) -> str | None:
    """The conversation or session that the span names, which joins it to other traces."""
    values = (span.attributes.get(key) for key in CONVERSATION)
    return next((sane(value) for value in values if isinstance(value, str) and value), None)


def sane(text: str) -> str:
    """The text with lone surrogates, which no file and no Arrow string can hold, as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def to_json(value: Any) -> str | None:
    """JSON text of a nested value, whatever a hostile log put into it; None stays None."""
    if value is None:
        return None
    try:
        if type(value) is Pointer:  # one for each step, and flat
            return _dumps(value.__dict__).decode()
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # a lone surrogate, an integer over 64 bits, or nesting over 254
        return json.dumps(_tame(value), ensure_ascii=False)


_dumps = orjson.dumps


def _plain(value: Any) -> Any:
    """What JSON does not know: records as objects, anything else as its text."""
    return value.model_dump(mode="json") if isinstance(value, Record) else str(value)


def _tame(value: Any) -> Any:
    """The value with sane strings, and integers that JSON readers would round as text."""
    if isinstance(value, str):
        return sane(value)
    if isinstance(value, Mapping):
        return {sane(str(key)): _tame(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or (isinstance(value, int) and abs(value) < _MAX_INT):
        return value
    return _tame(value.model_dump()) if isinstance(value, Record) else sane(str(value))


def _cell(value: Any) -> Any:
    """A plain value as the database takes it."""
    if isinstance(value, str):
        return sane(value)
    if isinstance(value, tuple):
        return [_cell(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return value


def _uncell(cell: Any) -> Any:
    """The plain value of a cell; a time comes back with its zone, UTC."""
    return cell.replace(tzinfo=UTC) if isinstance(cell, datetime) else cell

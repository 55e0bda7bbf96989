"""When a file is wrong as a whole: columns are missing, or most of its rows cannot be read."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import polars as pl

from customer_profiles.collection.reading import UNREADABLE, Delivery, DeliveryError, ReadFile
from customer_profiles.collection.sources.cells import UNMAPPED
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of
from customer_profiles.contracts.stored import delivered_columns, required_columns

ENOUGH_ROWS = 10
"""From how many rows on a column that cannot be read is the file's fault, not a row's."""
LONGEST_SHAPE = 40
SHOWN_AS = {"L": "a", "M": "a", "N": "9"}
"""Of a sign's class in Unicode: letters, the marks that are vowels in many scripts, numbers."""
AGAIN = "deliver it again"
MEND_THE_LAYOUT = "mend `format` in sources.yaml, or of a CSV `delimiter`, `quote`, `escape` or `header`"
OF_TIMES, OF_CHOICES, OF_AMOUNTS = "`date_format`", "`values`", "`minor_units`, `decimal`"
KEYS = {"moment": OF_TIMES, "date": OF_TIMES, "choice": OF_CHOICES, "currency": OF_CHOICES}
"""What a mapping says of columns of a kind that are written in another way."""


@dataclass
class Tally:
    """What the pieces of a part told of it so far.

    ``unread`` counts, by rule, the rows that cannot be read; ``shapes`` says how the first such cell is
    written. ``mapped``: its columns were made by ``sources.yaml``.
    """

    delivery: Delivery
    source: str
    rows: int = 0
    columns: set[str] = field(default_factory=set)
    unread: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)
    mapped: bool = False


def tally(told: Tally, file: ReadFile, judged: pl.DataFrame) -> None:
    """Add a piece: its cells as read, and its rows as judged."""
    told.rows += judged.height
    told.columns |= set(file.cells.columns)
    told.mapped = file.originals is not None
    broken = judged["broken_rules"]
    if not (broken.list.len() > 0).any():
        return
    columns = {f"{name}|unparsable": name for name in required_columns(told.delivery.table)}
    for rule in (*columns, UNREADABLE):
        breaks = broken.list.contains(rule)
        first = breaks.arg_max()
        if first is None or not breaks[first]:
            continue
        told.unread[rule] = told.unread.get(rule, 0) + int(breaks.sum())
        if rule in columns:
            cell = str(file.cells[columns[rule]][first]).removeprefix(UNMAPPED)
            told.shapes.setdefault(rule, shape(cell))


def require_right(told: Tally, share: float) -> None:
    """Raise ``DeliveryError`` if a part lacks columns, or if more than ``share`` of its rows cannot be read.

    A file most of whose rows cannot be read is a wrong file, not a file of bad rows.
    """
    place = f"{told.delivery.table} of {told.delivery.day}: {told.source}"
    _require_columns(told, place)
    if told.rows < ENOUGH_ROWS:
        return
    for rule, many in sorted(told.unread.items()):
        if many <= share * told.rows:
            continue
        counted = f"{many:,} of {told.rows:,}"
        if rule == UNREADABLE:
            advice = MEND_THE_LAYOUT if told.mapped else AGAIN
            raise DeliveryError(f"{place}: {counted} lines cannot be split into columns; {advice}")
        name = rule.partition("|")[0]
        advice = f"mend its mapping in sources.yaml{_by(told.delivery.table, name)}" if told.mapped else AGAIN
        raise DeliveryError(
            f"{place}: column {name}: {counted} cells cannot be read (shaped "
            f"like {told.shapes[rule]!r}); dates are ISO 8601, currencies ISO 4217, numbers "
            f"plain, values those of the contract; "
            f"{advice}"
        )


def _by(table: str, name: str) -> str:
    """What most likely mends a column: a key of its mapping, or two."""
    kind = (columns_of(CONTRACTS[table])[name].metadata or {})["kind"]
    keys = OF_AMOUNTS if name.endswith("_minor") else KEYS.get(kind)
    return f" ({keys})" if keys else ""


def _require_columns(told: Tally, place: str) -> None:
    """Names are shown only beside a known one: else the first line may be a row, and they are cells."""
    table, delivered = told.delivery.table, sorted(told.columns)
    missing = [name for name in required_columns(table) if name not in delivered]
    if not missing or not delivered:
        return
    known = {_signless(name): name for name in delivered_columns(table)}
    meant = {known[_signless(name)]: name for name in delivered if _signless(name) in known}
    if meant:
        alike = [f"{meant[name]!r} for {name}" for name in missing if name in meant]
        held = f"it has {delivered}" + (f"; did you mean {', '.join(alike)}?" if alike else ".")
    else:
        held = none_known(len(delivered))
    raise DeliveryError(
        f"{place}: required columns {missing} are missing; {held} Deliver them, or rename its columns"
    )


def what_it_has(columns: Sequence[str], known: Collection[str]) -> str:
    """A file's columns by name, if one of them is known: else its first line may be a row of cells."""
    return f"it has {list(columns)}" if set(columns) & set(known) else none_known(len(columns))


def none_known(width: int) -> str:
    """What is said of a file none of whose columns is known."""
    parted = ", and `delimiter` right" if width == 1 else ""
    return f"none of its {width} columns is known: is its first line a header{parted}?"


def _signless(name: str) -> str:
    """A column name without case, spaces and signs: ``Customer ID`` -> ``customerid``."""
    return "".join(filter(str.isalnum, name)).casefold()


def shape(cell: str) -> str:
    """How a cell is written, without what it says: ``王芳 1a`` -> ``aa 9a``."""
    return "".join(SHOWN_AS.get(unicodedata.category(sign)[0], sign) for sign in cell[:LONGEST_SHAPE])

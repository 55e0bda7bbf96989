"""The SQL that the warehouse is asked in, where Narwhals has no words for it."""

from __future__ import annotations

from collections.abc import Sequence

from customer_profiles.warehouse.tables import SQL_TYPES, Table

HASH = "row_hash"
FEW_COLUMNS = 16


def insert(table: Table, *, sort: bool) -> str:
    """Puts the rows of ``incoming`` into a table, with a hash of each where the table keeps one."""
    cells = [f"{quoted(c.name)}::{SQL_TYPES[c.dtype]} as {quoted(c.name)}" for c in table.columns]
    order = f" order by {', '.join(map(quoted, (table.day, *table.order)))}" if table.order and sort else ""
    rows = f"select {', '.join(cells)} from incoming"
    if table.row_hash:
        values = ", ".join(f"{quoted(c.name)} := {quoted(c.name)}" for c in table.columns)
        rows = f"select *, md5_number_lower(to_json(struct_pack({values}))::varchar) as {HASH} from ({rows})"
    return f"insert into {table.name} by name select * from ({rows}){order}"


def value_counts(day: str, columns: Sequence[str]) -> str:
    """Counts each value of each column of ``wide`` on each day.

    Few columns are grouped one by one, each in the form in which it is stored, which takes a half (numbers)
    to a fifth (texts) of the time; for dozens that takes longer to plan than to run, so they are unpivoted
    first.
    """
    if len(columns) > FEW_COLUMNS:
        return (
            f"select {quoted(day)}, column_name, value, count(*) as rows from (unpivot wide "
            f"on {', '.join(map(quoted, columns))} into name column_name value value) group by all"
        )
    return " union all ".join(
        f"select {quoted(day)}, {literal(name)} as column_name, {quoted(name)} as value, "
        f"count(*) as rows from wide where {quoted(name)} is not null group by all"
        for name in columns
    )


def repeated_rows(day: str, one_of: str, said: Sequence[str]) -> str:
    """Counts on each day the rows of ``wide`` whose columns ``said`` equal another's, by a hash of them.

    The first of each does not count. Where ``one_of`` is n, one of n hashes is looked at, with
    all its rows, and stands for the others.
    """
    hashed = (
        f"select {quoted(day)}, {quoted(one_of)} as n, hash({', '.join(map(quoted, said))}) as said from wide"
    )
    return (
        f"select {quoted(day)}, (count(*) - count(distinct said)) * max(n) as rows "
        f"from ({hashed}) where said % n = 0 group by 1"
    )


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Sequence[str]) -> str:
    """Texts as SQL lists them."""
    return ", ".join(map(literal, texts))

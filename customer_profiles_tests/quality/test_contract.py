"""The contract of stored rows: each promise that a row breaks is counted, by day, in the engine."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.quality.contract import breaches
from customer_profiles.warehouse import Warehouse

FIRST, SECOND = date(2026, 1, 5), date(2026, 1, 6)
COLUMNS = (
    StoredColumn("day", pl.Date, False, "day"),
    StoredColumn("id", pl.String, False, "id"),
    StoredColumn("kind", pl.String, True, "kind", values=("a", "b")),
    StoredColumn("share", pl.Float64, True, "share", minimum=0, maximum=1),
    StoredColumn("size", pl.Float64, True, "size"),
)
SOUND = {"day": FIRST, "id": "1", "kind": None, "share": None, "size": None}


@pytest.mark.parametrize(
    ("cells", "promise"),
    [
        ({"id": None}, "id|never_null"),
        ({"kind": "c"}, "kind|known_value"),
        ({"share": -0.1}, "share|minimum"),
        ({"share": 1.1}, "share|maximum"),
        ({"size": float("nan")}, "size|finite"),
        ({"size": float("inf")}, "size|finite"),
        ({"size": float("-inf")}, "size|finite"),
        ({"id": "2"}, "key|unique"),
        ({"kind": "b", "share": 1.0, "size": 1e300}, None),
    ],
)
def test_a_broken_promise_is_counted_on_its_day_and_no_other(
    tmp_path: Path, cells: dict[str, object], promise: str | None
) -> None:
    rows = [SOUND, SOUND | {"id": "2"}, SOUND | {"id": "3"} | cells, SOUND | {"day": SECOND}]
    frame = pl.DataFrame(rows, schema={column.name: column.dtype for column in COLUMNS}, strict=False)
    with Warehouse(tmp_path / "warehouse.duckdb").session() as session:
        counted = breaches(session.rows_of(frame), COLUMNS, ("id",), "day")
        first, second = session.collect(counted.sort("day")).iter_rows(named=True)
    assert [name for name, count in first.items() if "|" in name and count] == ([promise] if promise else [])
    assert first["rows"] == 3
    assert not any(count for name, count in second.items() if "|" in name)

"""``customer-profiles quarantine``: see what was kept out and why, and let it in once that is mended."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from customer_profiles.cli_shared import DAY, HomeOption, platform_of, who

if TYPE_CHECKING:
    from customer_profiles.cleaning.quarantine import Chosen

quarantine = typer.Typer(
    name="quarantine",
    help="Rows that broke a rule: how many, what they look like, and letting them in again.",
    no_args_is_help=True,
)
out = Console(highlight=False)

TableName = Annotated[str, typer.Argument(help="Delivered table, such as orders.")]
ArrivalDay = Annotated[datetime, typer.Argument(formats=DAY, help="Day under which the rows stand.")]
OneRule = Annotated[str | None, typer.Option("--rule", help="Only rows that break this rule.")]
RowNumbers = Annotated[
    list[int] | None, typer.Option("--row", min=1, help="Only this row of its file; may be given again.")
]
OneSource = Annotated[str | None, typer.Option("--source", help="Only rows of this file.")]


@quarantine.command("list")
def list_rows(
    home: HomeOption = None,
    day: Annotated[datetime | None, typer.Option(formats=DAY, help="Only this day.")] = None,
    table: Annotated[str | None, typer.Option(help="Only this delivered table.")] = None,
) -> None:
    """Show per day, table and rule how many rows are held, and how many of them were released."""
    from customer_profiles.cleaning.quarantine import counts_by_rule, require_delivered

    if table is not None:
        require_delivered(table)
    chosen = day.date() if day else None
    with platform_of(home).warehouse() as warehouse:
        counts = counts_by_rule(warehouse, chosen, chosen)
    shown = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for title in ("day", "table"):
        shown.add_column(title, no_wrap=True)
    shown.add_column("rule", overflow="fold")
    for title in ("rows", "released"):
        shown.add_column(title, justify="right", no_wrap=True)
    for of_day, of_table, rule, rows, released in counts.iter_rows():
        if table in (None, of_table):
            shown.add_row(str(of_day), of_table, rule, f"{rows:,}", f"{released:,}" if released else "")
    out.print(shown if shown.row_count else "no rows are in quarantine", soft_wrap=True)


@quarantine.command()
def show(
    table: TableName,
    day: ArrivalDay,
    home: HomeOption = None,
    rule: OneRule = None,
    row: RowNumbers = None,
    source: OneSource = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 5,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="In clear; it is recorded that you looked.")
    ] = False,
) -> None:
    """Open the originals of quarantined rows; cells that can hold words show their shape alone."""
    from customer_profiles.cleaning.quarantine import find_rows, masked, original, record_reveal

    platform, chosen = platform_of(home), _chosen(table, day.date(), rule, row, source)
    with platform.warehouse() as warehouse:
        found = find_rows(warehouse, chosen)
        rows = found.head(limit)
        if reveal:
            record_reveal(warehouse, rows, who(), datetime.now(UTC))
    open_row = original if reveal else masked
    for held in rows.iter_rows(named=True):
        out.print(
            f"[bold]{escape(held['source'])}[/bold] row {held['row_number']}: "
            f"{', '.join(held['broken_rules'])}{_released(held)}",
            soft_wrap=True,
        )
        for name, cell in open_row(held, platform.door.seal).items():
            out.print(f"  {escape(name)}: {'' if cell is None else escape(repr(cell))}", soft_wrap=True)
    if found.height > rows.height:
        out.print(f"{found.height - rows.height:,} more: raise --limit, or choose with --rule or --row")


@quarantine.command()
def release(
    table: TableName,
    day: Annotated[
        datetime | None, typer.Argument(formats=DAY, help="Day under which the rows stand; without it, all.")
    ] = None,
    home: HomeOption = None,
    rule: OneRule = None,
    row: RowNumbers = None,
    source: OneSource = None,
) -> None:
    """Let rows in again after the mapping or the rule is mended: with the next run of the newest day.

    They come through the same door, as rows of that day. A row that is still broken stands in quarantine
    again, and none is released twice. A line that cannot be split into columns is split as sources.yaml now
    says; of a table without a source there, mend its file: the next run takes the new rows of a changed file.
    """
    from customer_profiles.cleaning.quarantine import MEND_THE_FILE, release_rows
    from customer_profiles.collection.ledger import days_run
    from customer_profiles.orchestration.report import forget_state

    platform, chosen = platform_of(home), _chosen(table, day.date() if day else None, rule, row, source)
    with platform.warehouse() as warehouse:
        mapped = table in platform.home.tables
        released, left = release_rows(warehouse, chosen, datetime.now(UTC), mapped=mapped)
        newest = days_run(warehouse)[-1]
    forget_state(platform.settings.home)
    where = f" --home {home}" if home else ""
    if left:
        out.print(f"{left:,} lines cannot be split into columns: {MEND_THE_FILE}", soft_wrap=True)
    out.print(
        f"{released:,} rows of {table} are released; they come in with the next run of {newest} or a later "
        f"day. next: customer-profiles run --from {newest} --to {newest}{where}",
        markup=False,
        soft_wrap=True,
    )


def _chosen(
    table: str, day: date | None, rule: str | None, rows: list[int] | None, source: str | None
) -> Chosen:
    from customer_profiles.cleaning.quarantine import Chosen

    return Chosen(table, day, rule, rows or (), source)


def _released(held: dict[str, object]) -> str:
    if held["release"] is None:
        return ""
    return f" (released; came in on {held['released_on']})" if held["released_on"] else " (released; waits)"

"""Models on a terminal: the page, the list, a comparison. Readable at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

from customer_profiles.conversion.sections import Section
from customer_profiles.orchestration.models import Shown


def show_page(console: Console, shown: Shown) -> None:
    """Print a version's page."""
    page = shown.page
    state = "serves" if shown.serves else "does not serve"
    console.rule(f"{page.label}: {page.model} {shown.version}, {state}")
    console.print(f"Deliveries up to {page.trained_through}, trained at {page.trained_at[:16]} UTC.")
    console.print(f"Decision: {escape(page.decision)}.")
    if shown.note:
        console.print(escape(f"{shown.note}."))
    for section in shown.sections:
        show_section(console, section)


def show_section(console: Console, section: Section) -> None:
    """Print a title, its sentence and its table."""
    console.print(f"\n[bold]{escape(section.title)}[/bold]")
    if section.says:
        console.print(escape(section.says))
    if section.rows:
        show_rows(console, section.rows)


def show_rows(console: Console, rows: Sequence[dict[str, str]]) -> None:
    """Print rows of equal or fewer columns than the widest of them."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, show_header=len(names) > 1)
    for place, name in enumerate(names):
        numbers = place > 0 and all(_is_number(row.get(name, "")) for row in rows)
        words = [word for row in rows for word in row.get(name, "").split()]
        longest = max(map(len, words), default=0) if numbers else None
        justify: JustifyMethod = "right" if numbers else "left"
        table.add_column(escape(name), justify=justify, min_width=longest, overflow="fold")
    for row in rows:
        table.add_row(*(escape(row.get(name, "")) for name in names))
    console.print(table)


def _is_number(cell: str) -> bool:
    return not cell or cell.lstrip("+-")[:1].isdigit()

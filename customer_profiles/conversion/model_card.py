"""The model card: what a reader must know before staking money on a score."""

from __future__ import annotations

from customer_profiles.conversion.page import Page
from customer_profiles.conversion.sections import Section, sections


def model_card(page: Page, version: str) -> str:
    """Write the page of a version as Markdown."""
    head = (
        f"# Conversion model {version}: {page.label}\n\n"
        f"Kind: {page.model}. Deliveries up to {page.trained_through}, trained at {page.trained_at[:16]} UTC."
        f" Decision: {page.decision}.\n"
    )
    return "\n".join([head, *(f"## {section.title}\n\n{in_markdown(section)}" for section in sections(page))])


def in_markdown(section: Section) -> str:
    """A section without its title."""
    if not section.rows:
        return f"{section.says}\n"
    lines = [list(section.rows[0]), ["---"] * len(section.rows[0]), *(row.values() for row in section.rows)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    return f"{section.says}\n\n{table}\n"

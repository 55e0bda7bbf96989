"""Figures as the bytes that Dagster's pages show."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png(figure: Figure) -> bytes:
    """A figure as a PNG picture."""
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()

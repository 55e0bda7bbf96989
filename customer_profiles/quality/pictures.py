"""Figures as the bytes that Dagster's pages show."""

from __future__ import annotations

import re
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF_HAN = re.compile(
    r"noto ?sans ?(cjk|sc)|source ?han ?sans|wqy|pingfang|hiragino sans gb|stheiti|msyh|simhei|arial ?unicode"
    r"|droidsansfallback",
    re.IGNORECASE,
)
"""Files of fonts that hold Chinese letters: those of Debian, macOS and Windows."""


def png(figure: Figure) -> bytes:
    """A figure as a PNG picture, Chinese words in a font of the machine that has them, if there is one."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    families, picture = list(_families()), BytesIO()
    for text in figure.findobj(Text):
        text.set_fontfamily(families)
    with rc_context({"font.family": families}):  # labels of an axis may be made while it is drawn
        figure.savefig(picture, format="png")
    return picture.getvalue()


@cache
def _families() -> tuple[str, ...]:
    """Fonts in which a letter is looked for, in turn.

    Files are asked, not matplotlib's list: it is kept from before a font was installed.
    """
    from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager

    files = sorted(file for file in findSystemFonts() if OF_HAN.search(file))
    if not files:
        return ("sans-serif",)
    fontManager.addfont(files[0])
    return "sans-serif", FontProperties(fname=files[0]).get_name()

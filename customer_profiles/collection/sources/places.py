"""Where files lie: globs, in which ``{day}`` stands for the day that a file was delivered for."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime
from fnmatch import translate
from glob import escape
from pathlib import Path

DAY = re.compile(r"\{day(?::([^{}]*))?\}")
DAY_FORMAT = "%Y-%m-%d"
UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart")
"""Endings of files that are still being sent."""
A_DAY, FOLDERS = "\1", "\2"
"""Signs that no path holds: they stand for what a day's form, or ``**/``, becomes in a pattern."""
DIGITS = {"%Y": r"\d{4}", "%y": r"\d{2}", "%m": r"\d{2}", "%d": r"\d{2}", "%H": r"\d{2}", "%j": r"\d{3}"}


def tells_days(path: str) -> bool:
    """Whether the names of the files tell their days."""
    return DAY.search(path) is not None


def days_alone(path: str) -> str:
    """A path's mentions of the day, without what stands around them."""
    return " ".join(found[0] for found in DAY.finditer(path))


def on_day(path: str, day: date | str) -> str:
    """The glob of a day's files."""
    return DAY.sub(lambda found: format(day, found[1] or DAY_FORMAT), path)


def of_any_day(path: str) -> str:
    """The glob of all days. Two stars in a row mean folders, and only as a whole part of a path."""
    parts = Path(DAY.sub("?*", path)).parts
    return str(Path(*(part if part == "**" else re.sub(r"\*+", "*", part) for part in parts)))


def _from(path: str, folder: Path) -> Path:
    """A glob, absolute; in the name of the folder itself no sign means more than itself."""
    return Path(escape(str(folder))) / path


def matches(pattern: str, folder: Path) -> list[Path]:
    """Files, and what cannot be read as one, that a glob finds, as far as it is visible."""
    whole = _from(pattern, folder)
    found = sorted(Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))))
    if _passed_over(folder / pattern):
        found = [folder / pattern]
    named = {*folder.parts, *Path(pattern).parts}
    hidden = {path for path in found if any(map(_is_hidden, {*path.parent.parts} - named))}
    return [path for path in found if is_visible(path) and path not in hidden]


def _passed_over(path: Path) -> bool:
    """Whether a path without a star leads to what a glob passes over, unlike one with a star.

    A broken link, and what lies in a folder that this user may list but not enter. Who reads it says so.
    """
    try:
        return path.is_symlink()
    except PermissionError:
        with suppress(OSError):
            return path in path.parent.iterdir()
    return False


def is_visible(file: Path) -> bool:
    """Whether a file is no hidden one, no marker (Spark's ``_SUCCESS``) and not still being sent."""
    return not _is_hidden(file.name) and not file.name.endswith(UNFINISHED)


def _is_hidden(name: str) -> bool:
    """Whether a file or folder is none that was delivered: a snapshot's, a job's own, an editor's copy."""
    return name.startswith((".", "_", "~$")) or name.endswith("~")


def told_by(file: Path, path: str, folder: Path) -> date | None:
    """The day that the name of a file, which ``path`` found from a folder, tells."""
    return day_of(str(file), str(_from(path, folder)))


def day_of(file: str, path: str) -> date | None:
    """The day that a file's whole name tells by its ``path``; None if it tells none.

    The parts of a day can stand anywhere, and more than once: ``{day:%Y}/{day:%m}/o_{day}.csv``.
    """
    forms = [found[1] or DAY_FORMAT for found in DAY.finditer(path)]
    numbers = iter(range(len(forms)))
    whole = DAY.sub(lambda _: f"{A_DAY}{next(numbers)}{A_DAY}", path)
    pattern = translate(whole.replace("/**/", f"/{FOLDERS}")).replace(FOLDERS, "(?:.*/)?")
    parts: list[str] = []

    def digits(found: re.Match[str]) -> str:
        parts.append(found[0])
        return f"({DIGITS.get(found[0], '.+?')})"

    for number, form in enumerate(forms):
        pattern = pattern.replace(f"{A_DAY}{number}{A_DAY}", re.sub(r"%.", digits, re.escape(form)))
    told = re.match(pattern, file)
    if told is None:
        return None
    values = dict(zip(parts, told.groups(), strict=True))
    try:
        return datetime.strptime(" ".join(values.values()), " ".join(values)).date()  # noqa: DTZ007
    except ValueError:
        return None

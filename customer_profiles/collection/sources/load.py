"""Reading ``sources.yaml``. A mistake ends in one error that names its line, its key and the fix.

Every scalar is taken as it is written (``007`` stays text, ``no`` is no boolean); the models say what it
is. Anchors and aliases work, ``<<`` included; the same key twice is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from customer_profiles.collection.parsing import ABSENT
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.schema import (
    Column,
    FilesSource,
    Join,
    LogSource,
    SourcesFile,
    SqlSource,
)
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import CURRENCY, columns_of, spellings
from customer_profiles.contracts.stored import delivered_columns
from customer_profiles.settings import Mendable, Settings

FILE = "sources.yaml"
LARGEST = 200_000
"""Values that the file can hold, aliases written out: more is no configuration but an attack or a slip."""
DEEPEST = 20
PARTED = ("'<scalar>'", "chomping or indentation")
"""What YAML says of an expression that it parts at its quotation marks."""
TAB = re.compile(rb"^[ \t]*\t", re.MULTILINE)
"""An indentation that YAML does not take."""
KEYS: Mapping[str, type[Any]] = {"files": FilesSource, "log": LogSource, "sql": SqlSource}
INNER: Mapping[str | int, type[Any]] = {"columns": Column, "join": Join}
Place = tuple[str | int, ...]
WORDS = {
    "missing": "it is missing",
    "tuple_type": "it is a list: [a, b], or a line with - for each",
    "dict_type": "it is lines of `key: value`",
    "mapping_type": "it is lines of `key: value`",
    "model_type": "it is lines of `key: value`",
    "union_tag_not_found": "it has no `kind`; say `kind: files`, log or sql",
}
"""What is wrong, by pydantic's type of error, where its own words speak of Python."""


class SourcesError(Mendable, ValueError):
    """``sources.yaml`` is wrong. The message names the line, the key and what is allowed."""


def load_home(settings: Settings, environ: Mapping[str, str]) -> Home:
    """A home with the sources that its ``sources.yaml`` names; none if it has no such file.

    Raises ``SourcesError``.
    """
    file = settings.home / FILE
    return Home(
        folder=settings.home,
        timezone=settings.timezone,
        first_day=settings.first_day,
        longest_line=settings.collection.longest_line_bytes,
        tables=parse_sources(file.read_bytes(), file).tables if file.is_file() else {},
        variables=environ,
    )


def _mend(text: bytes, said: str) -> str:
    """What to do about a text that is no YAML, where its commonest mistakes show."""
    if TAB.search(text):
        return "; indent with spaces, not with tabs"
    if any(sign in said for sign in PARTED):
        return "; an expression that holds quotation marks or commas stands in marks itself: \"x = 'a, b'\""
    return ""


def parse_sources(text: bytes, file: Path) -> SourcesFile:
    """The sources that a YAML text names. Raises ``SourcesError`` with every mistake and its line."""
    try:
        root = yaml.compose(text.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise SourcesError(f"{file} cannot be read as YAML: {said}{_mend(text, said)}") from error
    lines: dict[Place, int] = {(): 1}
    values = _values(root, (), lines, file) if root else {}
    try:
        found = SourcesFile.model_validate(values)
    except ValidationError as error:
        mistakes = [_mistake(details, values, lines) for details in error.errors(include_url=False)]
        raise SourcesError(f"{file}: {'; '.join(mistakes)}") from error
    if wrong := _unknown_names(found, lines):
        raise SourcesError(f"{file}: {'; '.join(wrong)}")
    return found


def _values(node: yaml.Node, place: Place, lines: dict[Place, int], file: Path, merges: int = 0) -> Any:
    """A YAML node as plain values; notes the line of each. ``merges``: of how many << it is part."""
    lines[place] = node.start_mark.line + 1
    if len(lines) > LARGEST:
        raise SourcesError(f"{file} line {lines[place]}: over {LARGEST:,} values, aliases written out")
    if len(place) + merges > DEEPEST:
        raise SourcesError(f"{file} line {lines[place]}: it is nested deeper than {DEEPEST} levels")
    if isinstance(node, yaml.SequenceNode):
        return [_values(item, (*place, n), lines, file, merges) for n, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _whole(node.value)
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise SourcesError(f"{file} line {key.start_mark.line + 1}: a key is one word, not a list")
        if key.tag == "tag:yaml.org,2002:merge":
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(part, yaml.MappingNode):
                    raise SourcesError(f"{file} line {key.start_mark.line + 1}: << takes a mapping (*anchor)")
                merged = _values(part, place, lines, file, merges + 1) | merged
            continue
        name = _whole(key.value)
        if name in own:
            raise SourcesError(
                f"{file} line {key.start_mark.line + 1}: {name!r} stands twice in "
                f"{dotted(place) or 'the file'}; keep one"
            )
        own[name] = _values(value, (*place, name), lines, file, merges)
        lines[*place, name] = key.start_mark.line + 1
    return merged | own


def _whole(word: str) -> str:
    """A word whose signs JSON wrote in halves, which YAML leaves apart: ``"\\ud83d\\ude00"``."""
    return word.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def dotted(place: Place) -> str:
    """``tables.orders[0].columns.status``."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return words.removeprefix(".")


def _mistake(details: Any, values: Any, lines: Mapping[Place, int]) -> str:
    """One validation error in words. Pydantic also names the branch of a union: it is no key of the file."""
    place: Place = ()
    model: type[Any] = SourcesFile
    for part in details["loc"]:
        if part in KEYS and not (isinstance(values, dict) and part in values):
            model = KEYS[part]
        elif (isinstance(values, dict) and part in values) or (
            isinstance(values, list) and isinstance(part, int) and part < len(values)
        ):
            place, values = (*place, part), values[part]
        elif part == details["loc"][-1]:
            place = (*place, part)  # a key that is missing
    if inner := [INNER[part] for part in place[:-1] if part in INNER]:
        model = inner[-1]
    line = next(lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines)
    says = str(details["msg"]).removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        near = get_close_matches(str(place[-1]), model.model_fields, 1)
        known = f"did you mean {near[0]!r}?" if near else f"keys are {', '.join(model.model_fields)}"
        says = f"there is no such key; {known}"
    elif details["type"] in WORDS:
        says = WORDS[details["type"]]
    elif not isinstance(details["input"], dict | list):
        says = f"{says} (got {details['input']!r})"
    return f"line {line}: {dotted(place) or 'the file'}: {says}"


def _unknown_names(found: SourcesFile, lines: Mapping[Place, int]) -> list[str]:
    """Tables and columns that no contract knows."""
    wrong = []
    for table, sources in found.tables.items():
        if table not in CONTRACTS:
            wrong.append(_unknown(("tables", table), list(CONTRACTS), "table", lines))
            continue
        for number, source in enumerate(sources):
            place: Place = ("tables", table, number)
            known = list(delivered_columns(table))
            named: list[Place] = [(*place, "columns", name) for name in source.columns]
            days = source.delivery_day if isinstance(source, FilesSource) else ()
            if not isinstance(days, date):
                named += [(*place, "delivery_day", name) for name in days]
            wrong += _strange_values(table, place, source.columns, lines)
            wrong += [
                _unknown(one, known, f"column of {table}", lines) for one in named if one[-1] not in known
            ]
    return wrong


def _strange_values(
    table: str, place: Place, columns: Mapping[str, Column], lines: Mapping[Place, int]
) -> list[str]:
    """Values that a mapping gives a column and that its contract does not take.

    One that is mapped to itself is as good as not named: its rows are quarantined.
    """
    contract = columns_of(CONTRACTS[table])
    choices = {name: held.metadata for name, held in contract.items() if name in columns and held.metadata}
    given: dict[Place, str] = {
        ("columns", name, "values", told): value
        for name in choices
        for told, value in columns[name].values.items()
        if value != told
    }
    for name in choices:
        if (constant := columns[name].constant) is not None and not columns[name].values:
            given["columns", name, "constant"] = constant
    return [
        f"line {lines[*place, *where]}: {dotted((*place, *where))}: {value!r} is {wrong}"
        for where, value in given.items()
        if (wrong := _not_taken(choices[str(where[1])], value.strip()))
    ]


def _not_taken(metadata: Mapping[str, Any], value: str) -> str | None:
    """Why a column does not take a value; None if it does: most take any."""
    if value in ABSENT:
        return None
    kind = metadata["kind"]
    if kind == "currency" and not re.match(CURRENCY, value.upper()):
        return "no ISO 4217 code of three letters, such as EUR"
    closed = kind == "choice" and metadata["fallback"] is None
    if closed and value.lower() not in spellings(metadata):
        return f"none of {', '.join(metadata['values'])}"
    return None


def _unknown(place: Place, known: list[str], what: str, lines: Mapping[Place, int]) -> str:
    near = get_close_matches(str(place[-1]), known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    line = lines.get(place, lines.get(place[:-1]))
    return f"line {line}: {dotted(place)}: there is no such {what}; {hint}"

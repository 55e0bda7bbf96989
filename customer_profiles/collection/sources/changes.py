"""What a later delivery is read by, and an earlier one was not: a changed mapping, a changed joined file.

A loaded delivery is history, so nothing of it changes with them; it must be said, for nobody would see it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from customer_profiles.collection.sources.deliveries import state_of_file
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.places import matches, of_any_day, tells_days, told_by
from customer_profiles.collection.sources.schema import FilesSource

MAPPING, JOINED = "sources.yaml", "joined"
States = Mapping[str, str]


def reading_states(home: Home) -> dict[str, str]:
    """How every table that ``sources.yaml`` names is mapped, and the joined files that belong to a day.

    A joined file without ``{day}`` is a new one each day: rows hold what it said when they were loaded.
    """
    states = {}
    for table, sources in home.tables.items():
        unsaid = {"last_day"} if len(sources) == 1 else set()  # more days of it, mapped as ever
        said = "\n".join(source.model_dump_json(exclude_defaults=True, exclude=unsaid) for source in sources)
        states[f"{MAPPING} {table}"] = hashlib.sha256(said.encode()).hexdigest()
        paths = [join.path for source in sources if isinstance(source, FilesSource) for join in source.join]
        for path in filter(tells_days, paths):
            for file in matches(of_any_day(path), home.folder):
                name, *state = state_of_file(file, home)
                states[f"{JOINED} {table} {told_by(file, path, home.folder)} {name}"] = str(state)
    return states


def what_changed(before: States, now: States) -> list[str]:
    """A sentence for each mapping and each joined file that is not as it was; none for a new one."""
    return [
        _sentence(*name.split(" ", 1)) for name in sorted(now) if before.get(name, now[name]) != now[name]
    ]


def _sentence(kind: str, of: str) -> str:
    if kind == MAPPING:
        return (
            f"sources.yaml maps {of} in another way than in the run before; days loaded before stay as they "
            f"were: customer-profiles run --rebuild DAY maps one anew"
        )
    table, day, name = of.split(" ", 2)
    return (
        f"{name}, joined to {table} of {day}, changed since; rows loaded before hold what it said: "
        f"customer-profiles run --rebuild {day} reads it anew"
    )

"""The walls of the house, read from its imports."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import customer_profiles

PACKAGE = Path(customer_profiles.__file__).parent
FOUNDATION = ("settings", "contracts", "privacy", "warehouse", "quality")
FLOW = (
    "collection",
    "cleaning",
    "texts",
    "features",
    "projection",
    "segments",
    "conversion",
    "profiles",
    "activation",
)
HEAVY = {"tensorflow", "keras", "sklearn", "scipy", "great_expectations", "pyspark", "matplotlib"}
SQL = re.compile(
    r"\bselect\b.+\bfrom\b|\b(insert into|delete from|(alter|drop|create) (table|view|schema))\b",
    re.IGNORECASE | re.DOTALL,
)


def modules() -> dict[str, ast.Module]:
    """Every module by its path inside the package, such as ``features/assets.py``."""
    return {
        file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for file in sorted(PACKAGE.rglob("*.py"))
    }


def imports(tree: ast.AST, *, at_import: bool = False) -> Iterator[str]:
    """Dotted names that a module imports; with ``at_import`` only those that its import loads."""
    nodes = list(ast.walk(tree))
    if at_import:
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.Lambda)]
        inside = {id(node) for function in functions for node in ast.walk(function)}
        nodes = [node for node in nodes if id(node) not in inside]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = modules()


def importers(*libraries: str, at_import: bool = False) -> set[str]:
    return {
        path
        for path, tree in MODULES.items()
        if any(name.split(".")[0] in libraries for name in imports(tree, at_import=at_import))
    }


def rooms_imported(path: str) -> set[str]:
    """Rooms, or modules beside them, of our package that a module imports."""
    own = (name.split(".") for name in imports(MODULES[path]) if name.startswith("customer_profiles."))
    return {parts[1] for parts in own}


def room(path: str) -> str:
    return path.split("/", maxsplit=1)[0].removesuffix(".py")


def is_wiring(path: str) -> bool:
    return path.endswith(("/assets.py", "/checks.py")) or room(path) in ("orchestration", "definitions")


def test_dagster_stands_in_the_wiring_alone() -> None:
    assert {path for path in importers("dagster") if not is_wiring(path)} == set()


def test_engines_stand_in_the_warehouse_alone() -> None:
    assert {room(path) for path in importers("duckdb", "pyspark")} == {"warehouse"}


def test_great_expectations_stands_in_quality_and_waits_for_its_call() -> None:
    assert {room(path) for path in importers("great_expectations")} == {"quality"}
    loaded = importers("great_expectations", at_import=True)
    assert {path for path in loaded if not _only_for_types(path, "great_expectations")} == set()


def test_keras_stands_in_conversion_and_waits_for_its_call() -> None:
    assert {room(path) for path in importers("keras", "tensorflow")} == {"conversion"}
    assert importers("keras", "tensorflow", at_import=True) == set()


@pytest.mark.parametrize("place", FLOW)
def test_a_room_imports_no_room_after_it(place: str) -> None:
    later = set(FLOW[FLOW.index(place) + 1 :])
    found = {path: rooms_imported(path) & later for path in MODULES if room(path) == place}
    assert {path: rooms for path, rooms in found.items() if rooms} == {}


def test_every_room_has_its_place_in_the_flow_or_beside_it() -> None:
    rooms = {room(path) for path in MODULES if "/" in path}
    assert rooms - {*FLOW, *FOUNDATION, "orchestration", "simulation"} == set()


def test_the_foundation_knows_nothing_of_the_flow() -> None:
    above = {*FLOW, "orchestration", "simulation", "definitions", "cli"}
    found = {path: rooms_imported(path) & above for path in MODULES if room(path) in FOUNDATION}
    assert {path: rooms for path, rooms in found.items() if rooms} == {}


def test_a_room_meets_orchestration_only_in_its_assets_and_checks() -> None:
    found = {path for path in MODULES if room(path) in FLOW and "orchestration" in rooms_imported(path)}
    assert {path for path in found if not is_wiring(path)} == set()


def test_the_simulation_is_imported_by_the_command_line_alone() -> None:
    outside = {path for path in MODULES if room(path) != "simulation"}
    assert {path for path in outside if "simulation" in rooms_imported(path)} == {"cli.py"}
    inside = {path: rooms_imported(path) & set(FLOW) for path in MODULES if room(path) == "simulation"}
    assert {path: rooms for path, rooms in inside.items() if rooms} == {}


def test_the_environment_is_read_by_build_and_the_command_line_alone() -> None:
    readers = {
        path
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
    }
    assert readers == {
        "cli.py",
        "cli_model.py",
        "cli_shared.py",
        "cli_sources.py",
        "definitions.py",
        "settings.py",
    }


def test_sql_stands_in_the_warehouse_alone() -> None:
    found = {
        f"{path}:{node.lineno}"
        for path, tree in MODULES.items()
        if room(path) != "warehouse"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
        if node.value not in _docstrings(tree)
    }
    assert found == set()


def test_importing_the_definitions_loads_nothing_heavy() -> None:
    """How long it takes is ``benchmarks/imports.py``'s to tell."""
    script = "import json, sys, customer_profiles.definitions; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], check=True, capture_output=True, text=True
    )
    assert HEAVY & {name.split(".")[0] for name in json.loads(done.stdout)} == set()


def _only_for_types(path: str, library: str) -> bool:
    """Whether a module imports a library only under ``if TYPE_CHECKING``."""
    blocks = [
        node
        for node in ast.walk(MODULES[path])
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    everywhere = [name for name in imports(MODULES[path], at_import=True) if name.startswith(library)]
    for_types = [name for block in blocks for name in imports(block) if name.startswith(library)]
    return sorted(everywhere) == sorted(for_types)


def _docstrings(tree: ast.Module) -> set[str]:
    """Texts that stand alone: docstrings of modules, classes, functions and constants."""
    return {
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def test_what_is_no_python_is_installed_with_the_package() -> None:
    """Else it works where it is edited, and nowhere else."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    told = {
        f"{package.replace('.', '/')}/{name}"
        for package, names in project["tool"]["setuptools"]["package-data"].items()
        for name in names
    }
    others = {
        file.relative_to(PACKAGE.parent).as_posix()
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc")
    }
    assert told == others

"""Both READMEs tell what the code says: settings, defaults, required columns, real files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from customer_profiles.collection.formats import READERS
from customer_profiles.collection.sources.deliveries import FOLDER_FORMATS
from customer_profiles.collection.sources.load import parse_sources
from customer_profiles.collection.sources.schema import Column, FilesSource, Join, LogSource, SqlSource
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of
from customer_profiles.contracts.stored import delivered_columns, required_columns
from customer_profiles.conversion.labels import DEFINITIONS
from customer_profiles.features.catalogue import FAMILY_TRAITS
from customer_profiles.settings import Settings

ROOT = Path(__file__).parent.parent


@pytest.fixture(params=["README.md", "README.zh-CN.md"])
def readme(request) -> str:
    return (ROOT / request.param).read_text(encoding="utf-8")


def settings_of(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from settings_of(type(field.default), f"{section}{name}.")
        else:
            yield section + name, field.default


def test_every_setting_stands_with_its_default(readme):
    absent = [key for key, default in settings_of(Settings) if f"| `{key}` | `{default}` | " not in readme]
    assert absent == []


def test_no_setting_is_told_that_does_not_exist(readme):
    told = re.findall(r"^\| `([a-z_.]+)` \| `[^`]*` \| ", readme, flags=re.MULTILINE)
    assert set(told) == {key for key, _ in settings_of(Settings)}


def test_every_table_stands_with_its_required_columns(readme):
    for table in CONTRACTS:
        required = required_columns(table)
        optional = [name for name in delivered_columns(table) if name not in required]
        cells = (", ".join(f"`{name}`" for name in names) for names in (required, optional))
        assert f"| `{table}` | {' | '.join(cells)} |" in readme


def test_every_value_of_a_column_stands(readme):
    columns = {
        f"{table}.{name}": (column.metadata or {})["values"]
        for table, contract in CONTRACTS.items()
        for name, column in columns_of(contract).items()
        if (column.metadata or {}).get("kind") == "choice"
    }
    assert [name for name, of in columns.items() if f"| `{name}` | {', '.join(of)}" not in readme] == []


def test_every_format_stands(readme):
    assert ", ".join(READERS) in readme.replace("、", ", ")
    assert f"<{'|'.join(FOLDER_FORMATS)}>" in readme


def test_every_label_and_every_family_of_traits_stands(readme):
    assert [name for name in (*DEFINITIONS, *FAMILY_TRAITS) if f"`{name}`" not in readme] == []


SOURCES = (FilesSource, Join, LogSource, SqlSource, Column)


def test_every_key_of_a_source_and_of_a_column_stands(readme):
    keys = {key for model in SOURCES for key in model.model_fields} - {"kind"}
    assert [key for key in keys if f"\n| `{key}` | " not in readme] == []


def test_keys_of_sources_mean_in_the_readme_what_they_mean_in_the_code():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    fields = [field for model in SOURCES for field in model.model_fields.items()]
    told = [f"\n| `{key}` | {field.description} |" for key, field in fields if key != "kind"]
    assert [row for row in told if row not in readme] == []


def test_the_examples_of_sources_are_valid(readme, tmp_path):
    _, files, streams, *_ = (
        part.split("```")[0] for part in readme.split("### sources.yaml")[1].split("```yaml")
    )
    assert set(parse_sources(files.encode(), tmp_path / "sources.yaml").tables) == {"orders"}
    assert set(parse_sources(streams.encode(), tmp_path / "sources.yaml").tables) == {"events", "orders"}


@pytest.mark.parametrize(
    "example", ["online_retail", "cdnow", "complete_journey", "olist", "simulated_retailer"]
)
def test_every_example_is_valid(example):
    file = ROOT / "examples" / example / "sources.yaml"
    assert parse_sources(file.read_bytes(), file).tables


def test_links_lead_to_files_of_the_project(readme):
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_what_the_readme_says_to_begin_with_is_there(readme):
    """Names of the code beside the file in which they stand: before it in English, behind it in Chinese."""
    file = r"\[[^]]*\]\((customer_profiles[^)]*\.py)\)"
    named = re.findall(rf"`(\w+)` in {file}", readme) or [
        pair[::-1] for pair in re.findall(rf"{file} 的 `(\w+)`", readme)
    ]
    assert len(named) > 10
    absent = [
        name
        for name, path in named
        if not re.search(rf"^(def |class )?{name}\b", (ROOT / path).read_text("utf-8"), re.M)
    ]
    assert absent == []

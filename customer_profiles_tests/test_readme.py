"""Both READMEs tell what the code says: settings, defaults, required columns, real files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import required_columns
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
        columns = ", ".join(f"`{name}`" for name in required_columns(table))
        assert f"| `{table}` | {columns} |" in readme


def test_links_lead_to_files_of_the_project(readme):
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert [link for link in links if not (ROOT / link).exists()] == []

"""The demo's home: a simulated retailer, published secrets, a label that fits 90 days."""

from __future__ import annotations

from pathlib import Path

import yaml

from customer_profiles.collection.sources.finding import waiting_days
from customer_profiles.collection.sources.load import load_home
from customer_profiles.privacy.secrets import write_demo_secrets
from customer_profiles.settings import Settings, load_settings

DEMO_SETTINGS = {
    "label": {"horizon_days": 14, "maturity_days": 7},
    "features": {"partner_attributes": ["household_size", "lifestyle"]},
}


def is_new(settings: Settings) -> bool:
    """Whether a home holds no deliveries yet."""
    return not waiting_days(load_home(settings, {}))


def prepare_home(home: Path | None) -> Settings:
    """Give a new home the demo's secrets and settings, unless it has its own; return its settings."""
    settings = load_settings(home)
    if not is_new(settings):
        return settings
    file = settings.home / "settings.yaml"
    if not file.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(DEMO_SETTINGS), encoding="utf-8")
    if not settings.warehouse_file.exists():
        write_demo_secrets(settings.secrets)
    return load_settings(home)

"""The platform on one page: rooms in the order in which data flows, their assets and checks.

``build`` assembles it by hand; Dagster finds it through ``defs`` (see ``workspace.yaml``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from customer_profiles.cleaning import assets as cleaning
from customer_profiles.cleaning import checks as cleaning_checks
from customer_profiles.collection import assets as collection
from customer_profiles.collection import checks as collection_checks
from customer_profiles.conversion import assets as conversion
from customer_profiles.conversion import checks as conversion_checks
from customer_profiles.features import assets as features
from customer_profiles.features import checks as features_checks
from customer_profiles.orchestration.alert_sensors import alert_sensors
from customer_profiles.orchestration.alerts import ancestors_in
from customer_profiles.orchestration.code_version import code_version
from customer_profiles.orchestration.instance import noting_process
from customer_profiles.orchestration.jobs import JOBS, schedules
from customer_profiles.orchestration.platform import Platform
from customer_profiles.orchestration.sensors import deliveries_sensor
from customer_profiles.profiles import assets as profiles
from customer_profiles.profiles import checks as profiles_checks
from customer_profiles.projection import assets as projection
from customer_profiles.projection import checks as projection_checks
from customer_profiles.segments import assets as segments
from customer_profiles.segments import checks as segments_checks
from customer_profiles.settings import Settings, load_settings

ASSETS = [
    *collection.ASSETS,
    *cleaning.ASSETS,
    *features.ASSETS,
    *projection.ASSETS,
    *segments.ASSETS,
    *conversion.ASSETS,
    *profiles.ASSETS,
]
ANCESTORS = ancestors_in(ASSETS)
CHECKS = [
    *collection_checks.CHECKS,
    *cleaning_checks.CHECKS,
    *features_checks.CHECKS,
    *projection_checks.CHECKS,
    *segments_checks.CHECKS,
    *conversion_checks.CHECKS,
    *profiles_checks.CHECKS,
]


def build(settings: Settings | None = None, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Dagster's definitions of the platform of one home.

    ``settings`` are read from the home and the environment by default; ``resources`` replaces the one
    resource, ``platform``. Raises ``SettingsError`` if a setting is wrong.
    """
    settings = settings or load_settings()
    days = dg.DailyPartitionsDefinition(start_date=str(settings.first_day), timezone=settings.timezone)
    version = code_version()

    def of_this_home(spec: dg.AssetSpec) -> dg.AssetSpec:
        partitions = days if spec.partitions_def else None
        return spec.replace_attributes(
            owners=[settings.owner], code_version=version, partitions_def=partitions
        )

    return dg.Definitions(
        assets=dg.map_asset_specs(of_this_home, ASSETS),
        asset_checks=CHECKS,
        jobs=JOBS,
        schedules=schedules(settings.first_day, settings.timezone),
        sensors=[*alert_sensors(settings, os.environ, ANCESTORS), deliveries_sensor(settings)],
        resources=resources or {"platform": noting_process(Platform(settings, os.environ))},
        # by default every step is a process: seconds of start each, and checks beside assets on one file
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The platform of the home that the environment names."""
    return build()

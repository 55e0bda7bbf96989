"""The sensors that tell people: Dagster's open-source edition tells nobody when a check fails.

Each also looks whether the other, the daemon and the schedules are awake.
"""

from collections.abc import Mapping
from functools import partial

import dagster as dg

from customer_profiles.orchestration.alerts import tell
from customer_profiles.orchestration.platform import Platform, watched_home
from customer_profiles.quality.incidents import Ancestors
from customer_profiles.settings import Settings

RUNNING = dg.DefaultSensorStatus.RUNNING


def alert_sensors(
    settings: Settings, environ: Mapping[str, str], ancestors: Ancestors
) -> list[dg.SensorDefinition]:
    """Both are on from the start; switch them off under Automation. ``environ`` names whom to tell."""
    tell_now = partial(tell, settings, environ, ancestors=ancestors)

    @dg.sensor(
        name="failure_alert",
        minimum_interval_seconds=30,
        default_status=RUNNING,
        description="Checks that failed or warned, and runs that failed: one message a cause.",
    )
    def failure_alert(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        told = tell_now(context.instance, sensor="failure_alert", log=context.log)
        return dg.SkipReason(str(told))

    @dg.sensor(
        name="late_day_alert",
        minimum_interval_seconds=300,
        default_status=RUNNING,
        description="Deliveries and profiles that are not there by their hour.",
    )
    def late_day_alert(
        context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> dg.SkipReason:
        home = partial(watched_home, platform)
        told = tell_now(context.instance, sensor="late_day_alert", home=home, log=context.log)
        return dg.SkipReason(str(told))

    return [failure_alert, late_day_alert]

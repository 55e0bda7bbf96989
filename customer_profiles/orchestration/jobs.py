"""The jobs and their schedules."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

MODELS = dg.AssetSelection.groups("models")

DAILY_PROFILES = dg.define_asset_job(
    "daily_profiles",
    selection=dg.AssetSelection.all() - MODELS,
    description="One day, from its deliveries to its profiles, with the models as they stand.",
)
CONVERSION_TRAINING = dg.define_asset_job(
    "conversion_training",
    selection=MODELS,
    description="Train projection, conversion model and segments on the matured snapshots.",
)
EVERYTHING = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all(),
    description="A range of days with training in it; started by `customer-profiles run`.",
)
DAILY_SCHEDULE, TRAINING_SCHEDULE = "daily_profiles_schedule", "conversion_training_schedule"
JOBS = [DAILY_PROFILES, CONVERSION_TRAINING, EVERYTHING]


def schedules(first_day: date, timezone: str) -> list[dg.ScheduleDefinition]:
    """The day before, each morning at 6; training on Mondays at 8. Business time."""

    @dg.schedule(
        name=DAILY_SCHEDULE,
        job=DAILY_PROFILES,
        cron_schedule="0 6 * * *",
        execution_timezone=timezone,
        description="Each morning, the day before.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        morning = context.scheduled_execution_time.astimezone(ZoneInfo(timezone))
        day = morning.date() - timedelta(days=1)
        if day < first_day:
            return dg.SkipReason(f"{day} lies before the first day, {first_day}")
        return dg.RunRequest(run_key=str(day), partition_key=str(day))

    weekly = dg.ScheduleDefinition(
        name=TRAINING_SCHEDULE,
        job=CONVERSION_TRAINING,
        cron_schedule="0 8 * * 1",
        execution_timezone=timezone,
        description="Each Monday, after the daily run.",
    )
    return [daily, weekly]

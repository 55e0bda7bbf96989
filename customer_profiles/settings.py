"""Every path, threshold, horizon and switch of the platform.

Values come, the first wins, from: arguments, environment variables (``CUSTOMER_PROFILES_HOME``,
``CUSTOMER_PROFILES_LABEL__HORIZON_DAYS``), ``settings.yaml`` in the home folder, the defaults here.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError as VariableError
from yaml import YAMLError

HOME_VARIABLE = "CUSTOMER_PROFILES_HOME"
DEFAULT_HOME = Path("data")
Clock = Annotated[
    str,
    BeforeValidator(lambda said: f"{said // 60:02}:{said % 60:02}" if type(said) is int else said),
    Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$"),
]
"""A time of the day, such as ``06:30``. Of ``22:00`` without quotes YAML makes 1320, which is taken back."""
LabelName = Literal[
    "purchase", "first_purchase", "repeat_purchase", "category_purchase", "campaign_response", "churn"
]
Days = Annotated[int, Field(le=36_500)]
"""Up to a century: so many can be added to any day."""
Seed = Annotated[int, Field(ge=0, lt=2**31)]
NOT_KNOWN = ("Extra inputs are not permitted", "there is no such setting")


class Mendable(Exception):  # noqa: N818
    """Something that the person at the keyboard can mend: shown as one line, without a traceback."""


NO_HOME = "there is no such folder: choose another with --home, or fill it with customer-profiles demo"


class SettingsError(Mendable, ValueError):
    """A setting is wrong. The message names the key, the value and what is allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CollectionSettings(_Section):
    """The door."""

    minimum_age: int = Field(
        18,
        ge=0,
        le=120,
        description="years; rows of younger customers are quarantined, and they have no profile",
    )
    future_tolerance_minutes: int = Field(5, ge=0, description="how far past the day's end is still now")
    refuse_above_unparsable_share: float = Field(
        0.5, gt=0, le=1, description="share of unparsable cells in a required column that refuses a file"
    )
    longest_line_bytes: int = Field(16_000_000, gt=0, description="a longer line refuses a file")
    orphan_warn_share: float = Field(
        0.01, ge=0, le=1, description="share of rows naming an unknown customer or product that warns"
    )
    orphan_error_share: float = Field(0.05, ge=0, le=1, description="the share that is an error")
    default_phone_region: str = Field("CN", description="ISO 3166 region of numbers without a prefix")
    partner_hmac_variables: list[str] = Field(
        [], description="environment variables that hold the HMAC secrets agreed with partners"
    )

    @field_validator("default_phone_region")
    @classmethod
    def _is_a_region(cls, region: str) -> str:
        from phonenumbers import SUPPORTED_REGIONS

        if region.upper() not in SUPPORTED_REGIONS:
            raise ValueError("there is no such region; ISO 3166 names them: CN, DE, GB")
        return region.upper()


class FeatureSettings(_Section):
    """Which as-of days a range computes beside the training snapshots, and what partners may tell."""

    recent_days: int = Field(14, ge=1, description="newest days of a range whose profiles are computed")
    partner_attributes: list[str] = Field(
        [], description="white list: the partners' attributes that may stand in a profile"
    )


class IdentitySettings(_Section):
    """Which customer ids are one customer, and whose the anonymous events are."""

    window_days: int = Field(
        30, ge=0, description="anonymous events of so many days before a link are the customer's too"
    )
    most_customers: int = Field(
        20, ge=1, description="an identifier on more customer ids links nobody; 1 merges nobody"
    )


class LabelSettings(_Section):
    """What is predicted, and of which days (see ``conversion.labels.label_window``)."""

    train: list[LabelName] = Field(
        ["purchase"], min_length=1, description="labels that get a model each; the first is the profile's"
    )
    category: str | None = Field(None, description="the category of the label category_purchase")
    gap_days: Days = Field(1, ge=0, description="days between the profile's close and the label window")
    horizon_days: Days = Field(30, ge=1, description="length of the label window")
    maturity_days: Days = Field(14, ge=0, description="days after it for cancellations and refunds")
    active_days: Days = Field(365, ge=1, description="scored: who was active or bought in these days")
    smallest_history_days: Days = Field(7, ge=0, description="delivered days before the first snapshot")
    holdout_share: float = Field(0.2, gt=0, lt=1, description="customers who never train, by hash")

    @model_validator(mode="after")
    def _labels_can_be_told(self) -> Self:
        if len(set(self.train)) < len(self.train):
            raise ValueError(f"train names a label twice: {', '.join(self.train)}")
        if "category_purchase" in self.train and not self.category:
            raise ValueError("train names category_purchase, so category must name a category of the orders")
        return self


class ProjectionSettings(_Section):
    """StandardScaler and PCA."""

    variance: float = Field(0.9, gt=0, lt=1, description="share of variance that the components keep")


class ConversionSettings(_Section):
    """The conversion model."""

    seed: Seed = Field(20260101, description="of weights, folds and bootstrap")
    smallest_positives: int = Field(
        50, ge=10, description="fewer positives in test or train: no training; the network itself needs 10"
    )
    bootstrap_rounds: int = Field(500, ge=50, description="customer bootstrap rounds of the intervals")
    margin_minor: int = Field(2_000, gt=0, description="what a conversion brings, minor units")
    contact_cost_minor: int = Field(
        100, ge=0, description="what a contact costs; cost / margin is the cut-off"
    )
    list_share: float = Field(0.1, gt=0, le=1, description="share of the customers whom a campaign contacts")
    fairness: bool = Field(True, description="report by gender and age band; switch off where not lawful")
    trust_days: int = Field(90, ge=1, description="days after its training from which a champion warns")
    lift_loss: float = Field(
        0.3, gt=0, lt=1, description="share of its tested lift that a champion loses before it warns"
    )

    @model_validator(mode="after")
    def _a_contact_can_pay(self) -> Self:
        if self.contact_cost_minor >= self.margin_minor:
            raise ValueError(
                f"contact_cost_minor {self.contact_cost_minor} is not below margin_minor {self.margin_minor}:"
                " no contact could pay"
            )
        return self


class SegmentSettings(_Section):
    """KMeans segments."""

    seed: Seed = Field(20260101, description="of KMeans and its bootstrap")
    fewest: int = Field(4, ge=2, description="fewest segments tried")
    most: int = Field(8, ge=2, description="most segments tried")
    smallest_share: float = Field(0.03, gt=0, lt=0.5, description="no segment smaller than this share")

    @model_validator(mode="after")
    def _segments_can_be(self) -> Self:
        if self.fewest > self.most:
            raise ValueError(f"fewest {self.fewest} is more than most {self.most}")
        if self.smallest_share > 1 / self.fewest:
            raise ValueError(
                f"smallest_share {self.smallest_share} is more than 1 / {self.fewest}: as many segments as"
                " fewest names cannot each hold it"
            )
        return self


class DriftLimits(_Section):
    """From which effect on a column drifts; those that are not given are the platform's."""

    warn: float | None = Field(None, gt=0)
    error: float | None = Field(None, gt=0)
    share_warn: float | None = Field(None, gt=0)
    level_warn: float | None = Field(None, gt=0)
    mean_warn: float | None = Field(None, gt=0)
    clock_warn: float | None = Field(None, gt=0)
    slow_warn: float | None = Field(None, gt=0)
    missing_warn: float | None = Field(None, gt=0)
    missing_error: float | None = Field(None, gt=0)
    fall_warn: float | None = Field(None, gt=0)
    fall_error: float | None = Field(None, gt=0)
    rise_warn: float | None = Field(None, gt=0)


class DriftSettings(_Section):
    """From which effect on a day drifts, given that chance does not explain it."""

    warn: float = Field(0.10, gt=0, description="population stability index that warns")
    error: float = Field(0.25, gt=0, description="index that is an error")
    share_warn: float = Field(0.05, gt=0, description="change of a category's share that warns")
    level_warn: float = Field(
        0.15, gt=0, description="relative change of a number's geometric mean that warns"
    )
    mean_warn: float = Field(0.5, gt=0, description="relative change of a number's mean that warns")
    clock_warn: float = Field(1, gt=0, description="hours by which a clock seems moved that warn")
    slow_warn: float = Field(
        0.1, gt=0, description="relative change that warns if it crept in over two weeks"
    )
    missing_warn: float = Field(
        0.03, gt=0, description="change of the share of NULLs, repeated rows or rows with one key that warns"
    )
    missing_error: float = Field(0.25, gt=0, description="change that is an error")
    fall_warn: float = Field(0.2, gt=0, description="share of the usual rows whose absence warns")
    fall_error: float = Field(0.6, gt=0, description="share whose absence is an error")
    rise_warn: float = Field(2.0, gt=0, description="rows too many, as a share of the usual, that warn")
    false_discoveries: float = Field(
        0.05, gt=0, lt=1, description="share of a day's alarms that may be chance"
    )
    trailing_days: int = Field(28, ge=7, description="delivered days before that a day is held against")
    fewest_rows: int = Field(100, ge=1, description="fewer rows on either side are too few to tell")
    columns: dict[str, DriftLimits] = Field({}, description="thresholds of single columns: table.column")

    def of_column(self, name: str) -> DriftSettings:
        """With a column's own thresholds in place of those that it has; ``name`` is table.column."""
        own = self.columns.get(name)
        return self.model_copy(update=own.model_dump(exclude_none=True)) if own else self

    @model_validator(mode="after")
    def _warnings_come_first(self) -> Self:
        for column in (None, *self.columns):
            limits, of = (self.of_column(column), f" of {column}") if column else (self, "")
            for what in ("", "missing_", "fall_"):
                warn, error = getattr(limits, f"{what}warn"), getattr(limits, f"{what}error")
                if warn > error:
                    raise ValueError(f"{what}warn {warn} is more than {what}error {error}{of}")
        return self


class WarehouseSettings(_Section):
    """DuckDB."""

    memory_limit: str = Field(
        "2GB", pattern=r"^\d+(\.\d+)?\s?(MB|GB|MiB|GiB)$", description="past it DuckDB spills to disk"
    )
    threads: int = Field(2, ge=1, description="threads of one query")
    lock_wait_seconds: float = Field(60, ge=0, description="how long to wait for another process")


class QualitySettings(_Section):
    """Great Expectations."""

    largest_sample: int = Field(200_000, ge=1_000, description="rows of a day that a suite looks at")


class FreshnessSettings(_Section):
    """By when a day should be there: hours of the next morning, business time."""

    delivered_by: dict[str, Clock] = Field(
        {"orders": "06:00"}, description="tables expected every day, each with the hour of the next morning"
    )
    profiles_by: Clock = Field("09:00", description="hour by which yesterday's profiles should be there")

    @field_validator("delivered_by")
    @classmethod
    def _tables_exist(cls, hours: dict[str, str]) -> dict[str, str]:
        from customer_profiles.contracts import CONTRACTS  # contracts need libraries that settings do not

        if unknown := sorted(set(hours) - set(CONTRACTS)):
            raise ValueError(f"{unknown} are no delivered tables; there are {', '.join(CONTRACTS)}")
        return hours


class AlertSettings(_Section):
    """Who is told what, and when. The URLs to send to come from the environment."""

    ui_url: str = Field(
        "http://127.0.0.1:3000", pattern=r"^https?://\S+$", description="where links to the UI lead"
    )
    send_from: Literal["warn", "error"] = Field("warn", description="least severity that is sent")
    quiet_from: Clock = Field("00:00", description="business time at which quiet hours begin")
    quiet_until: Clock = Field("00:00", description="and at which they end; equal: there are none")
    quiet_for: Literal["warn", "error"] = Field("warn", description="severity up to which they hold back")
    longest_silence_minutes: int = Field(
        30, ge=2, description="without a sign of life for so long, a daemon or sensor counts as stopped"
    )


class Settings(BaseSettings):
    """The whole platform's settings; frozen."""

    model_config = SettingsConfigDict(
        env_prefix="CUSTOMER_PROFILES_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    home: Path = Field(DEFAULT_HOME, description="the folder under which everything is written")
    timezone: str = Field(
        "Asia/Shanghai", description="business time: days, hours and weekdays; a home keeps its first"
    )
    first_day: date = Field(date(2026, 1, 1), description="first partition")
    owner: str = Field("team:data", description="owner shown in the UI: an e-mail or team:name")
    collection: CollectionSettings = CollectionSettings()
    features: FeatureSettings = FeatureSettings()
    identity: IdentitySettings = IdentitySettings()
    label: LabelSettings = LabelSettings()
    projection: ProjectionSettings = ProjectionSettings()
    conversion: ConversionSettings = ConversionSettings()
    segments: SegmentSettings = SegmentSettings()
    drift: DriftSettings = DriftSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    quality: QualitySettings = QualitySettings()
    freshness: FreshnessSettings = FreshnessSettings()
    alerts: AlertSettings = AlertSettings()

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:  # "America" is a folder of zones
            raise ValueError(f"{name!r} is not an IANA time zone such as Asia/Shanghai") from error
        return name

    @property
    def deliveries(self) -> Path:
        """Where deliveries lie: ``<table>/<YYYY-MM-DD>.<format>``."""
        return self.home / "deliveries"

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def vault_file(self) -> Path:
        """The DuckDB file of sealed personal data."""
        return self.home / "vault.duckdb"

    @property
    def secrets(self) -> Path:
        """The folder of the pseudonym secret and the vault key."""
        return self.home / "secrets"

    @property
    def models(self) -> Path:
        """Model artefacts: ``<model>/<version>/``."""
        return self.home / "models"

    @property
    def alerts_folder(self) -> Path:
        """Alerts as they were told, a file a month, and the outbox of those that wait to be sent."""
        return self.home / "alerts"

    @property
    def published(self) -> Path:
        """Parquet files for readers outside."""
        return self.home / "published"

    @property
    def instance(self) -> Path:
        """The Dagster instance folder."""
        return self.home / "instance"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, the home's ``settings.yaml``."""
        file = _SettingsFile(settings_cls, yaml_file=_file(init_settings().get("home")))
        return (init_settings, env_settings, file)


class _SettingsFile(YamlConfigSettingsSource):
    """``settings.yaml``, in which each name stands once: of two sections YAML would take the last alone."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        root = yaml.compose(file_path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
        sections = [section for _, section in root.value] if isinstance(root, yaml.MappingNode) else []
        for node in (root, *sections):
            if isinstance(node, yaml.MappingNode):
                _require_once(node)
        read: dict[str, Any] = super()._read_file(file_path)
        return read


def _require_once(section: yaml.MappingNode) -> None:
    """Raise ``ValueError`` for a name that stands twice in a section, or is none."""
    lines: dict[str, int] = {}
    for name, _ in section.value:
        line = name.start_mark.line + 1
        if name.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
            raise ValueError(f"line {line}: {name.value!r} is no name of a setting")
        if name.value in lines:
            raise ValueError(
                f"line {line}: {name.value} stands in line {lines[name.value]} already; write it once"
            )
        lines[name.value] = line


def _file(home: Path | str | None) -> Path:
    """The ``settings.yaml`` of a home: the one that is named, that of the environment, or the default."""
    return Path(home or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME) / "settings.yaml"


def load_settings(home: Path | str | None = None, **overrides: Any) -> Settings:
    """Read the settings of a home from arguments, environment and its ``settings.yaml``.

    Raises ``SettingsError`` for a home that is a file, for a file that only its name keeps from being read,
    or with every wrong key, its value and what is allowed.
    """
    if home is not None:
        overrides["home"] = Path(home)
    file = _file(overrides.get("home"))
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})".replace(*NOT_KNOWN)
            for e in error.errors()
        ]
        raise SettingsError(
            f"wrong settings; correct {file} or the CUSTOMER_PROFILES_* variables: {'; '.join(wrong)}"
        ) from error
    except VariableError as error:
        raise SettingsError(
            f"a CUSTOMER_PROFILES_* variable cannot be read: {error}; a list is JSON: '[\"purchase\"]'"
        ) from error
    except (ValueError, YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{file} cannot be read; it holds lines of `name: value`: {reason}") from error
    if settings.home.exists() and not settings.home.is_dir():
        raise SettingsError(f"{settings.home} is a file, and a home is a folder: name another one")
    for yml in (settings.home / "settings.yml", settings.home / "sources.yml"):
        if yml.exists() and not yml.with_suffix(".yaml").exists():
            raise SettingsError(f"{yml} is not read: name it {yml.with_suffix('.yaml').name}")
    return settings.model_copy(update={"home": settings.home.resolve()})

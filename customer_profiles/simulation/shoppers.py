"""The customers of the simulated retailer, and what is known of them as persons."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from customer_profiles.contracts import CHANNELS
from customer_profiles.simulation import words
from customer_profiles.simulation.shopper_types import TYPES

NIGHT, MORNING, AFTERNOON, EVENING = range(4)
DAYPARTS = ("night", "morning", "afternoon", "evening")
DAY_SECONDS = 86_400


DAYPART_HOURS = np.array(
    [
        [22, 22, 20, 16, 8, 4] + [0] * 17 + [8],
        [0] * 6 + [6, 14, 20, 24, 22, 14] + [0] * 12,
        [0] * 12 + [16, 18, 18, 18, 16, 14] + [0] * 6,
        [0] * 18 + [14, 18, 24, 24, 14, 6],
    ],
    dtype=np.float64,
)


@dataclass(frozen=True)
class Habits:
    """What the chance of buying rests on, an array each over customers; rates are per day."""

    visit_rate: np.ndarray
    interest_rate: np.ndarray
    buy_chance: np.ndarray
    valid_share: np.ndarray  # orders neither cancelled, refunded nor returned
    weekend_factor: np.ndarray

    def __getitem__(self, which: np.ndarray) -> Habits:
        """The habits of some customers."""
        return Habits(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass
class Population:
    """The customers, an array each; place i is customer i of every array.

    ``identity`` is a frame: customer_id, full_name, birth_date, gender, email, phone, country,
    province, city, language, signup_channel.
    """

    identity: pl.DataFrame
    shopper_type: np.ndarray
    registered_at: np.ndarray  # local seconds since 1970
    habits: Habits
    tastes: np.ndarray  # (customers, categories), cumulative
    channels: np.ndarray  # (customers, channels), cumulative
    dayparts: np.ndarray  # (customers, 4), cumulative
    underage: np.ndarray
    just_of_age: np.ndarray  # registers on the 18th birthday
    other_self: np.ndarray  # number of the same person's other customer id, or -1
    works_here: np.ndarray  # test accounts

    @property
    def size(self) -> int:
        """Number of customers."""
        return int(self.shopper_type.size)

    def of_type(self, field: str) -> np.ndarray:
        """A habit of each customer's type."""
        return np.asarray(_of_types(field)[self.shopper_type])


def _of_types(field: str) -> np.ndarray:
    """A habit of each type, in their order."""
    return np.array([getattr(kind, field) for kind in TYPES])


def _cumulative(rng: np.random.Generator, weights: np.ndarray, concentration: float) -> np.ndarray:
    """Each row of ``weights`` scattered as a Dirichlet draw, then summed up."""
    gamma: np.ndarray = rng.standard_gamma(weights * concentration + 0.02).astype(np.float32) + 1e-6
    total = np.asarray(np.cumsum(gamma, axis=1))
    return np.asarray(total / total[:, -1:])


def _weights(field: str, names: tuple[str, ...]) -> np.ndarray:
    rows = []
    for kind in TYPES:
        weights = np.array([getattr(kind, field).get(name, 0.0) for name in names])
        rows.append(0.94 * weights / weights.sum() + 0.06 / len(names))
    return np.array(rows)


def draw(cumulative: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One choice a row from cumulative weights."""
    chance = np.asarray(rng.random(cumulative.shape[0], dtype=np.float32))
    beaten = (chance[:, None] > cumulative).sum(axis=1)
    return np.asarray(np.minimum(beaten, cumulative.shape[1] - 1))


def settle(customers: int, first_day: int, days: int, rng: np.random.Generator) -> Population:
    """Draw the population; ``first_day`` is days since 1970. A fifth of it registers as days go by."""
    kinds = rng.choice(len(TYPES), customers, p=[kind.share for kind in TYPES])
    later = rng.random(customers) < 0.2
    sign_up = np.where(
        later, first_day + rng.integers(0, days, customers), first_day - 1 - rng.integers(0, 900, customers)
    )
    return _with_oddities(
        Population(
            identity=_identities(customers, first_day, rng),
            shopper_type=kinds,
            registered_at=sign_up * DAY_SECONDS + rng.integers(0, DAY_SECONDS, customers),
            habits=_habits(kinds, rng),
            tastes=_cumulative(rng, _weights("tastes", words.CATEGORIES)[kinds], 12.0),
            channels=_cumulative(rng, _weights("channels", CHANNELS)[kinds], 20.0),
            dayparts=_cumulative(rng, _of_types("dayparts")[kinds], 12.0),
            underage=np.zeros(customers, dtype=bool),
            just_of_age=np.zeros(customers, dtype=bool),
            other_self=np.full(customers, -1),
            works_here=rng.random(customers) < 0.002,
        ),
        first_day,
        days,
        rng,
    )


def _habits(kinds: np.ndarray, rng: np.random.Generator) -> Habits:
    """Habits scattered around the type's; who comes often also tends to buy often."""
    keenness, restlessness, ease = rng.normal(size=(3, kinds.size))

    def scattered(field: str, logarithm: np.ndarray) -> np.ndarray:
        return np.asarray(_of_types(field)[kinds] * np.exp(logarithm))

    return Habits(
        visit_rate=scattered("visit", 0.45 * keenness + 0.2 * restlessness - 0.05).clip(0.01, 0.6),
        interest_rate=scattered("interest", 1.2 * keenness - 0.55).clip(0.001, 0.4),
        buy_chance=scattered("buy", 0.25 * ease - 0.35).clip(0.02, 0.8),
        valid_share=1 - _of_types("undone")[kinds],
        weekend_factor=_of_types("weekend")[kinds],
    )


def _with_oddities(people: Population, first_day: int, days: int, rng: np.random.Generator) -> Population:
    """Plant minors, newcomers on their 18th birthday, and people with two customer ids."""
    newcomer = people.registered_at >= first_day * DAY_SECONDS
    chance = rng.random(people.size)
    people.underage = chance < 0.001
    people.just_of_age = newcomer & (chance > 0.99)
    sign_up = pl.Series(people.registered_at // DAY_SECONDS).cast(pl.Int32).cast(pl.Date)
    birthday = sign_up.dt.offset_by("-18y")
    last_day = pl.Series(np.full(people.size, first_day + days), dtype=pl.Int32).cast(pl.Date)
    minor = (
        last_day.dt.offset_by("-18y")
        + pl.Series(rng.integers(1, 2000, people.size)).cast(pl.Duration("ms")) * 86_400_000
    )
    birth = people.identity["birth_date"]
    birth = birth.zip_with(~pl.Series(people.underage), minor.cast(pl.Date))
    people.identity = people.identity.with_columns(
        birth.zip_with(~pl.Series(people.just_of_age), birthday).alias("birth_date")
    )
    _double(people, np.flatnonzero(~newcomer & ~people.underage), rng)
    return people


def _double(people: Population, among: np.ndarray, rng: np.random.Generator) -> None:
    """Give some people a second customer id with the same name, address and habits."""
    pairs = min(max(3, people.size // 100), among.size // 2)
    chosen = rng.permutation(among)[: 2 * pairs]
    first, second = chosen[:pairs], chosen[pairs:]
    people.other_self[first] = second
    source = np.arange(people.size)
    source[second] = first
    ids = people.identity["customer_id"]
    people.identity = people.identity[source].with_columns(ids)
    people.habits = people.habits[source]
    for name in ("shopper_type", "tastes", "channels", "dayparts", "works_here"):
        setattr(people, name, getattr(people, name)[source])


def _half_of(pairs: tuple[str, ...], half: int) -> tuple[str, ...]:
    return tuple(pair.split(":")[half] for pair in pairs)


def _pick(pool: tuple[str, ...], places: np.ndarray) -> pl.Series:
    return pl.Series(list(pool), dtype=pl.String).gather(places)


def _identities(customers: int, first_day: int, rng: np.random.Generator) -> pl.DataFrame:
    number = np.arange(customers)
    female = rng.random(customers) < 0.55
    english = rng.random(customers) < 0.15
    surname = rng.integers(0, len(words.SURNAMES), customers)
    given = {name: rng.integers(0, len(pool), customers) for name, pool in words.GIVEN_NAMES.items()}
    english_given = rng.integers(0, len(words.ENGLISH_GIVEN_NAMES["male"]), customers)
    english_surname = rng.integers(0, len(words.ENGLISH_SURNAMES), customers)
    weights = np.array(words.PLACE_WEIGHTS) / sum(words.PLACE_WEIGHTS)
    home = rng.choice(len(words.PLACES), customers, p=weights)
    abroad = rng.integers(0, len(words.PLACES_ABROAD), customers) + len(words.PLACES)
    place = np.where(english & (rng.random(customers) < 0.6), abroad, home)
    places = words.PLACES + words.PLACES_ABROAD
    birth = first_day - (365.25 * (18.5 + 45 * rng.beta(1.6, 2.4, customers))).astype(np.int64)
    frame = pl.DataFrame(
        {
            "number": number,
            "female": female,
            "english": english,
            "surname": _pick(_half_of(words.SURNAMES, 0), surname),
            "pinyin": _pick(_half_of(words.SURNAMES, 1), surname),
            "given_female": _pick(words.GIVEN_NAMES["female"], given["female"]),
            "given_male": _pick(words.GIVEN_NAMES["male"], given["male"]),
            "english_female": _pick(words.ENGLISH_GIVEN_NAMES["female"], english_given),
            "english_male": _pick(words.ENGLISH_GIVEN_NAMES["male"], english_given),
            "english_surname": _pick(words.ENGLISH_SURNAMES, english_surname),
            "domain": _pick(words.MAIL_DOMAINS, rng.integers(0, len(words.MAIL_DOMAINS), customers)),
            "country": _pick(tuple(p[0] for p in places), place),
            "province": _pick(tuple(p[1] for p in places), place),
            "city": _pick(tuple(p[2] for p in places), place),
            "birth_date": pl.Series(birth, dtype=pl.Int32).cast(pl.Date),
            "phone": _phones(number, rng),
            "spelling": rng.integers(0, 3, customers),
            "signup": rng.integers(0, 4, customers),
            "silent": rng.random(customers),
        }
    )
    return frame.select(_identity_columns())


def _phones(number: np.ndarray, rng: np.random.Generator) -> pl.Series:
    """Distinct Chinese mobile numbers, written in three ways."""
    heads = pl.Series(["138", "139", "150", "159", "186", "188"]).gather(rng.integers(0, 6, number.size))
    tails = (
        pl.Series((number.astype(np.int64) * 7_919 + 1_234_567) % 100_000_000).cast(pl.String).str.zfill(8)
    )
    spelling = pl.Series(rng.integers(0, 3, number.size))
    return pl.select(
        pl.when(spelling == 0)
        .then(pl.concat_str(heads, tails))
        .when(spelling == 1)
        .then(pl.concat_str(pl.lit("+86"), heads, tails))
        .otherwise(
            pl.concat_str(heads, pl.lit(" "), tails.str.slice(0, 4), pl.lit(" "), tails.str.slice(4, 4))
        )
        .alias("phone")
    ).to_series()


def _identity_columns() -> list[pl.Expr]:
    """From the drawn parts to what a shop knows about a person."""
    given = pl.when("female").then("given_female").otherwise("given_male")
    english_given = pl.when("female").then("english_female").otherwise("english_male")
    words_of_gender = pl.when("female").then(pl.lit("女 female F")).otherwise(pl.lit("男 male M"))
    mail_name = pl.when("english").then(english_given.str.to_lowercase()).otherwise("pinyin")
    return [
        pl.format("C{}", pl.col("number").add(1).cast(pl.String).str.zfill(7)).alias("customer_id"),
        pl.when("english")
        .then(pl.concat_str(english_given, pl.lit(" "), "english_surname"))
        .otherwise(pl.concat_str("surname", given))
        .alias("full_name"),
        pl.when(pl.col("silent") > 0.06).then("birth_date").alias("birth_date"),
        pl.when(pl.col("silent") < 0.95)
        .then(words_of_gender.str.split(" ").list.get(pl.col("spelling")))
        .otherwise(pl.lit("保密"))
        .alias("gender"),
        pl.when((pl.col("silent") * 100 % 1) > 0.05)
        .then(
            pl.concat_str(
                mail_name, pl.lit("."), pl.col("number").add(1000).cast(pl.String), pl.lit("@"), "domain"
            )
        )
        .alias("email"),
        pl.when((pl.col("silent") * 1000 % 1) > 0.1).then("phone").alias("phone"),
        pl.col("country"),
        pl.col("province"),
        pl.col("city"),
        pl.when("english").then(pl.lit("en")).otherwise(pl.lit("zh")).alias("language"),
        pl.lit(pl.Series(["app", "web", "store", "mini_program"]))
        .gather(pl.col("signup"))
        .alias("signup_channel"),
    ]

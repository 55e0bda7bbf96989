"""Logs and databases that sources.yaml names come through the door: counted, typed, sealed, repeatable."""

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import BinaryIO

import pytest

from customer_profiles.cleaning.clean import quarantine_days
from customer_profiles.cleaning.quarantine import Chosen, release_rows
from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.sources.check import check_table
from customer_profiles.collection.sources.finding import delivered_days, find_delivery
from customer_profiles.collection.sources.load import SourcesError, parse_sources
from customer_profiles.collection.tables import DELIVERIES, PERSONAL
from customer_profiles.settings import CollectionSettings

DAY = date(2026, 3, 3)
AGENT = "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"


def line(url: str, second: int, *, status: int = 200, agent: str = AGENT, cookie: str = "uid=C1") -> str:
    stamp = f"03/Mar/2026:12:00:{second:02} +0800"
    return f'10.0.0.7 - - [{stamp}] "GET {url} HTTP/1.1" {status} 512 "-" "{agent}" "{cookie}"'


@pytest.fixture
def home(shop):
    """``home(yaml, **environ)``: the shop with these sources."""

    def give(text: str, **environ: str):
        tables = parse_sources(dedent(text).encode(), Path("sources.yaml")).tables
        shop.door = replace(shop.door, home=replace(shop.door.home, tables=tables, variables=environ))
        return shop

    return give


@pytest.fixture
def log(tmp_path: Path):
    """``log("access.log", line, ...)``: write a log into the home."""

    def write(name: str, *lines: str) -> Path:
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / name).write_text("".join(f"{each}\n" for each in lines))
        return tmp_path / "logs" / name

    return write


ACCESS = r"""
    tables:
      events:
        - kind: log
          path: logs/access-{day:%Y%m%d}.log*
          customer_pattern: 'uid=(\w+)'
          anonymous_pattern: 'cid=(\w+)'
          pages:
            - {path: '^/product/(?<product_id>\w+)', event_name: product_view}
            - {path: '^/search', event_name: search, parameters: {search_query: q}}
          drop: {our own office: "address = '10.9.9.9'"}
"""


def ledger_of(shop) -> dict:
    return shop.warehouse.frame(DELIVERIES, DAY, DAY).row(0, named=True)


def test_a_log_of_a_day_becomes_events_and_every_line_is_counted(home, log) -> None:
    shop = home(ACCESS)
    log(
        "access-20260303.log",
        line("/product/P1", 1),
        line("/search?q=%E7%BA%A2%E9%9E%8B", 2, cookie="cid=abc"),
        line("/", 3, agent="Googlebot/2.1"),
        line("/healthz", 4),
        line("/missing", 5, status=404),
        line("/", 6).replace("10.0.0.7", "10.9.9.9"),
        line("/", 7, cookie="-"),
        "this is no line",
        line("/product/P1", 1),
    )
    assert delivered_days(shop.door.home, "events") == [DAY]
    loaded = shop.load("events")
    rows = shop.clean("events")
    assert loaded.rows == 5
    assert rows.select("event_name", "product_id", "row_number").rows() == [
        ("product_view", "P1", 1),
        ("search", None, 2),
        ("product_view", "P1", 9),
    ]
    assert rows["customer_key"].to_list() == [shop.keys.key("C1"), None, shop.keys.key("C1")]
    assert rows["anonymous_key"][1] == shop.keys.key("abc")
    assert (
        shop.open("events", rows.row(1, named=True), "search_query", rows["search_query_sealed"][1]) == "红鞋"
    )
    told = ledger_of(shop)
    assert (told["rows"], told["filtered"]) == (5, 4)
    assert sorted(told["filtered_by"]) == [
        "bots: 1",
        "health_checks: 1",
        "not_served: 1",
        "our own office: 1",
    ]
    broken = shop.raw("events").filter(broken_rules=["ragged_row"]).row(0, named=True)
    original = shop.open("events", broken, "original", broken["original_sealed"])
    assert json.loads(original) == {"_line": "this is no line"}
    nobody = shop.raw("events").filter(broken_rules=["somebody_did_it"]).row(0, named=True)
    assert json.loads(shop.open("events", nobody, "original", nobody["original_sealed"])) == {
        "line": line("/", 7, cookie="-")
    }
    assert shop.raw("events")["extra_sealed"].null_count() == 5


def test_lines_left_out_of_a_log_that_grew_are_counted_once_and_of_another_log_anew(home, log) -> None:
    shop = home(ACCESS)
    days = [DAY + timedelta(days=n) for n in range(4)]
    bots = [line("/", second, agent="Googlebot/2.1") for second in range(5)]
    visits = [line("/product/P1", second) for second in range(10, 14)]
    states = [bots[:2] + visits[:1], bots[:3] + visits[:2], bots[:3] + visits[:3], [bots[4], visits[3]]]
    for day, lines in zip(days, states, strict=True):
        log("access-20260303.log", *lines)
        shop.run("events", *days[: days.index(day) + 1])
    counted = shop.fates("events", days[0], days[-1])
    assert [day["filtered"] for day in counted] == [2, 1, 0, 1]
    assert [day["received"] for day in counted] == [1, 1, 1, 1]


def test_last_days_that_a_file_for_all_days_holds_no_more_are_told_with_the_lines_it_lost(home, log) -> None:
    shop = home(ACCESS.replace("access-{day:%Y%m%d}.log", "access.log"))
    days = [DAY + timedelta(days=n) for n in range(3)]
    lines = [line("/", 7 * n + k).replace("03/Mar", f"0{3 + n}/Mar") for n in range(3) for k in range(n + 2)]
    log("access.log", *lines)
    shop.run("events", *days)
    log("access.log", *lines[1:4])  # of 2, 3 and 4 lines a day
    (gone,) = shop.run("events", *days)[days[-1]].gone
    assert gone.startswith(
        f"events of {days[0]} to {days[2]}: logs/access.log changed after loading: 6 of the rows as loaded"
    )
    log("access.log", *lines[2:])  # an export of the last days
    assert shop.run("events", *days)[days[-1]].gone == ()


def test_a_log_read_again_or_delivered_again_under_another_name_is_no_new_event(home, log) -> None:
    shop = home(ACCESS)
    log("access-20260303.log", line("/product/P1", 1), line("/product/P1", 1))
    shop.load("events")
    before = shop.clean("events")
    assert shop.load("events").says == "loaded before, unchanged"
    shop.load("events", rebuild=True)
    assert shop.clean("events").equals(before)
    log("access-20260304.log.1", line("/product/P1", 1), line("/product/P1", 1), line("/", 9))
    shop.load("events", day=date(2026, 3, 4))
    assert shop.clean("events", day=date(2026, 3, 4)).height == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("logs/access.log-{day:%Y%m%d}*", "access.log-20260303.gz"),
        ("logs/*-{day}*.log", "shop-2026-03-03-web1.log"),
        ("./**/{day:%y%m%d}*", "260303"),
        ("logs/{day:%d%b%Y}.log", "03Mar2026.log"),
    ],
)
def test_names_of_rotated_logs_tell_the_day(home, log, path: str, name: str) -> None:
    shop = home(ACCESS.replace("logs/access-{day:%Y%m%d}.log*", path))
    log(name, line("/", 1))
    log("access.log", line("/", 2))
    assert delivered_days(shop.door.home, "events") == [DAY]
    assert shop.load("events").rows == 1


def test_an_empty_log_is_a_day_without_events(home, log) -> None:
    shop = home(ACCESS)
    log("access-20260303.log")
    assert (shop.load("events").rows, ledger_of(shop)["rows"]) == (0, 0)


def test_a_file_that_is_no_log_is_refused(home, log) -> None:
    shop = home(ACCESS)
    log("access-20260303.log", *("a,b,c" for _ in range(20)))
    with pytest.raises(DeliveryError, match="20 of 20 lines cannot be split into columns"):
        shop.load("events")


def test_a_log_that_may_not_be_read_stops_no_other_day(home, log, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, days = home(ACCESS), [DAY, DAY + timedelta(days=1)]
    log("access-20260303.log", line("/", 1))
    log("access-20260304.log", line("/", 2))
    digest = hashlib.file_digest

    def denied(stream: BinaryIO, name: str) -> object:  # by the file's mode it would not be: root reads all
        if "20260304" in stream.name:
            raise PermissionError(13, "Permission denied", stream.name)
        return digest(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", denied)
    ran = shop.run("events", *days)
    assert [(ran[day].rows, len(ran[day].refused)) for day in days] == [(1, 0), (0, 1)]
    assert "access-20260304.log: it cannot be read" in ran[days[1]].refused[0]


def test_one_log_of_many_days_arrives_by_its_lines(home, log) -> None:
    shop = home(ACCESS.replace("access-{day:%Y%m%d}.log*", "all.log"))
    log("all.log", line("/", 1), line("/", 1).replace("03/Mar", "05/Mar"), line("/", 2))
    days = delivered_days(shop.door.home, "events")
    assert days == [DAY + timedelta(days=n) for n in range(3)]
    assert [shop.load("events", day=day).rows for day in days] == [2, 0, 1]


def test_a_log_that_has_just_been_rotated_is_empty_and_stops_no_other(home, log) -> None:
    shop = home(ACCESS.replace("access-{day:%Y%m%d}.log*", "access.log*"))
    log("access.log")
    with pytest.raises(
        DeliveryError, match=r"events of every day: logs/access\.log: it has no rows; deliver"
    ):
        delivered_days(shop.door.home, "events")
    log("access.log.1", line("/", 1), line("/", 2))
    assert delivered_days(shop.door.home, "events") == [DAY]
    assert shop.load("events").rows == 2


def test_logs_that_are_rotated_by_renaming_bring_each_line_once_and_are_released(home, log) -> None:
    numbered, next_day = ACCESS.replace("access-{day:%Y%m%d}.log*", "access.log*"), date(2026, 3, 4)
    shop = home(numbered)
    night, noon = [[line("/", 1), line("/", 2, cookie="-")], [line("/", 3, agent="curl/8"), line("/", 4)]]
    log("access.log.1", *night)
    log("access.log", *noon)
    shop.run("events", DAY)
    quarantine_days(shop.warehouse, DAY, DAY)
    log("access.log.2", *night)
    log("access.log.1", *noon)
    log("access.log", line("/", 5).replace("03/Mar", "04/Mar"))
    (told,) = shop.run("events", next_day).values()
    assert (told.rows, told.gone) == (1, ())
    counted = shop.fates("events", DAY, next_day)
    assert [(day["received"], day["filtered"]) for day in counted] == [(3, 1), (1, 0)]
    assert release_rows(shop.warehouse, Chosen("events", DAY), datetime(2026, 3, 5, tzinfo=UTC)) == (1, 0)
    shop = home(numbered.replace(r"cid=(\w+)", r"^(\S+)"))
    (told,) = shop.run("events", next_day).values()
    assert (told.rows, told.refused, told.gone) == (2, (), ())


APPLICATION = r"""
    tables:
      events:
        - kind: log
          path: logs/app-{day}.ndjson
          format: ndjson
          channel: app
          fields: {url: request.path, agent: request.agent}
          columns:
            event_at: {column: ts, date_format: epoch_ms}
            customer_id: user.id
            event_name: {column: action, values: {tap_buy: add_to_cart}}
          ignore: [request, user]
"""


def test_an_application_says_itself_what_happened(home, log) -> None:
    shop = home(APPLICATION)

    def entry(**members) -> str:
        request = {"path": members.pop("path", "/"), "agent": members.pop("agent", "ShopApp/3 (iPhone)")}
        return json.dumps({"ts": 1772510400000, "user": {"id": "C1"}, "request": request, **members})

    log(
        "app-2026-03-03.ndjson",
        entry(action="tap_buy", product_id="P1", experiment="b"),
        entry(action="search", search_query="shoes"),
        entry(action="search", agent="UptimeRobot/2.0 (bot)"),
        entry(action="search", path="/health"),
        '{"ts": 1772510400000, "user"',
        "[1]",
    )
    assert shop.load("events").rows == 4
    rows = shop.clean("events")
    assert rows.select("event_name", "channel", "device", "product_id").rows() == [
        ("add_to_cart", "app", "phone", "P1"),
        ("search", "app", "phone", None),
    ]
    assert str(rows["event_at"][0]) == "2026-03-03 04:00:00+00:00"
    assert rows["customer_key"].unique().to_list() == [shop.keys.key("C1")]
    assert ledger_of(shop)["filtered_by"] == ["bots: 1", "health_checks: 1"]
    raw = shop.raw("events").row(0, named=True)
    assert json.loads(shop.open("events", raw, "extra", raw["extra_sealed"])) == {"experiment": "b"}


def test_a_header_that_a_server_writes_as_a_list_is_its_first_entry(home, log) -> None:
    shop = home(APPLICATION)
    entry = {"ts": 1772510400000, "user": {"id": "C1"}, "action": "search"}
    agents = (["curl/8.5.0", "x"], ["Mozilla/5.0 (Windows NT 10.0)"], "Mozilla/5.0")
    log("app-2026-03-03.ndjson", *(json.dumps(entry | {"request": {"agent": agent}}) for agent in agents))
    assert shop.load("events").rows == 2
    assert ledger_of(shop)["filtered_by"] == ["bots: 1"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "channel: app",
            "chanel: app",
            r"line 7: tables.events\[0\].chanel: there is no such key; did you mean",
        ),
        ("format: ndjson", "format: combined", "fields are those of format: ndjson"),
        ("url: request.path", "adress: request.path", r"fields names \['adress'\]; a request has address"),
        (
            "channel: app",
            "leave_out: [robots]",
            r"line 7: .*there is no such rule; there are bots",
        ),
        ("channel: app", "customer_pattern: 'uid'", "line 7: .*captures nothing"),
        ("channel: app", "pages: [{path: '(', event_name: search}]", r"line 7: .*is no regular expression"),
        ("events:", "orders:", "a log becomes events, not orders"),
    ],
)
def test_a_mistake_in_a_log_source_is_told_with_its_line(old: str, new: str, says: str) -> None:
    text = dedent(APPLICATION).replace(old, new)
    with pytest.raises(SourcesError, match=says):
        parse_sources(text.encode(), Path("sources.yaml"))


# databases

ORDERS = """
    tables:
      orders:
        - kind: sql
          url_variable: SHOP_URL
          batch_rows: 2
          last_day: 2026-03-04
          query: |
            select id as order_id, line, buyer as customer_id, at, state, pieces, paid::text as paid
            from sold where at >= :day_start and at < :day_end order by id, line
          columns:
            line_number: line
            ordered_at: at
            status_at: at
            quantity: pieces
            amount_minor: {column: paid, minor_units: 2}
            currency: {constant: CNY}
            status: {column: state, values: {bezahlt: paid}}
          drop: {tests: "customer_id = 'TEST'"}
"""
SOLD = "(id text, line int, buyer text, at timestamptz, state text, pieces int, paid numeric(12, 2))"


@pytest.fixture
def sold(postgres):
    """``sold(row, ...)``: the database's table of orders."""

    def fill(*rows: str) -> str:
        postgres.execute("drop table if exists sold", f"create table sold {SOLD}")
        if rows:
            postgres.execute(f"insert into sold values {', '.join(rows)}")
        return postgres.url

    return fill


ROW = "('O{n}', 1, 'C{n}', '2026-03-03 12:00+08', 'bezahlt', 2, 19.90)"


def test_rows_of_a_database_become_orders_of_their_day(home, sold) -> None:
    rows = [ROW.format(n=n) for n in range(1, 6)]
    rows[1] = rows[1].replace("C2", "TEST")
    rows[2] = rows[2].replace("19.90", "'NaN'")
    shop = home(ORDERS, SHOP_URL=sold(*rows, ROW.format(n=9).replace("03-03", "03-04")))
    assert shop.load("orders").rows == 4
    orders = shop.clean("orders")
    assert orders.select("order_id", "amount_minor", "row_number").rows() == [
        ("O1", 1990, 1),
        ("O4", 1990, 4),
        ("O5", 1990, 5),
    ]
    assert orders["status"].unique().to_list() == ["paid"]
    told = ledger_of(shop)
    assert (told["rows"], told["filtered_by"], told["source"]) == (4, ["tests: 1"], "sql:SHOP_URL")
    broken = shop.raw("orders").filter(row_number=3).row(0, named=True)
    assert broken["broken_rules"] == ["amount_minor|non_finite"]
    assert json.loads(shop.open("orders", broken, "original", broken["original_sealed"]))["paid"] == "NaN"


def test_a_url_in_the_file_is_refused_and_not_said() -> None:
    text = dedent(ORDERS).replace("SHOP_URL", "postgresql://u:geheim@h/db")
    with pytest.raises(
        SourcesError, match=r"line 4: .*name of an environment variable, such as SHOP_URL"
    ) as wrong:
        parse_sources(text.encode(), Path("sources.yaml"))
    assert "geheim" not in str(wrong.value)


def test_a_loaded_day_is_history_whatever_the_database_says_since(home, sold) -> None:
    shop = home(ORDERS, SHOP_URL=sold(ROW.format(n=1)))
    shop.load("orders")
    sold(ROW.format(n=1), ROW.format(n=2))
    assert shop.load("orders").says == "loaded before, unchanged"
    assert shop.load("orders", rebuild=True).rows == 2


def test_a_day_without_rows_was_asked_and_is_known_to_be_empty(home, sold) -> None:
    shop = home(ORDERS, SHOP_URL=sold())
    assert delivered_days(shop.door.home, "orders") == [DAY, DAY + timedelta(days=1)]
    assert shop.load("orders").rows == 0
    assert ledger_of(shop)["rows"] == 0
    assert find_delivery(shop.door.home, "orders", date(2026, 3, 5)) is None


def test_lines_are_numbered_across_batches(home, sold) -> None:
    shop = home(ORDERS.replace("line_number: line", "line_number: {place_in: order_id}"),
                SHOP_URL=sold(*(ROW.format(n=1) for _ in range(5))))  # fmt: skip
    shop.load("orders")
    assert shop.clean("orders")["line_number"].to_list() == [1, 2, 3, 4, 5]


def test_rows_that_are_numbered_as_they_come_should_be_ordered(home, sold) -> None:
    in_order = ORDERS.replace("line_number: line", "line_number: {place_in: order_id}")
    url = sold(ROW.format(n=1))
    for text, doubts in ((in_order.replace("order by id, line", ""), 1), (in_order, 0)):
        shop = home(text, SHOP_URL=url)
        said = check_table(shop.door.home, CollectionSettings(), "orders", DAY).doubts
        assert len(said) == doubts
        assert all("line_number: `place_in` numbers rows as the database happens to" in each for each in said)


def test_a_database_that_goes_away_leaves_nothing_of_the_day(home, sold, postgres) -> None:
    shop = home(ORDERS, SHOP_URL=sold(*(ROW.format(n=n) for n in range(300))))
    postgres.execute(
        "create or replace function fall(n int) returns int volatile language plpgsql as $$ begin"
        " if n = 200 then perform pg_terminate_backend(pg_backend_pid()); end if; return n; end $$"
    )
    tables = {
        "orders": tuple(
            source.model_copy(
                update={"query": source.query.replace("pieces", "fall(substr(id, 2)::int) as pieces")}
            )
            for source in shop.door.home.tables["orders"]
        )
    }
    shop.door = replace(shop.door, home=replace(shop.door.home, tables=tables))
    with pytest.raises(DeliveryError, match=r"orders of 2026-03-03: sql:SHOP_URL: .* was lost after .* rows"):
        shop.load("orders")
    assert shop.raw("orders").is_empty()
    assert shop.warehouse.frame(DELIVERIES).is_empty()
    assert shop.vault.days(PERSONAL) == []


def test_a_query_that_returns_other_columns_is_refused_by_name(home, sold) -> None:
    shop = home(ORDERS.replace("pieces,", "pieces as number,"), SHOP_URL=sold(ROW.format(n=1)))
    with pytest.raises(
        DeliveryError, match=r"maps its columns \['pieces'\] to orders, but it has .*'number'"
    ):
        shop.load("orders")


def test_no_part_of_the_url_is_kept_anywhere(home, sold, tmp_path: Path) -> None:
    shop = home(ORDERS, SHOP_URL=sold(ROW.format(n=1)))
    shop.load("orders")
    shop.warehouse.collect(shop.warehouse.read(DELIVERIES))
    assert "geheim" not in repr(shop.door)
    assert "geheim" not in str(shop.warehouse.frame(DELIVERIES).to_dicts())


def test_a_table_that_knows_no_times_is_asked_for_once(home, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection, connection:
        connection.execute("create table goods (product_id, name)")
        connection.execute("insert into goods values ('P1', 'tea'), ('P2', 'cup')")
    source = """
        tables:
          products:
            - kind: sql
              url_variable: SHOP
              query: select * from goods
              {once}
              columns: {{category: {{constant: all}}, valid_from: {{constant: 2026-03-01}}}}
        """
    url = f"sqlite:///{tmp_path / 'shop.sqlite'}"
    shop = home(source.format(once="delivery_day: 2026-03-03"), SHOP=url)
    assert delivered_days(shop.door.home, "products") == [DAY]
    shop.load("products")
    assert shop.clean("products")["product_id"].to_list() == ["P1", "P2"]
    with pytest.raises(DeliveryError, match=r"does not use :day_start and :day_end.*delivery_day"):
        home(source.format(once=""), SHOP=url).load("products", day=date(2026, 3, 4))


def test_an_sqlite_file_feeds_a_table_too(home, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection, connection:
        connection.execute("create table people (id, changed, mail)")
        connection.execute(
            "insert into people values ('C1', '2026-03-03', 'a@b.cn'), ('C2', '2026-03-04', null)"
        )
    shop = home(
        """
        tables:
          customers:
            - kind: sql
              url_variable: CRM
              query: select id as customer_id, changed as updated_at, mail as email from people
                where changed >= :day_start and changed < :day_end
        """,
        CRM=f"sqlite:///{tmp_path / 'shop.sqlite'}",
    )
    shop.load("customers")
    assert shop.clean("customers")["customer_key"].to_list() == [shop.keys.key("C1")]
    assert shop.personal("customers")[1, "email"] == "a@b.cn"


def test_a_query_that_is_worded_anew_asks_for_no_loaded_day_again(home, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection, connection:
        connection.execute("create table people (id, changed, mail)")
        connection.execute("insert into people values ('C1', '2026-03-03', 'a@b.cn')")
        connection.execute("create table members as select 'C2' as id, changed, mail from people")
    source = """
            - kind: sql
              url_variable: CRM
              last_day: 2026-03-04
              query: select id as customer_id, changed as updated_at {more} from {table}
                where changed >= :day_start and changed < :day_end
        """
    people, worded_anew, members = (
        source.format(more=more, table=table)
        for more, table in (("", "people"), (", mail as email", "people"), ("", "members"))
    )
    stored = []
    for sources in (people, worded_anew, worded_anew + members):
        shop = home(f"tables:\n  customers:\n{sources}", CRM=f"sqlite:///{tmp_path / 'shop.sqlite'}")
        shop.run("customers", DAY, DAY + timedelta(days=1))
        stored.append([shop.raw("customers", day=DAY + timedelta(days=n)).height for n in range(2)])
    assert stored == [[1, 0], [1, 0], [1, 1]]  # a second query is asked, and what it brings comes late
    assert shop.raw("customers")["email_key"].null_count() == 1
    shop.run("customers", DAY, rebuild=True)
    assert shop.raw("customers")["email_key"].null_count() == 1
    assert shop.raw("customers").height == 2


def test_a_query_put_before_another_is_asked_and_the_loaded_one_is_not_again(home, tmp_path: Path) -> None:
    file = tmp_path / "shop.sqlite"
    people, guests = (
        f"""
            - kind: sql
              url_variable: CRM
              last_day: 2026-03-04
              query: select id as customer_id, changed as updated_at from {table}
                where changed >= :day_start and changed < :day_end
        """
        for table in ("people", "guests")
    )
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("create table people as select 'C1' as id, '2026-03-03' as changed")
        connection.execute("create table guests as select 'C2' as id, '2026-03-03' as changed")
    stored = []
    for sources in (people, guests + people):
        shop = home(f"tables:\n  customers:\n{sources}", CRM=f"sqlite:///{file}")
        shop.run("customers", DAY, DAY + timedelta(days=1))
        days = [DAY + timedelta(days=n) for n in range(2)]
        stored.append([shop.raw("customers", day=day)["customer_key"].to_list() for day in days])
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("update people set id = 'another'")
    assert stored == [[[shop.keys.key("C1")], []], [[shop.keys.key("C1")], [shop.keys.key("C2")]]]

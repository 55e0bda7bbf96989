"""Lines of access logs become events: whose, what, when. Broken lines keep their place and words."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from customer_profiles.collection.access_logs import (
    completed,
    events_of,
    read_access_log,
    read_application_log,
    read_extended_log,
)
from customer_profiles.collection.log_rules import LogRules
from customer_profiles.collection.repeats import Repeats

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"


def line(
    url: str = "/", *, status: int = 200, method: str = "GET", agent: str = FIREFOX, more: str = ""
) -> str:
    asked = f'"{method} {url} HTTP/1.1" {status} 512'
    return f'10.0.0.7 - - [03/Mar/2026:23:59:58 +0800] {asked} "-" "{agent}"{more}'


@pytest.fixture
def log(tmp_path: Path):
    """``log(lines, ...)``: the events of a log of these lines, and the lines that are none."""

    def read(
        *lines: str | bytes, packed: bool = False, longest: int = 1000, **rules
    ) -> tuple[list[dict], list]:
        content = b"".join((each if isinstance(each, bytes) else each.encode()) + b"\n" for each in lines)
        file = tmp_path / "access.log"
        file.write_bytes(gzip.compress(content) if packed else content)
        seen = Repeats()
        events, broken = [], []
        for texts, requests, ragged in read_access_log(file, longest, ValueError):
            made, left_out = events_of(texts, requests, LogRules(**rules), seen)
            events += made.with_columns(left_out.alias("left_out")).to_dicts()
            broken += ragged
        return events, broken

    return read


def test_a_line_tells_who_when_and_on_what(log) -> None:
    events, broken = log(
        line("/product/P7?from=mail", more=' "uid=C42; cid=a1b2"'),
        customer_pattern=r"uid=(\w+)",
        anonymous_pattern=r"cid=(\w+)",
        session_pattern=r"sid=(\w+)",
        pages=[{"path": "^/product/(?<product_id>[^/]+)", "event_name": "product_view"}],
    )
    (event,) = events
    assert broken == []
    assert len(event.pop("event_id")) == 32
    assert event == {
        "event_at": "2026-03-03T23:59:58+0800", "event_name": "product_view", "channel": "web",
        "customer_id": "C42", "anonymous_id": "a1b2", "session_id": None, "device": "computer",
        "product_id": "P7", "left_out": None,
    }  # fmt: skip


def test_words_searched_for_are_read_from_the_address(log) -> None:
    search = {"path": "^/search", "event_name": "search", "parameters": {"search_query": "q"}}
    queries = ["?q=red+shoes", "?page=2&q=%E7%BA%A2%E9%9E%8B%20%2B1", "?xq=no&q=", "?query=no", ""]
    events, _ = log(*(line(f"/search{query}") for query in queries), pages=[search])
    assert [event["search_query"] for event in events] == ["red shoes", "红鞋 +1", "", None, None]


def test_the_first_page_that_fits_says_what_happened(log) -> None:
    pages = [
        {"path": "^/cart", "method": "POST", "event_name": "add_to_cart", "parameters": {"quantity": "n"}},
        {"path": "^/cart/checkout", "event_name": "checkout_start"},
    ]
    events, _ = log(
        line("/cart/checkout"), line("/cart/7?n=2", method="POST"), line("/"), line("/api", method="PUT"),
        line("https://shop.cn:8443/cart/checkout#top"), pages=pages,
    )  # fmt: skip
    names = ["checkout_start", "add_to_cart", "page_view", "other", "checkout_start"]
    assert [event["event_name"] for event in events] == names
    assert [event["quantity"] for event in events] == [None, "2", None, None, None]


def test_a_page_may_name_the_customer_and_other_lines_keep_theirs(log) -> None:
    pages = [{"path": "^/u/(?<customer_id>[^/]+)", "event_name": "other", "parameters": {"session_id": "s"}}]
    events, _ = log(
        line("/u/C7?s=1", more=" uid=C1"), line(more=" uid=C1"), pages=pages, customer_pattern="uid=(.+)"
    )
    assert [(event["customer_id"], event["session_id"]) for event in events] == [("C7", "1"), ("C1", None)]


def test_who_had_logged_in_is_the_customer_if_no_pattern_tells(log) -> None:
    named = line().replace("- - [", "- frank [")
    events, _ = log(named, line(), line(more=" uid=-"), line(more=" uid=C1"), customer_pattern="uid=([^ ]+)")
    assert [event["customer_id"] for event in events] == ["frank", None, None, "C1"]


@pytest.mark.parametrize(
    ("front", "address", "user"),
    [
        ("shop.cn 10.0.0.7 - -", "10.0.0.7", None),
        ("shop.cn 10.0.0.7 - frank", "10.0.0.7", "frank"),
        ("shop.cn:443 10.0.0.7 ident frank", "10.0.0.7", "frank"),
        ("10.0.0.7, 10.0.0.1,10.0.0.2 - -", "10.0.0.7", None),
        ("shop.cn 10.0.0.7, 10.0.0.1 - Frank Li", "10.0.0.7", "Frank Li"),
        ("- - -", "-", None),
        ("10.0.0.7 ident -", "10.0.0.7", None),
        ("2001:db8::7 - Frank Li", "2001:db8::7", "Frank Li"),
        ('10.0.0.7 - ""', "10.0.0.7", None),
    ],
)
def test_what_stands_in_front_of_a_line_is_no_customers_name(
    tmp_path: Path, front: str, address: str, user: str | None
) -> None:
    (tmp_path / "access.log").write_text(line().replace("10.0.0.7 - -", front) + "\n")
    ((_, requests, ragged),) = read_access_log(tmp_path / "access.log", 1000, ValueError)
    assert (requests.select("address", "user").rows(), ragged) == ([(address, user)], [])


@pytest.mark.parametrize(
    ("logged", "rule"),
    [
        (line("/sts 73/patch small.gif"), "files_of_a_page"),
        (line(agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), "bots"),
        (line(agent="Mozilla/5.0 (compatible; Baiduspider/2.0)"), "bots"),
        (line(agent="curl/8.5.0"), "bots"),
        (line(agent="-"), "bots"),
        (line("/robots.txt"), "bots"),
        (line(agent="kube-probe/1.29"), "health_checks"),
        (line("/healthz?full=1"), "health_checks"),
        (line("/static/app.9f.js?v=3"), "files_of_a_page"),
        (line(status=404), "not_served"),
        (line(status=301), "not_served"),
        (line("/account", status=302), "not_served"),
        (line("/cart", status=302, method="POST"), None),
        (line("/cart", status=303, method="POST"), None),
        (line("/cart", status=308, method="POST"), "not_served"),
        (line("/cart", status=503, method="POST"), "not_served"),
        (line(method="OPTIONS"), "not_a_visit"),
        (line(agent="Mozilla/5.0 (Linux; Android 14; CUBOT X50) Mobile"), None),
        (line("/healthy-food"), None),
        (line(status=304), None),
        (line("/about.html"), None),
        (line().partition(' "-"')[0], None),
    ],
)
def test_nobodys_lines_are_left_out_by_rule(log, logged: str, rule: str | None) -> None:
    events, broken = log(logged)
    assert (events[0]["left_out"], broken) == (rule, [])


def test_rules_can_be_switched_off(log) -> None:
    events, _ = log(line("/a.css", status=404), leave_out=["not_served"])
    assert events[0]["left_out"] == "not_served"
    events, _ = log(line("/a.css", status=404), leave_out=[])
    assert events[0]["left_out"] is None


def test_lines_that_are_none_keep_their_place_and_words(log) -> None:
    events, broken = log(
        line(),
        "",
        "not a line",
        line(),
        b'1.2.3.4 - - [03/Mar/2026:00:00:00 +0800] "GET /\xff',
        b"\0\0\0",
        line()[:60],
    )
    assert len(events) == 2
    assert [number for number, _ in broken] == [2, 4, 5, 6]
    assert [text[:10] for _, text in broken] == ["not a line", "1.2.3.4 - ", "\0\0\0", "10.0.0.7 -"]
    assert r"\xff" in broken[1][1]


@pytest.mark.parametrize(
    "request_line",
    ["-", r"\x16\x03\x01", 'GET /a\\"b', "GET  / HTTP/1.0", "get / http/0.9 extra"],
)
def test_a_strange_request_is_still_a_line(log, request_line: str) -> None:
    events, broken = log(line(status=400).replace("GET / HTTP/1.1", request_line))
    assert [event["left_out"] for event in events] == ["not_served"]
    assert broken == []


def test_common_lines_and_virtual_hosts_are_lines_too(log) -> None:
    common = line().partition(' "-"')[0]
    events, broken = log(common, f"shop.cn:443 {line()}", line(more=" 0.003 cache=HIT"), line() + "\r")
    assert (len(events), broken) == (4, [])
    assert [event["device"] for event in events] == [None, "computer", "computer", "computer"]


EXTENDED = """\
#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Fields: date time cs-method cs-uri-stem cs-uri-query cs-username c-ip cs(User-Agent) sc-status
2026-03-03 08:00:00 GET /search q=red+shoes u7 10.0.0.7 Mozilla/5.0+(Windows+NT+10.0) 200
2026-03-03 08:00:01 GET / - - 10.0.0.7 bingbot/2.0+(+http://www.bing.com) 200
2026-03-03 08:00:02 GET /
#Fields: date\ttime sc-status cs-uri-stem cs(Cookie)
2026-03-03\t08:00:03\t404\t/gone\tuid=u8;%20cid=a1
"""


def test_the_extended_format_names_its_fields_itself_and_may_change_them(tmp_path: Path) -> None:
    (tmp_path / "u_ex.log").write_text(EXTENDED)
    ((texts, requests, ragged),) = read_extended_log(tmp_path / "u_ex.log", 1000, ValueError)
    assert ragged == [(3, "2026-03-03 08:00:02 GET /")]
    told = requests.select("time", "user", "path", "query", "agent")
    assert told.row(0) == (
        "2026-03-03T08:00:00Z",
        "u7",
        "/search",
        "q=red+shoes",
        "Mozilla/5.0 (Windows NT 10.0)",
    )
    assert requests["user"].to_list() == ["u7", None, None]
    assert requests["path"].to_list() == ["/search", "/", "/gone"]
    assert requests["query"].to_list() == ["q=red+shoes", None, None]
    events, left_out = events_of(texts, requests, LogRules(customer_pattern=r"uid=(\w+)"), Repeats())
    assert events["customer_id"].to_list() == ["u7", None, "u8"]
    assert left_out.to_list() == [None, "bots", "not_served"]


def test_an_extended_log_may_begin_with_a_mark_and_hold_hard_spaces(tmp_path: Path) -> None:
    fields = "#Fields: cs-method cs-uri-stem sc-status\n"
    (tmp_path / "u_ex.log").write_text(f"{fields}GET /a\u00a0b\u3000c 200 \n", encoding="utf-8-sig")
    ((_, requests, ragged),) = read_extended_log(tmp_path / "u_ex.log", 1000, ValueError)
    assert (requests["path"].to_list(), ragged) == (["/a\u00a0b\u3000c"], [])


def test_an_extended_log_without_its_fields_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "u_ex.log").write_text("2026-03-03 08:00:00 GET /\n")
    ((texts, _, ragged),) = read_extended_log(tmp_path / "u_ex.log", 1000, ValueError)
    assert (texts.len(), len(ragged)) == (0, 1)


def test_what_a_container_writes_before_the_object_is_passed_over(tmp_path: Path) -> None:
    front = "2026-03-03T08:00:00.1Z stdout F "
    (tmp_path / "pod.log").write_text(f'{front}{{"user": "u7"}}\n{front}Traceback:\n{front}{{"user": \n')
    ((texts, cells, ragged),) = read_application_log(tmp_path / "pod.log", 1000, ValueError)
    assert cells.rows() == [("u7",)]
    assert (texts.to_list(), [number for number, _ in ragged]) == ([f'{front}{{"user": "u7"}}'], [2, 3])


def test_an_impossible_time_is_left_for_the_door_to_judge(log) -> None:
    events, _ = log(line().replace("03/Mar", "03/Foo"), line().replace("+0800", ""))
    assert [event["event_at"] for event in events] == ["2026-Foo-03T23:59:58+0800", "03/Mar/2026:23:59:58 "]


def test_the_same_line_is_the_same_event_in_any_file_and_equal_lines_are_several(log) -> None:
    plain, _ = log(line("/a"), line("/b"), line("/b"))
    packed, _ = log(line("/b"), line("/a"), line("/b"), packed=True)
    assert len({event["event_id"] for event in plain}) == 3
    assert {event["event_id"] for event in plain} == {event["event_id"] for event in packed}


def test_an_endless_line_refuses_the_file(log) -> None:
    with pytest.raises(ValueError, match="longer than 1,000 bytes"):
        log(line(), "x" * 1001)


def test_a_dash_for_the_user_is_nobody_in_any_format() -> None:
    requests = completed({"user": pl.Series(["-", '""', "", "u7", None])}, 5)
    assert requests["user"].to_list() == [None, None, None, "u7", None]


def test_what_an_application_says_wins_over_what_the_address_means() -> None:
    told = {"time": pl.Series(["12:00", "12:01"]), "url": pl.Series(["/search?q=a", "/"])}
    requests = completed(told, 2).with_columns(
        event_name=pl.Series(["share", None]),
        product_id=pl.Series(["P1", None]),
        event_id=pl.Series([None, "own"]),
    )
    pages = [{"path": "^/search", "event_name": "search", "parameters": {"search_query": "q"}}]
    rules = LogRules(pages=pages, channel="app")
    events, left_out = events_of(pl.Series(["{1}", "{2}"]), requests, rules, Repeats())
    assert events["event_name"].to_list() == ["share", "page_view"]
    assert events["product_id"].to_list() == ["P1", None]
    assert events["search_query"].to_list() == ["a", None]
    assert events["event_id"][1] == "own"
    assert len(events["event_id"][0]) == 32
    assert left_out.to_list() == [None, None]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"customer_pattern": "uid=[a"}, "is no regular expression of Rust's kind: unclosed character class"),
        ({"customer_pattern": "(?<=uid=)(a)"}, "look-around"),
        ({"anonymous_pattern": "uid="}, "captures nothing"),
        ({"pages": [{"path": "(?<sku>a)", "event_name": "search"}]}, "'sku'.* are no columns of events"),
        ({"pages": [{"path": "a", "event_name": "look"}]}, "event_name 'look' is none of page_view"),
        ({"pages": [{"path": "a", "event_name": "search", "parameters": {"words": "q"}}]}, "'words'"),
        ({"leave_out": ["robots"]}, "there are bots, health_checks"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(rules: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        LogRules(**rules)

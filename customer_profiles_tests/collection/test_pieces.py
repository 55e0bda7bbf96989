"""A large file comes in piece by piece, and nobody can tell from the rows."""

from __future__ import annotations

import json
from datetime import date, timedelta

import polars as pl
import pytest

from customer_profiles.collection import door, formats, pieces, reading, text_files
from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.tables import DELIVERIES, PERSONAL, RAW

DAY = date(2026, 3, 3)
HEADER = "event_id,event_at,event_name,channel,customer_id,search_query\n"
LINES = [f"E{n % 300},2026-03-03 10:00:00,search,web,C{n},red shoes {n % 2}\n" for n in range(900)]
LINES[3], LINES[450], LINES[899] = "E3,ragged\n", LINES[7], "E899,2026-03-03,search\n"
CSV = HEADER + "".join(LINES)


@pytest.fixture(params=["csv", "ndjson", "parquet"])
def delivered(request, shop) -> str:
    form = str(request.param)
    rows = pl.read_csv(CSV.encode(), truncate_ragged_lines=True)
    content = {"csv": CSV, "ndjson": rows.write_ndjson() + '{"broken\n', "parquet": rows}[form]
    shop.deliver("events", content, form=form)
    return form


def test_rows_are_those_of_the_file_read_at_once(
    shop, delivered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("events", DAY)
    at_once = shop.raw("events"), shop.clean("events")
    in_small_pieces(monkeypatch)
    (part,) = reading_parts(shop)
    assert len(list(part.read())) > 5
    shop.run("events", DAY, rebuild=True)
    assert shop.raw("events").equals(at_once[0])
    assert shop.clean("events").equals(at_once[1])


def test_what_a_killed_load_left_in_the_vault_goes_though_only_later_pieces_are_new(
    shop, sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    people = [sound("customers", customer_id=f"C{n}") for n in range(150)]
    shop.deliver("customers", people[:120])
    shop.run("customers", DAY)
    shop.deliver("customers", people)
    later = DAY + timedelta(days=1)
    shop.run("customers", later)
    held = shop.vault.frame(PERSONAL)
    for table in (RAW["customers"], DELIVERIES):  # as if killed after the vault's commit, before this one's
        shop.warehouse.delete(table, {"delivery_day": later})
    shop.run("customers", later)
    assert shop.raw("customers", day=later).height == 30
    assert shop.vault.frame(PERSONAL).equals(held)


def test_what_only_the_whole_file_tells_still_refuses_it(shop, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch)
    shop.deliver("events", CSV.replace("10:00:00", "ten o'clock"))
    ran = shop.run("events", DAY)[DAY]
    assert "cells cannot be read" in ran.refused[0], ran.refused
    assert shop.raw("events").is_empty()
    shop.deliver("events", CSV + '"never closed\n')
    with pytest.raises(DeliveryError, match="quotation mark in row 901 is never closed"):
        shop.receive("events")


def test_a_large_file_none_of_whose_lines_fits_its_header_is_refused(
    shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    shop.deliver("events", HEADER + "".join(f"{line.strip()},\n" for line in LINES[4:300]))
    ran = shop.run("events", DAY)[DAY]
    assert "296 of 296 lines cannot be split into columns" in ran.refused[0]


def test_large_ndjson_may_hold_a_piece_without_an_object(
    shop, sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    good, broken = [json.dumps(sound("events", event_id=f"E{n}")) for n in range(200)], ["[1,"] * 100
    shop.deliver("events", "\n".join([*good, *broken, *broken[:3]]), form="ndjson")
    assert shop.receive("events").rows["broken_rules"].list.len().to_list() == [0] * 200 + [1] * 103
    shop.deliver("events", "\n".join(broken), form="ndjson")
    with pytest.raises(DeliveryError, match="no line of it is a JSON object with columns; deliver one"):
        shop.receive("events")


@pytest.mark.parametrize(("form", "head"), [("csv", HEADER), ("ndjson", "")])
def test_a_large_file_of_blank_lines_is_a_delivery_without_rows(
    shop, form: str, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    shop.deliver("events", head + "\n" * 9_000, form=form)
    (part,) = reading_parts(shop)
    assert [(file.places.height, file.bytes) for file in part.read()] == [(0, len(head) + 9_000)]
    assert shop.run("events", DAY)[DAY].fate == "loaded"


def test_a_large_file_is_asked_for_its_open_quotation_marks_alone(
    shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    inches = 'E901,2026-03-03 10:00:00,search,web,C1,TV 42"\n'
    fine = CSV + inches + 'E902,2026-03-03 10:00:00,search,web,C1,"red\nshoes, size 42"\n'
    shop.deliver("events", fine)
    assert shop.receive("events").rows.height == 902
    torn = [f'E{n},2026-03-03 10:00:00,search,web,C1,"red shoes {n}\n' for n in (903, 904)]
    shop.deliver("events", fine + "".join(torn))
    with pytest.raises(DeliveryError, match="quotation mark in row 903 is never closed"):
        shop.receive("events")


def test_a_changed_large_file_brings_its_new_rows_alone(shop, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch)
    shop.deliver("events", CSV)
    shop.run("events", DAY, DAY + timedelta(1))
    shop.deliver("events", CSV + "E900,2026-03-03 10:00:00,login,web,C1,\n")
    ran = shop.run("events", DAY, DAY + timedelta(1))
    assert ran[DAY + timedelta(1)].rows == 1


def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    monkeypatch.setattr(pieces, "ROWS", 100)
    monkeypatch.setattr(pieces, "BLOCK", 1_000)
    monkeypatch.setattr(door, "ROWS", 100)  # else neighbours pass together
    for module in (text_files, formats):
        monkeypatch.setattr(module, "CHUNK", 1_000)


def reading_parts(shop):
    delivery = find_delivery(shop.door.home, "events", DAY)
    return delivery.parts if delivery else ()

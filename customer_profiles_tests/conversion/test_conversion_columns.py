"""Columns: any table as numbers and text."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from customer_profiles.conversion import ConversionModel
from customer_profiles.conversion.columns import (
    column_kinds,
    require,
    texts,
    with_numbers,
)
from customer_profiles.conversion.days import days_among, with_days
from customer_profiles.conversion.frames import InputsError, as_frame


def kinds(**columns):
    return column_kinds(pl.DataFrame(columns))


def test_kinds_follow_types():
    numeric, categories = kinds(
        age=[1, 2],
        spend=[0.5, None],
        returning=[True, None],
        since=[date(2026, 1, 1), None],
        seen=[datetime(2026, 1, 1, tzinfo=UTC), None],
        city=["北京", None],
        empty=[None, None],
        tags=[["a"], ["b"]],
    )
    assert numeric == ["age", "spend", "returning", "since", "seen"]
    assert categories == ["city"]


def test_text_that_holds_numbers_is_numbers_unless_it_looks_like_a_code():
    amounts = [f" {n}.5" for n in range(30)] + ["", None]
    postcodes = [f"0{n}" for n in range(32)]
    grades = [str(n % 5) for n in range(32)]
    gaps, words = [*amounts[:-2], "N/A", " ? "], [*amounts[:-1], "many"]
    numeric, categories = kinds(amounts=amounts, postcodes=postcodes, grades=grades, gaps=gaps, words=words)
    assert (numeric, categories) == (["amounts", "gaps"], ["postcodes", "grades", "words"])


def test_everything_that_counts_becomes_a_number_and_the_rest_unknown():
    frame = pl.DataFrame(
        {
            "since": [date(1970, 1, 2), None, None],
            "seen": [datetime(1970, 1, 1, 12, tzinfo=UTC), None, None],
            "lasted": [timedelta(days=2), None, None],
            "returning": [True, False, None],
            "typed": [" 2.5 ", "n/a", ""],
        }
    )
    numbers = with_numbers(frame, frame.columns)
    assert numbers.row(0) == (1.0, 0.5, 2.0, True, 2.5)
    assert numbers["typed"].to_list() == [2.5, None, None]


def test_words_where_the_model_reads_numbers_are_refused_by_name():
    with pytest.raises(InputsError, match=r"age \(such as 'old'\)"):
        with_numbers(pl.DataFrame({"age": ["old", "young"], "spend": [1, 2]}), ["age", "spend"])


def test_pandas_arrow_and_polars_give_the_same_frame():
    table = pd.DataFrame({"age": [1.0, np.nan], "city": ["北京", None], 3: ["a", 1]}, index=[7, 7])
    frame = as_frame(table)
    assert frame.columns == ["age", "city", "3"]
    assert frame["3"].to_list() == ["a", "1"]
    assert as_frame(frame) is frame
    assert as_frame(pa.table({"age": [1, 2]}))["age"].to_list() == [1, 2]


def test_pandas_intervals_are_categories_and_periods_are_times():
    ages = pd.cut(pd.Series([15, 25, np.nan]), [10.0, 20, 30])
    table = pd.DataFrame({"age": ages, "born": pd.PeriodIndex(["2001-01", "1999-05", None], freq="M")})
    frame = as_frame(table.assign(interval=ages.astype(ages.cat.categories.dtype)))
    assert frame["age"].to_list() == frame["interval"].to_list() == ["(10.0, 20.0]", "(20.0, 30.0]", None]
    assert frame["born"].dt.date().to_list() == [date(2001, 1, 1), date(1999, 5, 1), None]


def test_what_is_no_table_is_refused():
    with pytest.raises(InputsError, match="got ndarray"):
        as_frame(np.zeros((2, 2)))


def test_columns_of_one_name_are_named():
    for table in (pd.DataFrame([[1, 2]], columns=["a", "a"]), pa.table([[1], [2]], names=["a", "a"])):
        with pytest.raises(InputsError, match="more than one column a"):
            as_frame(table)


def test_pandas_columns_of_odd_types_are_named():
    table = pd.DataFrame({"age": [1, 2]})
    for odd in (np.array([1j, 2j]), pd.arrays.SparseArray([0, 1])):
        with pytest.raises(InputsError, match=r"no types to learn from: wave \((complex128|Sparse)"):
            as_frame(table.assign(wave=odd))
    with pytest.raises(InputsError, match=r"no types to learn from: serial \(object"):
        as_frame(table.assign(serial=[10**30, 10**30 + 1]))


def test_arrow_columns_that_polars_cannot_hold_are_named():
    waits = pa.array([(1, 2, 3)] * 2, type=pa.month_day_nano_interval())
    with pytest.raises(InputsError, match=r"no types to learn from: wait \(month_day_nano_interval\)"):
        as_frame(pa.table({"age": [1, 2], "wait": waits}))


def test_a_list_where_the_model_reads_a_number_or_text_is_named():
    frame = pl.DataFrame({"age": [[1], [2]], "city": [{"name": "a"}] * 2, "spend": [1, 2]})
    with pytest.raises(InputsError, match=r"holds neither in age \(List\(Int64\)\), city \(Struct"):
        require(frame, frame.columns)


def test_columns_that_are_not_read_are_told():
    rows = 100
    place = range(rows)
    frame = pl.DataFrame(
        {
            "spend": np.arange(rows),
            "basket": [[1]] * rows,
            "box": [{"a": 1}] * rows,
            "note": [f"note {n // 2}" if n < 60 else f"note {n}" for n in place],
            "shop": [f"shop {n // 5}" for n in place],
            "town": [f"town {min(n, 70)}" for n in place],
        }
    )
    label, told = np.arange(rows) % 2, []
    ConversionModel(shapes=["stepped"], report=told.append).fit(frame, label)
    assert "not read, neither numbers nor categories: basket (List(Int64)), box (Struct" in told[0]
    assert told[0].endswith("({'a': Int64})), note (words that hardly repeat)")
    with pytest.raises(InputsError, match=r"no column to learn from; not read: basket \(List"):
        ConversionModel().fit(frame.select("basket"), label)


def test_amounts_and_days_that_are_text_are_told():
    """One word among amounts makes them a category, of which then no value is frequent enough to count."""
    place, label, told = np.arange(100), np.arange(100) % 2, []
    either = [f"{n % 12 + 1}/{n // 12 + 1}/2026" for n in place]
    frame = pl.DataFrame(
        {
            "spend": [f"{n}.5" for n in place],
            "dirty": ["many", *(f"{n}.5" for n in place[1:])],
            "paid": [f"1,{n:03}.50" for n in place],
            "part": [f"{n}%" for n in place],
            "since": either,
            "postcode": [f"{n:05}" for n in place],
            "sku": [f"A{n}" for n in place],
            "grade": [str(n % 5) for n in place],
        }
    )
    ConversionModel(shapes=["stepped"], report=told.append).fit(frame, label)
    columns = "dirty (1.5), paid (1,000.50), part (0%), since (1/1/2026)"
    assert told[0].endswith("categories: postcode (words that hardly repeat), sku (words that hardly repeat)")
    assert told[1] == f"read as categories, convert them if they are amounts or days: {columns}"
    told.clear()
    ConversionModel(shapes=["stepped"], report=told.append, categories=["sku"], numeric=["spend"]).fit(
        frame, label
    )
    assert told == []


def test_a_code_is_the_same_category_where_pandas_made_it_a_decimal():
    """A column of whole numbers that lacks one value is a column of decimals to pandas."""
    assert texts(pl.Series([7.0, 2.5, None])).to_list() == ["7", "2.5", "(missing)"]
    assert texts(pl.Series([7, 10])).to_list() == ["7", "10"]
    assert texts(pl.Series(["v1.0"])).to_list() == ["v1.0"]


def test_a_category_is_the_same_whatever_carried_it():
    """A CSV that is read as text has what pandas and Polars hold as decimals and truth values."""
    carriers = [True, False, None], ["True", "False", ""], [" true", "FALSE ", None]
    assert {tuple(texts(pl.Series(cells))) for cells in carriers} == {("true", "false", "(missing)")}
    assert texts(pl.Series(["7.0", "7", " 7"], dtype=pl.Categorical)).to_list() == ["7"] * 3
    flags = pl.DataFrame({"flag": carriers[1]})
    assert with_numbers(flags, ["flag"])["flag"].to_list() == [1, 0, None]


def test_a_number_that_is_written_in_another_way_is_refused_though_some_cells_read():
    """All that does not read counts as unknown: of decimal commas the whole numbers alone would be left."""
    frame = pl.DataFrame({"spend": ["12,5", "3,25", "4", "1,5"], "age": ["31", "n/a", "?", "x"]})
    assert with_numbers(frame, ["age"])["age"].to_list() == [31, None, None, None]
    with pytest.raises(InputsError, match=r"spend \(such as '12,5'\)"):
        with_numbers(frame, ["spend", "age"])


def test_days_that_are_text_are_times_where_one_way_of_writing_them_fits():
    frame = pl.DataFrame(
        {
            "joined": ["04-09-2012", "21-08-2013", "?"],
            "seen": ["2026-03-01 10:00:30", "", "2026-03-02 08:15:00.5"],
            "paid": ["1/21/2014", "02/01/2014", "3/3/2014"],
            "either": ["03/04/2026", "04/03/2026", "05/03/2026"],
            "short": ["21-08-13", "22-08-13", "23-08-13"],
            "version": ["1.2.3", "1.2.4", "1.3.0"],
        }
    )
    days = days_among(frame)
    assert days == {"joined": "%d-%m-%Y", "seen": "%Y-%m-%d %H:%M:%S%.f", "paid": "%m/%d/%Y"}
    times = with_days(frame, days)
    assert times["joined"].dt.date().to_list() == [date(2012, 9, 4), date(2013, 8, 21), None]
    assert column_kinds(times)[0] == ["joined", "seen", "paid"]
    assert with_days(times, days).equals(times)
    with pytest.raises(InputsError, match=r"days as %d-%m-%Y.*joined \(such as '2012-09-04'\)"):
        with_days(pl.DataFrame({"joined": ["2012-09-04"]}), days)


def test_columns_that_are_named_count_once_and_one_name_is_one_column():
    frame = pl.DataFrame({"age": [1, 2], "city": ["a", "b"]})
    assert column_kinds(frame, ["age", "age"], "city") == (["age"], ["city"])

"""Lines of JSON are read together as each alone."""

from __future__ import annotations

import pytest

from customer_profiles.collection.json_cells import MOST_NAMES, json_row, json_rows

VALUES = [
    *("0", "-0", "7", "-12", "007", "+1", "123456789012345678", "12345678901234567890", "1e5", "1E400"),
    *(
        "1.0",
        "1.50",
        "12.5",
        "-0.5",
        "0.1",
        "0.0001",
        "0.00012",
        "999999999.9999",
        "123456789.00001",
        "1.",
        ".5",
    ),
    *("null", "true", "false", "True", "NaN", "-Infinity", "[1, 2]", '{"a": 1}', "[]", ""),
    *('""', '"null"', '"1"', '"a b"', '"红鞋"', '"\\u7ea2"', '"\\ud800"', '"\\n"', '"a\tb"', '"a\x01"'),
    *('"say \\"no\\""', '"{"', '"}, {"', '"a,b:c"', '"\ufeff"', '"\u2028"', '"\\\\"', '"open'),
]
FORMS = [
    '{{"id": {}, "名 x": "a"}}',
    '{{"id":1,"名 x":{}}}\r',
    ' {{ "id" : {} ,\t"名 x" : 2 }} ',
    '{{"名 x": {}, "id": 1}}',
    '{{"id": {}}}',
    '{{"id": 1, "id": {}}}',
    '{{"id": {}, "名 x": 1, "more": 1}}',
    '\ufeff{{"id": {}, "名 x": 1}}',
    '{{"id": {}, "名 x": 1}} {{}}',
    '\xa0{{"id": {}, "名 x": 1}}',
]


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("first", ['{"id": 1, "名 x": "a"}', "no object", "{}", '{"id": [1], "名 x": 2}'])
def test_lines_read_together_are_what_each_is_alone(decimal: str, first: str) -> None:
    lines = [first.encode(), *(form.format(value).encode() for value in VALUES for form in FORMS)]
    alone = [json_row(line, decimal) for line in lines]
    cells, sound = json_rows(lines, decimal)
    assert sound.to_list() == [row is not None for row in alone]
    told = [{name: cell for name, cell in row.items() if cell is not None} for row in cells.to_dicts()]
    objects = [row for row in alone if row is not None]
    assert told == [{name: cell for name, cell in row.items() if cell is not None} for row in objects]


@pytest.mark.parametrize("width", [MOST_NAMES, MOST_NAMES + 1, 2_000])
def test_wide_objects_are_read(width: int) -> None:
    line = "{" + ", ".join(f'"n{number}": "{number}"' for number in range(width)) + "}"
    cells, sound = json_rows([line.encode()] * 2)
    assert sound.all()
    assert cells.row(1) == tuple(str(number) for number in range(width))


def test_objects_without_members_are_rows_without_cells() -> None:
    cells, sound = json_rows([b"{}", b"[]", b"{}"])
    assert (cells.columns, sound.to_list()) == ([], [True, False, True])
    assert json_rows([])[1].is_empty()

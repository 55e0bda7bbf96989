"""The model's page on a terminal."""

from io import StringIO

from rich.console import Console

from customer_profiles.orchestration.model_screen import show_rows


def test_a_narrow_terminal_folds_words_and_cuts_none():
    shown = StringIO()
    rates = {f"rate {place}": "-28.3 (-35.0 to 53.4)" for place in range(5)}
    rows = [{"campaign": "members_week_of_the_east", **rates, "verdict": "insufficient evidence"}]
    show_rows(Console(file=shown, width=60), rows)
    body = shown.getvalue().partition("─\n")[2]
    assert "".join(line.split(" ")[0] for line in body.splitlines()) == "members_week_of_the_east"
    assert "…" not in body

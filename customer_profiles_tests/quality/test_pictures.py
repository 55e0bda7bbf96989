"""Pictures show Chinese words."""

from __future__ import annotations

import os
import warnings

import pytest
from matplotlib.figure import Figure

from customer_profiles.quality.pictures import _families, png


def test_chinese_words_are_drawn_wherever_they_stand_and_missing_ones_are_no_error() -> None:
    if len(_families()) == 1 and not os.environ.get("CI"):
        pytest.skip("no font with Chinese letters on this machine: apt install fonts-wqy-microhei")
    axes = (figure := Figure()).subplots()
    axes.bar(["山东", "Hunan"], [1, 2], label="湖南")
    axes.set_title("省份 province")
    axes.set_yticks([1], ["一"])
    axes.legend()
    axes.text(0, 1, "省")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert png(figure).startswith(b"\x89PNG")

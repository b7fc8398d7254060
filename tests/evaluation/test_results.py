"""Results of an evaluation: summary and table."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from impasto.cli import console
from impasto.evaluation import candidates
from impasto.evaluation.results import Comparison, Failure, Row


def row(method="m", style=1.0, seconds=None, memory=None):
    names = ("gram", "content", "edges", "edge_ssim", "sliced", "color", "layout")
    numbers = {"style": style, **dict.fromkeys(names, 0.5)}
    sentinel = method in candidates.SENTINELS
    return Row(method, "c", "s", numbers, {}, seconds, memory, sentinel=sentinel)


def test_summary_and_table():
    rows = (
        row(style=0.2, seconds=1.0, memory=10**9),
        row(style=0.4, seconds=3.0, memory=2 * 10**9),
    )
    found = Comparison(384, 0, (row("photo"), *rows), (Failure("m", "c", "t", "why"),))
    photo, line = found.summary()
    assert line["style"] == {"mean": pytest.approx(0.3), "std": pytest.approx(0.1)}
    assert line["seconds"] == {"mean": 2.0, "std": 1.0}
    assert (line["pictures"], line["memory"], line["device_memory"]) == (2, 2 * 10**9, None)
    assert photo["seconds"] is photo["memory"] is None
    table = list(found.table())
    assert all(len(cells) == len(found.header) for cells in table)
    assert table[0][-2:] == ("", "")
    assert table[1][1:3] == ("2", "0.30")
    assert table[1][-1] == "2000 MB"
    assert [cells[0] for cells in table] == ["the photo itself", "m"]
    assert line["lattice"] is line["flicker"] is None
    assert "flicker" not in found.header
    assert json.loads(found.json())["failures"] == [
        {"method": "m", "content": "c", "style": "t", "error": "why"}
    ]


def test_the_table_fits_into_a_hundred_columns(capsys):
    shaky = row(method="style-prediction", seconds=12.34, memory=2 * 10**9)
    shaky = replace(shaky, metrics={**shaky.metrics, "lattice": 1.5})
    found = Comparison(384, 0, (row("painting"), shaky))
    console.table(found.header, found.table())
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 100
    (cells,) = (line.split() for line in lines if "style-prediction" in line)
    assert cells[-4:] == ["1.50", "12.34", "2000", "MB"]
    shaky = replace(shaky, metrics={**shaky.metrics, "flicker": 3.25})
    found = Comparison(384, 0, (row("painting"), shaky))
    assert [dict(zip(found.header, cells, strict=True))["flicker"] for cells in found.table()] == [
        "",
        "3.25",
    ]

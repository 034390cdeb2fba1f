"""README.md and DESIGN.md beside the code that they speak of: paths, verbs and options, tables, the diagram."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from msgspec import structs

from actors.cli.main import VERBS, app
from actors.guard import LIVE_DEFAULTS
from actors.live.opening import WANTED
from core.dialect.binance.hosts import VenueTable
from core.risk.limits import KEYS
from core.session import MOVES
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
DESIGN = (ROOT / "DESIGN.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in README.splitlines() if line.startswith("|")]
COMMANDS = [shlex.split(line, comments=True) for line in README.replace("\\\n", "").splitlines() if line.startswith("astrarium ")]


@pytest.mark.parametrize("page", [README, DESIGN], ids=["README", "DESIGN"])
def test_every_path_of_the_tree_that_is_named_is_there(page: str) -> None:
    named = set(re.findall(r"`((?:core|actors|tests|bench|strategies)/[\w./]*)`", page))
    assert len(named) > 10
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_verb_is_shown_and_takes_the_options_that_are_shown_with_it() -> None:
    assert {words[1] for words in COMMANDS} == set(VERBS)
    for words in COMMANDS:
        app.parse_args(words[1:], exit_on_error=False, print_error=False)  # raises for what no verb takes


def test_every_limit_has_its_row_with_what_holds_live() -> None:
    rows = {name: row for row in ROWS for name in re.findall(r"`(\w+)`", row[0])}
    for name in KEYS:
        row = rows[name]
        names = re.findall(r"`(\w+)`", row[0])
        defaults = [cell.strip() for cell in row[2].split(",")] if row[2] else [""] * len(names)
        value: Any = structs.asdict(LIVE_DEFAULTS).get(name)
        said = defaults[names.index(name)]
        if name in WANTED:
            assert said == "must be set"
        elif value is None:
            assert said == "", name
        else:
            assert said == (str(value).lower() if isinstance(value, bool) else f"{value:g}"), name


def test_every_key_of_a_venue_has_its_row() -> None:
    named = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[0])}
    of_a_session_alone = {"kline_minutes"}  # a market's host asks for the bars that its strategies want
    assert set(VenueTable.__struct_fields__) - named == of_a_session_alone


def test_the_diagram_of_a_session_is_its_table() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+)$", README, re.M)
    assert drawn == list(MOVES)

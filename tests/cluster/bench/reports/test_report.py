"""The page and the JSON file of a run."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.reports.document import SCHEMA, Document, Measure, Run
from cluster.bench.reports.page import page
from cluster.bench.reports.report import read_report, write_report
from tests.cluster.bench.reports.made_up import document, served

FLOATS = st.floats(allow_nan=True)


class Parsed(HTMLParser):
    """Tags of a page, their ids and references, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                self.references.append(str(value))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def whole() -> str:
    return page(document())


def test_the_page_needs_nothing_else(whole: str) -> None:
    found = Parsed(whole)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert all(reference.startswith("#") for reference in found.references)
    assert "http" not in whole
    assert "@import" not in whole
    assert all(match.startswith("#") for match in re.findall(r"url\(([^)]*)\)", whole))


def test_ids_are_unique_and_references_resolve(whole: str) -> None:
    found = Parsed(whole)
    assert len(found.ids) == len(set(found.ids))
    inside = {*found.references, *re.findall(r"url\(([^)]*)\)", whole)}
    assert {reference.removeprefix("#") for reference in inside} <= set(found.ids)


def test_the_page_says_what_was_run_where_and_what_came_out(whole: str) -> None:
    made = document()
    for text in (made.command, made.started, "A processor", "vllm", "Made up.", "3.3, missed"):
        assert text.replace(">", "&gt;") in whole
    for heading in ("Accuracy and tokens", "Against load", "Latency", "Over time", "Runs"):
        assert f"<h2>{heading}</h2>" in whole
    assert "Compute by program: value at rate 2" in whole


def test_colours_are_those_of_the_theme(whole: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", whole, flags=re.DOTALL))
    assert "var(--c0)" in drawn
    assert "var(--ink)" in drawn
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawn)) <= {"#ffffff", "#888888"}


def test_the_same_document_makes_the_same_page(whole: str) -> None:
    assert page(document()) == whole


def test_text_is_escaped() -> None:
    nasty = "<b>$x_2$ & \"'</b>"
    run = Run(
        system=nasty,
        load={nasty: 1.0},
        served=(served(0, system=nasty), served(1, system=nasty, latency_s=9.0)),
        timeline=({"at_s": 0.0, nasty: 1.0}, {"at_s": 1.0, nasty: 2.0}),
    )
    made = Document(
        bench=nasty,
        command=nasty,
        started=nasty,
        machine={nasty: nasty},
        settings={nasty: nasty},
        notes=(nasty,),
        measures=(Measure(name=nasty, value=1, low=1, high=1, unit=nasty),),
        runs=(run,),
    )
    found = Parsed(page(made))
    assert "b" not in found.tags
    assert any(nasty in word for word in found.words)


def test_only_what_there_are_data_for_is_shown() -> None:
    bare = page(Document(bench="scale", command="dynasor bench scale", started="now"))
    assert "<svg" not in bare
    assert "<h2>Runs" not in bare
    assert "<h2>Measures" not in bare
    refused = Run(system="value", served=(served(outcome="refused", correct=False, tokens=0),))
    shown = page(Document(bench="online", command="", started="", runs=(refused,)))
    assert "<svg" not in shown
    assert "<h2>Runs" in shown


def test_a_document_round_trips_through_its_file(tmp_path: Path) -> None:
    made, there = document(), tmp_path / "new" / "directory"
    write_report(made, there)
    assert read_report(there) == made
    assert read_report(there / "report.json") == made


@given(FLOATS, FLOATS, FLOATS)
def test_numbers_that_json_has_not_round_trip(value: float, latency_s: float, at_s: float) -> None:
    made = Document(
        bench="online",
        command="",
        started="",
        measures=(Measure(name="m", value=value, low=value, high=value, repeats=(value,)),),
        runs=(Run(system="s", served=(served(latency_s=latency_s),), timeline=({"at_s": at_s},)),),
    )
    text = made.model_dump_json(exclude_defaults=True)
    parsed: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    assert parsed["schema_version"] == SCHEMA
    again = Document.model_validate_json(text)
    for before, after in (
        (value, again.measures[0].value),
        (value, again.measures[0].repeats[0]),
        (latency_s, again.runs[0].served[0].latency_s),
        (at_s, again.runs[0].timeline[0]["at_s"]),
    ):
        assert after == before or (math.isnan(after) and math.isnan(before))

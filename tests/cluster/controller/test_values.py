"""Value models on disk: what a controller starts with, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.controller import values
from cluster.controller.values import ValueFile
from cluster.settings import ControllerSettings
from dynasor.errors import InvalidField
from dynasor.value.values import ValueModels


def file_of(**settings: Any) -> ValueFile:
    return ValueFile(ControllerSettings(**settings))


def loaded(file: ValueFile) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    file.load(seen.append)
    return seen


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "given.json"
    path.write_text('{"from": "given"}')
    return path


def test_without_settings_nothing_is_loaded():
    assert loaded(file_of()) == []


def test_the_given_file_is_loaded(given):
    assert loaded(file_of(value_model=str(given))) == [{"from": "given"}]


def test_a_bundled_one_goes_by_its_models_name(given, monkeypatch):
    monkeypatch.setitem(values.values_path.__globals__["VALUES"], "abacus", lambda: given)
    assert loaded(file_of(value_model="abacus")) == [{"from": "given"}]


async def test_a_controller_goes_on_from_what_was_saved(given, tmp_path):
    kept = tmp_path / "new" / "kept.json"
    file = file_of(value_model=str(given), value_model_save=kept)
    assert loaded(file) == [{"from": "given"}]
    await file.save({"from": "traffic"})
    assert loaded(file_of(value_model=str(given), value_model_save=kept)) == [{"from": "traffic"}]
    assert list(kept.parent.iterdir()) == [kept], "no temporary file is left"


async def test_a_real_document_survives(tmp_path):
    kept = tmp_path / "kept.json"
    document = ValueModels().document()
    await file_of(value_model_save=kept).save(document)
    taken = []
    file_of(value_model_save=kept).load(lambda it: taken.append(ValueModels.from_document(it)))
    assert taken[0].document() == document


async def test_only_what_changed_is_written(tmp_path):
    kept = tmp_path / "kept.json"
    file = file_of(value_model_save=kept)
    await file.save({"a": 1})
    kept.unlink()
    await file.save({"a": 1})
    assert not kept.exists()
    await file.save({"a": 2})
    assert json.loads(kept.read_text()) == {"a": 2}


async def test_without_a_place_nothing_is_saved():
    await file_of().save({"a": 1})


async def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    kept = tmp_path / "kept.json"
    file = file_of(value_model_save=kept)
    await file.save({"a": 1})

    def full(_: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(values.os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        await file.save({"a": 2})
    assert json.loads(kept.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [kept]
    monkeypatch.undo()
    await file.save({"a": 2})
    assert json.loads(kept.read_text()) == {"a": 2}, "it is tried again"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "can be read"),
        ("{", "value models"),
        ("[1]", "value models"),
        ('"\xff"', "value models"),
        ("{}", "no such version"),
    ],
)
@pytest.mark.parametrize("field", ["value_model", "value_model_save"])
def test_a_bad_file_is_refused_by_the_fields_name(tmp_path, field, content, words):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    elif field == "value_model_save":
        path.symlink_to(tmp_path)

    def learn(document: dict[str, Any]) -> None:
        raise ValueError("no such version")

    with pytest.raises(InvalidField, match=words) as caught:
        file_of(**{field: str(path)}).load(learn)
    assert caught.value.field == f"controller.{field}" and str(path) in caught.value.reason

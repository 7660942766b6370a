"""The words of the task file's fields: each field and each choice has its own in both languages, at the field
itself."""

from datetime import datetime
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from mystocks_dagster.taskfile.form import FormField, form_fields
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.schedule import Schedule


@pytest.mark.parametrize("model", [Task, Group, Schedule])
def test_every_field_of_the_task_file_declares_its_words(model: type[BaseModel]):
    for name, info in model.model_fields.items():
        if name == "schedule":  # a part of the form of its own
            assert name not in form_fields(model)
            continue
        (declared,) = [item for item in info.metadata if isinstance(item, FormField)]
        assert declared.zh, name
        assert declared.en, name
        if name != "log_level":  # levels are called the same everywhere
            assert set(declared.choices) == set(form_fields(model)[name].choices), name


def test_kinds_follow_the_types():
    kinds = {name: field.kind for name, field in form_fields(Task).items()}
    assert kinds["task_id"] == kinds["priority"] == "text"
    assert kinds["enabled"] == "flag"
    assert kinds["timeout"] == kinds["retry_count"] == "number"
    assert kinds["task_type"] == kinds["log_level"] == "choice"
    assert kinds["dependencies"] == "names"
    assert kinds["params"] == "yaml"
    assert form_fields(Schedule)["start_time"].kind == "text"


def test_a_field_without_words_stands_under_its_name_and_one_with_choices_shows_them():
    class Model(BaseModel):
        plain: int | None = None
        when: datetime | None = None
        mode: Annotated[Literal["a", "b"], FormField("方式", "Mode", choices={"a": ("甲", "first")})] = Field(
            default="a"
        )

    fields = form_fields(Model)
    assert fields["plain"].label == ("plain", "plain")
    assert (fields["plain"].kind, fields["when"].kind) == ("number", "text")
    assert fields["mode"].choices == {"a": ("甲", "first"), "b": ("b", "b")}

"""The release before runs on the schema of this one: servers are replaced one after the other, after `migrate`."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import models
from django.db.migrations import (
    AddField,
    AddIndex,
    AlterField,
    DeleteModel,
    RemoveField,
    RenameField,
    RenameModel,
    RunSQL,
)
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState
from django.utils import timezone

from webchat.concurrent_indexes import AddIndexConcurrently

APPS = ("accounts", "webchat")
GONE = "the release before reads and writes it: stop using it in one release, and remove it in the next"
# Of what a release has stopped using: migrations that may take it away, by name.
TAKE_AWAY: set[str] = set()


def harm(operation: Operation, before: ProjectState, app: str) -> str:
    """What the release before cannot live with; "" for nothing."""
    match operation:
        case AddField(field=field) if not (field.null or field.has_db_default() or field.many_to_many):
            return "the release before inserts rows without it: give it a db_default"
        case AlterField():
            old = before.models[app, operation.model_name_lower].fields[operation.name]
            new = operation.field
            if old.null and not (new.null or new.has_db_default()):
                return "the release before leaves it empty: give it a db_default"
            if new.max_length and new.max_length < (old.max_length or 0):
                return "the release before writes longer values"
        case RemoveField() | DeleteModel() | RenameField() | RenameModel():
            return GONE
        case RunSQL():
            return "nobody can tell: say it by Django's operations"
    return ""


def harms_of_all() -> list[str]:
    loader = MigrationLoader(None)
    found = []
    for app, name in ours(loader):
        migration = loader.disk_migrations[app, name]
        if migration.initial or name.startswith("0001") or name in TAKE_AWAY:
            continue
        state = loader.project_state((app, name), at_end=False)
        for operation in migration.operations:
            if said := harm(operation, state, app):
                found.append(f"{app}.{name}: {operation.describe()}: {said}")
            operation.state_forwards(app, state)
    return found


def ours(loader: MigrationLoader) -> list[tuple[str, str]]:
    return sorted(key for key in loader.disk_migrations if key[0] in APPS)


def test_each_migration_leaves_the_release_before_running():
    assert harms_of_all() == []


def test_no_index_stops_those_who_write_while_it_is_made():
    """A chat cannot wait until an index over a million others is there."""
    loader = MigrationLoader(None)
    before_there_were_many = ("webchat", "0006_owners_of_chat_sessions")
    for key in ours(loader):
        migration = loader.disk_migrations[key]
        for operation in migration.operations if key != before_there_were_many else ():
            if isinstance(operation, AddIndex):
                assert isinstance(operation, AddIndexConcurrently), f"{key}: {operation.describe()}"
                assert not migration.atomic, key


TABLE = ModelState(
    "webchat",
    "Chat",
    [("id", models.BigAutoField(primary_key=True)), ("note", models.CharField(max_length=20, null=True))],
)


HARMFUL: dict[str, Operation] = {
    "a column that may not be empty": AddField("chat", "place", models.CharField(max_length=5, default="")),
    "one that may no longer be": AlterField("chat", "note", models.CharField(max_length=20, default="")),
    "a shorter one": AlterField("chat", "note", models.CharField(max_length=10, null=True)),
    "one less": RemoveField("chat", "note"),
    "another name": RenameField("chat", "note", "remark"),
    "a table less": DeleteModel("chat"),
    "another table": RenameModel("chat", "talk"),
    "SQL": RunSQL("DROP TABLE webchat_chat"),
}
HARMLESS: dict[str, Operation] = {
    "a column with a default": AddField("chat", "place", models.CharField(max_length=5, default="", db_default="")),
    "a column that may be empty": AddField("chat", "place", models.CharField(max_length=5, null=True)),
    "one with a default from now on": AlterField("chat", "note", models.CharField(max_length=20, db_default="")),
    "a longer one": AlterField("chat", "note", models.CharField(max_length=40, null=True)),
    "one without a length": AlterField("chat", "note", models.TextField(null=True)),
}


def harm_to_a_table(operation: Operation) -> str:
    state = ProjectState()
    state.add_model(TABLE)
    return harm(operation, state, "webchat")


@pytest.mark.parametrize("operation", HARMFUL.values(), ids=HARMFUL)
def test_what_it_cannot_live_with(operation):
    assert harm_to_a_table(operation)


@pytest.mark.parametrize("operation", HARMLESS.values(), ids=HARMLESS)
def test_what_it_can(operation):
    assert not harm_to_a_table(operation)


# --- The release before, at work ----------------------------------------------------------------------------------------


def insert(model: type[models.Model]) -> models.Model:
    """A row as code of that time inserts it: the columns that it knows, and no other."""
    values = {
        field.name: insert(field.related_model) if field.is_relation else value_for(field)
        for field in model._meta.concrete_fields
        if not (
            field.has_default()
            or field.null
            or (field.blank and field.empty_strings_allowed)
            or isinstance(field, models.AutoField)
        )
    }
    return model._default_manager.create(**values)


def value_for(field: Any) -> Any:
    match field:
        case models.CharField():
            return uuid.uuid4().hex[: field.max_length]
        case models.TextField():
            return "Hello"
        case models.DateTimeField():
            return timezone.now()
        case models.DateField():
            return timezone.now().date()
        case models.TimeField():
            return timezone.now().time()
        case models.IntegerField() | models.FloatField():
            return 1
        case models.JSONField():
            return {}
    raise NotImplementedError(field)


@pytest.mark.django_db
def test_code_of_every_earlier_schema_inserts_and_reads_its_rows():
    loader = MigrationLoader(None)
    tried = set()
    for app, name in ours(loader):
        for model in loader.project_state((app, name)).apps.get_app_config(app).get_models():
            columns = (model._meta.label, *(field.name for field in model._meta.concrete_fields))
            if columns in tried:
                continue
            tried.add(columns)
            row = insert(model)
            again = model._default_manager.get(pk=row.pk)
            again.save()
            again.delete()

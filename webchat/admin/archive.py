"""Webchats that are used no more. Their chats keep them, so they cannot be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from webchat.models import Webchat


class ArchiveFilter(admin.SimpleListFilter):
    """Without a choice the list shows what is in use."""

    title = _("archive")
    parameter_name = "archive"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Archived")), ("all", _("All"))]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        in_use, *others = super().choices(changelist)
        yield {**in_use, "display": _("In use")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Webchat]) -> QuerySet[Webchat]:
        if self.value() == "all":
            return queryset
        return queryset.filter(archived_at__isnull=self.value() != "yes")


@admin.action(description=_("Archive"), permissions=["change"])
def archive(model_admin: Any, request: HttpRequest, chosen: QuerySet[Webchat]) -> None:
    for webchat in chosen:
        webchat.archive()
        model_admin.log_change(request, webchat, gettext("Archived."))
        text = _(
            "%(webchat)s is archived: no new chat can start, running chats go on. Its chats stay, as do its name and slug."
        )
        model_admin.message_user(request, text % {"webchat": webchat}, messages.SUCCESS)


@admin.action(description=_("Take out of the archive"), permissions=["change"])
def take_out(model_admin: Any, request: HttpRequest, chosen: QuerySet[Webchat]) -> None:
    for webchat in chosen:
        webchat.take_out_of_archive()
        model_admin.log_change(request, webchat, gettext("Taken out of the archive."))
        text = _("%(webchat)s is out of the archive. It is still switched off.")
        model_admin.message_user(request, text % {"webchat": webchat}, messages.SUCCESS)

"""Groups of staff that are there from the beginning, for a lead to put people in: made once, and then the site's own."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet

# The end of the name of the migration that came with them: whoever migrates over it gets them, and nobody a second time.
CAME_WITH = "groups_drafts_and_plain_words"

_CONFIGURED = ("webchat", "preengagementfield", "openinghours", "span", "specialday")
_READ = (*_CONFIGURED, "chatsession", "message", "rating")
_VIEW = [f"view_{model}" for model in _READ]
# By the name of the group: the codenames.
GROUPS = {
    "Chat administrator": [
        *_VIEW,
        *(f"{action}_{model}" for model in _CONFIGURED for action in ("add", "change", "delete")),
        "change_message",
        "delete_message",
        "delete_chatsession",
        "setup_flex",
        "view_statistics",
        "end_chatsession",
    ],
    "Chat supervisor": [*_VIEW, "change_message", "view_statistics", "end_chatsession"],
    "Chat read-only": [*_VIEW, "view_statistics"],
}


def make_groups() -> None:
    """Makes those that are not there. One that is there is left as staff have made it."""
    for name, codenames in GROUPS.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(_permissions().filter(codename__in=codenames))


def remove_internal_permissions() -> None:
    """Deletes the permissions of tables that no page shows, which an earlier release had made."""
    internal = [model for model in apps.get_app_config("webchat").get_models() if not model._meta.default_permissions]
    types = ContentType.objects.get_for_models(*internal, for_concrete_models=True).values()
    named = Q(pk__in=[])
    for each in types:
        named |= Q(
            content_type=each, codename__in=[f"{act}_{each.model}" for act in ("add", "change", "delete", "view")]
        )
    Permission.objects.filter(named).delete()


def after_migrate(plan: Any = (), **_signal: Any) -> None:
    """`plan`: the migrations that ran, and whether backwards. Permissions are made after them, and so are groups."""
    if any(each.name.endswith(CAME_WITH) and not backwards for each, backwards in plan):
        remove_internal_permissions()
        make_groups()


def _permissions() -> QuerySet[Permission]:
    return Permission.objects.filter(content_type__app_label="webchat")

"""Every address of the URLconf with real arguments. One that is new, with an argument that is not known here, fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.apps import apps
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from webchat.models import ChatSession, Webchat

ABSENT = "00000000-0000-4000-8000-000000000000"
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")


def every_address() -> list[str]:
    """Of the site with its rows: objects of the admin too."""
    return sorted(set(_walk(get_resolver(), "/")))


def _walk(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _walk(entry, prefix + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield from _filled(prefix, entry)


def _filled(prefix: str, entry: URLPattern) -> Iterator[str]:
    if isinstance(entry.pattern, RegexPattern):
        pattern = entry.pattern._regex
        if "app_label" in pattern:
            yield from (f"{prefix}{label}/" for label in ("accounts", "webchat", "sites", "auth"))
        elif pattern == "(?P<url>.*)$":
            yield f"{prefix}no-such-page/"
        else:
            raise NotImplementedError(f"an address like {prefix}{pattern}: name its arguments here")
        return
    route = prefix + str(entry.pattern)
    yield _ARGUMENT.sub(lambda found: _argument(found[1], route), route)


def _argument(name: str, route: str) -> str:
    match name:
        case "slug":
            return Webchat.objects.values_list("slug", flat=True).get()
        case "session_id":
            return str(ChatSession.objects.values_list("pk", flat=True).first() or ABSENT)
        case "uidb64":
            return "MQ"
        case "token":
            return "set-password"
        case "object_id" if route.startswith("/admin/r/"):
            return str(Webchat.objects.values_list("pk", flat=True).get())
        case "object_id" | "pk":
            app, model = route.removeprefix("/admin/").split("/")[:2]
            found = apps.get_model(app, model).objects.first()
            return str(quote(found.pk)) if found else "1"
        case "id":
            return str(apps.get_model("accounts", "User").objects.values_list("pk", flat=True)[0])
        case "content_type_id":
            return str(ContentType.objects.get_for_model(Webchat).pk)
        case _:
            raise NotImplementedError(f"an address like {route}: name {name!r} here")

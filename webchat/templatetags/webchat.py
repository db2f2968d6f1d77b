"""{% webchat %}: the chat in any page template."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import template
from django.template.context import RequestContext
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from webchat.context import sign_context
from webchat.models import Webchat

register = template.Library()

_TEMPLATES = {"launcher": "webchat/launcher.html", "inline": "webchat/inline.html"}
_OPTIONS = {"mode", "context"}


@register.simple_tag(takes_context=True)
def webchat(context: RequestContext, slug: str = "", **options: Any) -> SafeString | str:
    """The launcher of a webchat, or with mode="inline" the chat itself, in the page.

    Without a slug it is the first webchat of this site. A webchat that is absent shows nothing, one that is switched
    off shows no launcher. `context=order` tells the agent more: a mapping of names to texts, numbers, true and false,
    signed so that the browser cannot change it (but readable there).
    """
    mode = options.get("mode", "launcher")
    if mode not in _TEMPLATES or options.keys() - _OPTIONS:
        raise template.TemplateSyntaxError('{% webchat "slug" mode="launcher" or "inline" context=mapping %}')
    request = context["request"]
    found = Webchat.objects.filter(slug=slug).first() if slug else Webchat.objects.for_page()
    if found is None or (mode == "launcher" and not found.enabled):
        return ""
    query = ""
    if told := options.get("context"):
        user = request.user if request.user.is_authenticated else None
        query = "?" + urlencode({"context": sign_context(told, user)})
    values: dict[str, Any] = {"webchat": found, "mode": mode, "query": query}
    return render_to_string(_TEMPLATES[mode], values, request=request)

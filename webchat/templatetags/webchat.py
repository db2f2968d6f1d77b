"""{% webchat %}: the chat in any page template."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import RequestContext
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from webchat.models import Webchat

register = template.Library()

_TEMPLATES = {"launcher": "webchat/launcher.html", "inline": "webchat/inline.html"}


@register.simple_tag(takes_context=True)
def webchat(context: RequestContext, slug: str = "", mode: str = "launcher") -> SafeString | str:
    """The launcher of a webchat, or with mode="inline" the chat itself, in the page.

    Without a slug it is the first webchat of this site. A webchat that is absent shows nothing; one that is switched
    off shows no launcher, unless this visitor's chat may still be running.
    """
    if mode not in _TEMPLATES:
        raise template.TemplateSyntaxError(f'webchat: mode is "launcher" or "inline", not "{mode}"')
    request = context["request"]
    found = Webchat.objects.filter(slug=slug).first() if slug else Webchat.objects.for_page()
    if found is None or (mode == "launcher" and not found.enabled):
        return ""
    values: dict[str, Any] = {"webchat": found, "mode": mode, "csp_nonce": getattr(request, "csp_nonce", "")}
    return render_to_string(_TEMPLATES[mode], values, request=request)

"""A webchat's form as visitors see it: the real templates and styles, in frames that run no script and send nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from csp.constants import NONE, SELF
from csp.decorators import csp, csp_update
from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from webchat.admin.tools import contrast_sample, webchat_or_404
from webchat.forms.form import PreEngagementForm

View = TypeVar("View", bound=Callable[..., HttpResponse])
Decorator = Callable[[View], View]
with_frames = cast("Decorator[Any]", csp_update({"frame-src": [SELF]}))
_in_a_frame = cast(
    "Decorator[Any]",
    csp({**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], "frame-ancestors": [SELF], "form-action": [NONE]}),
)


@with_frames
def page(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Both panels side by side, at the width of a phone."""
    webchat = webchat_or_404(admin, request, pk)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "original": webchat,
        "title": _("Preview"),
        "subtitle": webchat.name,
        "contrast": contrast_sample(webchat),
        "media": admin.media,
    }
    return render(request, "admin/webchat/webchat/preview.html", context)


@xframe_options_sameorigin
@_in_a_frame
def panel(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """One panel, alone in its frame. With ?signed-in it is that of the member of staff who looks."""
    webchat = webchat_or_404(admin, request, pk)
    user = request.user if "signed-in" in request.GET and request.user.is_authenticated else None
    context = {
        "webchat": webchat,
        "form": PreEngagementForm(webchat, user=user),
        "state": "form",
        "availability": None,
        "error": "",
        "session": None,
        "mode": "launcher",
        "idempotency_key": "",
    }
    return render(request, "admin/webchat/webchat/preview_panel.html", context)

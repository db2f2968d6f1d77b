"""A webchat's form as visitors see it: the real templates and styles, in frames that run no script and send nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from csp.constants import NONE, SELF
from csp.decorators import csp, csp_update
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from webchat.forms.form import PreEngagementForm
from webchat.models import Webchat

if TYPE_CHECKING:
    from webchat.admin.webchats import WebchatAdmin


View = TypeVar("View", bound=Callable[..., HttpResponse])
Decorator = Callable[[View], View]
_with_frames = cast("Decorator[Any]", csp_update({"frame-src": [SELF]}))
_in_a_frame = cast(
    "Decorator[Any]",
    csp({**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], "frame-ancestors": [SELF], "form-action": [NONE]}),
)


@_with_frames
def page(admin: WebchatAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Both panels side by side, at the width of a phone."""
    webchat = webchat_or_404(admin, request, pk)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "original": webchat,
        "title": _("Preview"),
        "subtitle": webchat.name,
        "contrast": admin.colour_contrast(webchat),
        "media": admin.media,
    }
    return render(request, "admin/webchat/webchat/preview.html", context)


@xframe_options_sameorigin
@_in_a_frame
def panel(admin: WebchatAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """One panel, alone in its frame. With ?signed-in it is that of the member of staff who looks."""
    webchat = webchat_or_404(admin, request, pk)
    user = request.user if "signed-in" in request.GET and request.user.is_authenticated else None
    context = {
        "webchat": webchat,
        "form": PreEngagementForm(webchat, user=user),
        "state": "form",
        "error": "",
        "session": None,
        "mode": "launcher",
        "idempotency_key": "",
    }
    return render(request, "admin/webchat/webchat/preview_panel.html", context)


def webchat_or_404(admin: WebchatAdmin, request: HttpRequest, pk: int) -> Webchat:
    webchat = Webchat.objects.filter(pk=pk).first()
    if not admin.has_view_permission(request, webchat):
        raise PermissionDenied
    if webchat is None:
        raise Http404
    return webchat

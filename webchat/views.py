"""The chat as HTML: a whole page that works without JavaScript, and the panel that the launcher fetches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webchat.api.errors import SESSION_STATUS, TRY_AGAIN
from webchat.audit import note_refusal
from webchat.chats.start import bind_form, read_key, start_chat
from webchat.flex import FlexError
from webchat.forms.form import PreEngagementForm
from webchat.models import ChatSession, Webchat
from webchat.models.session import SessionError
from webchat.protection import form_keys, proof_of_work
from webchat.visitors import Visitor, remember, visitor_of

# The key belongs to something else, or to no form of ours.
NEEDS_NEW_KEY = {"key_reused", "session_ended", "invalid", "form_expired"}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
@sensitive_post_parameters()
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The chat as a page of its own. A form sent without JavaScript comes back here."""
    webchat = Webchat.get_or_404(slug)
    visitor = visitor_of(request)
    if request.method != "POST":
        return _render(request, "webchat/page.html", visitor, _context(request, webchat, visitor))
    form = bind_form(request, webchat, visitor, request.POST)
    refusal = _start(request, webchat, visitor, form)
    if refusal is None:
        started = redirect("webchat:page", slug)
        remember(started, visitor)
        return started
    key = "" if refusal.needs_new_key else request.POST.get("idempotency_key", "")
    context = {
        "webchat": webchat,
        "state": "form",
        "form": form,
        "error": refusal.error,
        "session": None,
        **_envelope(webchat, key or form_keys.issue(visitor)),
    }
    response = _render(request, "webchat/page.html", visitor, context, refusal.status)
    if refusal.retry_after:
        response["Retry-After"] = str(refusal.retry_after)
    return response


@dataclass(frozen=True)
class _Refusal:
    """Why a form did not start a chat. The form keeps its key, so that sending it again finds what the first sending
    made, unless that key belongs to something else."""

    status: int
    error: Any = ""
    retry_after: int | None = None
    needs_new_key: bool = False


def _start(request: HttpRequest, webchat: Webchat, visitor: Visitor, form: PreEngagementForm) -> _Refusal | None:
    try:
        key = read_key(request)
        if not form.is_valid():
            return _Refusal(400)
        start_chat(webchat, visitor, key, form)
    except SessionError as refused:
        note_refusal(refused, webchat.slug)
        status = SESSION_STATUS[refused.code]
        return _Refusal(status, refused.detail, refused.retry_after, refused.code in NEEDS_NEW_KEY)
    except (FlexError, DatabaseError) as failed:
        note_refusal(failed, webchat.slug)
        retry_after = getattr(failed, "retry_after", None) or TRY_AGAIN
        return _Refusal(503, gettext(webchat.unavailable_text), retry_after)
    return None


@require_safe
@never_cache
@csrf_protect
def panel(request: HttpRequest, slug: str) -> HttpResponse:
    """The panel as a fragment: the form, the running chat, or why there is none."""
    webchat = Webchat.get_or_404(slug)
    visitor = visitor_of(request)
    return _render(request, "webchat/panel.html", visitor, _context(request, webchat, visitor))


@require_POST
@csrf_protect
def end(request: HttpRequest, slug: str) -> HttpResponse:
    """Ends this browser's chat, for visitors without JavaScript."""
    webchat = Webchat.get_or_404(slug)
    if session := ChatSession.running_of(visitor_of(request), webchat):
        session.end(ChatSession.EndedBy.VISITOR)
    return redirect("webchat:page", slug)


@require_safe
def stylesheet(request: HttpRequest, slug: str) -> HttpResponse:
    """The launcher's styles in the webchat's colour. Its address on a page changes with its bytes."""
    sheet = Webchat.get_or_404(slug).stylesheet
    body, encoding = sheet.encoded(request.headers.get("Accept-Encoding", ""))
    response = HttpResponse(body, content_type="text/css; charset=utf-8")
    if encoding:
        response["Content-Encoding"] = encoding
    patch_vary_headers(response, ["Accept-Encoding"])
    if request.GET.get("v") == sheet.version:
        patch_cache_control(response, public=True, max_age=31_536_000, immutable=True)
    else:  # of another version of the site, while two are served
        patch_cache_control(response, public=True, max_age=60)
    return response


def _context(request: HttpRequest, webchat: Webchat, visitor: Visitor) -> dict[str, Any]:
    running = ChatSession.running_of(visitor, webchat)
    context: dict[str, Any] = {"webchat": webchat, "error": "", "form": None, "session": running}
    if running:
        context["state"] = "running"
    elif not webchat.enabled:
        context["state"] = "closed"
    elif not webchat.is_configured:
        context["state"] = "unavailable"
    else:
        context["state"] = "form"
        context["form"] = PreEngagementForm(webchat, user=visitor.user, context=request.GET.get("context", ""))
        context |= _envelope(webchat, form_keys.issue(visitor))
    return context


def _envelope(webchat: Webchat, key: str) -> dict[str, str]:
    """What a form carries beside the answers."""
    return {"idempotency_key": key, "puzzle": proof_of_work.puzzle(key) if webchat.wants_proof else ""}


def _mark(request: HttpRequest, visitor: Visitor) -> str:
    """Tells the page whether somebody else may sit there now: another browser or user, or a sign-in in between, which
    rotates the secret of CSRF."""
    get_token(request)
    return salted_hmac("webchat.mark", f"{visitor.key} {visitor.user_id} {request.META['CSRF_COOKIE']}").hexdigest()[
        :16
    ]


def _render(
    request: HttpRequest, template: str, visitor: Visitor, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    response = render(request, template, {**context, "mark": _mark(request, visitor)}, status=status)
    remember(response, visitor)
    return response

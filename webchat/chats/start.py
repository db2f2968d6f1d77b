"""A visitor's submit, from page and API alike: which form, under which key, and whether a chat may start at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from webchat.flex import FlexError
from webchat.forms.form import PreEngagementForm
from webchat.models import ChatSession, Webchat
from webchat.models.session import SessionError
from webchat.protection import form_keys, proof_of_work
from webchat.visitors import Visitor

_KEY = re.compile(r"[\x21-\x7e]{8,128}")


def bind_form(request: HttpRequest, webchat: Webchat, visitor: Visitor, data: Mapping[str, Any]) -> PreEngagementForm:
    return PreEngagementForm(
        webchat,
        user=visitor.user,
        data=data,
        origin=f"{request.scheme}://{request.get_host()}",
        page_url=request.headers.get("Referer", ""),
        network=visitor.network,
    )


def read_key(request: HttpRequest, data: Mapping[str, Any] | None = None) -> str:
    """The submit's idempotency key, a ticket if it comes with a form of ours, from the header or the form's hidden field. Raises SessionError(invalid)."""
    posted = (request.POST if data is None else data).get("idempotency_key")
    key = request.headers.get("Idempotency-Key") or posted or ""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise SessionError("invalid", _("Send an Idempotency-Key header of 8 to 128 visible characters, new per form."))
    return key


def require_open(webchat: Webchat) -> None:
    """Raises SessionError and FlexError where no chat can start at all."""
    if not webchat.enabled:
        raise SessionError("chat_unavailable", gettext(webchat.closed_text))
    if not webchat.is_configured:
        raise FlexError(FlexError.Reason.NOT_CONFIGURED)


def start_chat(
    webchat: Webchat, visitor: Visitor, key: str, form: PreEngagementForm, identity: str = ""
) -> tuple[ChatSession, bool]:
    """Starts the chat of a valid form, for the identity that the visitor has a token for, if any. Raises SessionError
    and FlexError."""
    require_open(webchat)
    # Who is signed in has a limit of their own, and may have nothing to fill in; an identity was made for this browser.
    if webchat.require_form and visitor.user is None and not identity:
        form_keys.check(key, visitor)
    if webchat.wants_proof:
        proof_of_work.check(str(form.data.get("proof_of_work") or ""), key)
    return webchat.start(visitor, key, form.answers(), identity)

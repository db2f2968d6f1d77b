"""A form that was sent: from the request to answers that are worth acting on. A start and a message share it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from webchat.conf import conf
from webchat.errors import ChatRefused, Code
from webchat.fields import lookups
from webchat.forms.form import Answers, Page, PreEngagementForm
from webchat.models import Webchat
from webchat.protection import form_keys, limits, proof_of_work
from webchat.visitors import Visitor

Form = TypeVar("Form", bound=PreEngagementForm)

_KEY = re.compile(r"[\x21-\x7e]{8,128}")


def bind_form(
    kind: type[Form], request: HttpRequest, webchat: Webchat, visitor: Visitor, data: Mapping[str, Any]
) -> Form:
    page = Page(
        origin=f"{request.scheme}://{request.get_host()}",
        url=request.headers.get("Referer", ""),
        secret=request.META.get("CSRF_COOKIE", ""),
    )
    return kind(webchat, user=visitor.user, data=data, page=page)


def empty_form(kind: type[Form], webchat: Webchat, visitor: Visitor, context: str) -> Form:
    """A form to be filled in. Without an account and a context it is the same for all in one language: made once for this
    copy of the webchat, and for reading."""
    if visitor.user is not None or context:
        return kind(webchat, user=visitor.user, context=context)
    form: Form = webchat.make_once((kind.__name__, get_language()), lambda: kind(webchat, user=None))
    return form


def read_key(request: HttpRequest, data: Mapping[str, Any]) -> str:
    """The idempotency key of a submit, from its header or the form's hidden field. Raises ChatRefused(BAD_KEY)."""
    key = request.headers.get("Idempotency-Key") or data.get("idempotency_key") or ""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ChatRefused(Code.BAD_KEY)
    return key


def take_answers(form: PreEngagementForm, visitor: Visitor, key: str, identity: str = "") -> Answers:
    """The answers of a form that is valid, passes the gates, and that the site's own hook does not refuse.

    Raises ChatRefused; FormInvalid, which is one, has the form with what is wrong.
    """
    form.require_valid()
    pass_gates(form, visitor, key, identity)
    return form.answers(lambda told: ask_the_site(form, told))


def pass_gates(form: PreEngagementForm, visitor: Visitor, key: str, identity: str) -> None:
    """What a valid form must pass before it costs anything. Raises ChatRefused."""
    # Signed-in users have a limit of their own, and their form may be empty. Flex Webchat UI has no form of ours, and
    # its identity was made for this browser.
    if form.webchat.require_form and visitor.user is None and not identity:
        form_keys.check(key, visitor)
    if form.webchat.wants_proof:
        proof_of_work.check(str(form.data.get("proof_of_work") or ""), key)
    if told := form.member_answers:
        require_member(form, told, visitor)


def require_member(form: PreEngagementForm, told: Mapping[str, str], visitor: Visitor) -> None:
    """Raises FormInvalid with one error for everything that can be wrong, so that it tells nothing about any account."""
    limits.take_guess(told, visitor.network)
    if not (all(told.values()) and lookups.matches_one_user(told, visitor.user)):
        text = _("We cannot find an account with these details. Please check them.")
        raise form.refuse(ValidationError(text, code="no_account"))
    limits.give_guess_back(told, visitor.network)


def ask_the_site(form: PreEngagementForm, told: dict[str, Any]) -> Mapping[str, Any]:
    """What the site's own hook adds for the agent. Raises FormInvalid with what the hook refuses."""
    if not conf.WEBCHAT_BEFORE_START:
        return {}
    before_start = import_string(conf.WEBCHAT_BEFORE_START)
    try:
        return before_start(webchat=form.webchat, user=form.user, answers=told) or {}
    except ValidationError as error:
        raise form.refuse(error) from error

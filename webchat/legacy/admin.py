"""What staff should know about a webchat of the legacy API, and the move away from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import action
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webchat.admin.concurrent_edits import Edit
from webchat.admin.tools import ADVISERS, webchat_or_404
from webchat.admin.webchats import WebchatAdmin
from webchat.chats.connection import find_problems
from webchat.flex import Failure, failure_of
from webchat.forms.advice import Advice
from webchat.legacy.fields import left_out
from webchat.models import Webchat
from webchat.models.webchat import validate_address_sid


def advice(webchat: Webchat) -> list[Advice]:
    if webchat.api != Webchat.Api.WEB_CHANNELS:
        return []
    given = [Advice(text, is_warning=False) for text in left_out(webchat)] if webchat.carries_flex_ui else []
    latest = webchat.sessions.first()
    if latest is None:
        return given
    move = _("Move this webchat to Flex Conversations.")
    when = {"when": date_format(localtime(latest.created_at), "DATETIME_FORMAT")}
    if failure_of(latest.failure) is Failure.GONE:  # an old row has no code
        text = _("Twilio no longer serves the legacy API: the latest chat, of %(when)s, could not start.")
        given.append(Advice(f"{text % when} {move}"))
    elif latest.api == Webchat.Api.CONVERSATIONS:
        text = _("The latest chat, of %(when)s, went to the address by Flex Conversations, as Twilio did not take it by the legacy API.")  # fmt: skip
        given.append(Advice(f"{text % when} {move}"))
    return given


class MoveForm(forms.Form):
    address_sid = forms.CharField(
        label=gettext_lazy("Address SID"),
        max_length=34,
        validators=[validate_address_sid],
        help_text=gettext_lazy("IG…, of a chat address in the Twilio Console: Flex, Channel management, Messaging."),
        widget=forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, webchat: Webchat, data: Any = None) -> None:
        super().__init__(data, initial={"address_sid": webchat.address_sid})
        self.webchat = webchat

    def clean_address_sid(self) -> str:
        """Asks Twilio whether chats can go there."""
        address_sid: str = self.cleaned_data["address_sid"]
        destination = self.webchat.destination(Webchat.Api.CONVERSATIONS)
        problems = find_problems(replace(destination, address_sid=address_sid))
        if problems:
            raise ValidationError(problems)
        return address_sid


def move_page(admin: WebchatAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Asks for the address, and moves the webchat there when Twilio has what its chats need."""
    webchat = webchat_or_404(admin, request, pk)
    if not admin.has_change_permission(request, webchat):
        raise PermissionDenied
    edit = Edit(webchat, MoveForm(webchat))
    sent = request.POST if request.method == "POST" else None
    if webchat.api != Webchat.Api.WEB_CHANNELS and (sent is None or sent.get("address_sid") == webchat.address_sid):
        admin.message_user(request, _("%(webchat)s uses Flex Conversations already.") % {"webchat": webchat})
        return redirect("admin:webchat_webchat_change", pk)
    form = MoveForm(webchat, sent and edit.bring_together(sent))
    if edit.said:
        form.add_error(None, edit.said)
    elif form.is_bound and form.is_valid():
        with transaction.atomic():
            now = get_object_or_404(Webchat.objects.select_for_update(), pk=pk)
            if (now.api, now.address_sid) == (webchat.api, webchat.address_sid):
                now.move_to_conversations(form.cleaned_data["address_sid"])
                text = _("Moved to Flex Conversations.")
                admin.log_change(request, now, text)
                admin.message_user(request, f"{now}: {text}", messages.SUCCESS)
                return redirect("admin:webchat_webchat_change", pk)
        return move_page(admin, request, pk)  # somebody else was quicker while Twilio was asked
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "original": webchat,
        "title": _("Move to Flex Conversations"),
        "subtitle": webchat.name,
        "form": form,
        "as_shown": edit.as_shown,
        "running": webchat.sessions.running().count(),
        "media": admin.media,
    }
    return render(request, "webchat/legacy/move.html", context)


@action(description=gettext_lazy("Move to Flex Conversations"), permissions=["change"])
def move_to_conversations(
    admin: WebchatAdmin, request: HttpRequest, webchats: QuerySet[Webchat]
) -> HttpResponse | None:
    if webchats.count() == 1:
        return redirect("admin:webchat_webchat_move", webchats.get().pk)
    admin.message_user(request, _("Choose one webchat: each has an address of its own."), messages.ERROR)
    return None


def install() -> None:
    """Adds what the legacy API needs to the page of a webchat."""
    WebchatAdmin.more_pages["move"] = move_page
    ADVISERS.append(advice)
    WebchatAdmin.more_fields += ["widget", "flex_flow_sid"]
    WebchatAdmin.actions.append(move_to_conversations)

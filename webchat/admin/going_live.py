"""The page “Going live”: what is left to do, the test of the connection, and how to put the chat into a page."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from webchat.admin.sessions import FLEX
from webchat.admin.tools import webchat_or_404
from webchat.chats.going_live import Connection, going_live, publish, run_test
from webchat.conf import conf
from webchat.models import Webchat


def page(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    webchat = webchat_or_404(admin, request, pk)
    found = None
    if request.method == "POST":
        if not admin.has_change_permission(request, webchat):
            raise PermissionDenied
        if "insist" in request.POST:
            if webchat.draft:
                publish(webchat)
                admin.log_change(request, webchat, _("Shown to visitors without a passed test."))
            return redirect("admin:webchat_webchat_going_live", pk)
        if "test" in request.POST:
            found = run_test(webchat)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "original": webchat,
        "title": _("Going live"),
        "subtitle": webchat.name,
        "steps": going_live(webchat, found),
        "tag": f'{{% webchat "{webchat.slug}" %}}',
        "address": conf.PUBLIC_BASE_URL + reverse("webchat:page", args=[webchat.slug]),
        "desk": conf.TWILIO_SANDBOX_URL or FLEX,
        "may_change": admin.has_change_permission(request, webchat),
        "media": admin.media,
    }
    return render(request, "admin/webchat/webchat/going_live.html", context)


def tell(admin: ModelAdmin, request: HttpRequest, webchat: Webchat, found: Connection) -> None:
    """Says what a test found."""
    for problem in found.problems:
        admin.message_user(request, f"{webchat}: {problem}", messages.ERROR)
    for words in found.webhook:
        admin.message_user(request, f"{webchat}: {words}", messages.WARNING)
    if webchat.draft:
        text = _("%(webchat)s is a draft until the test of its connection passes: visitors see nothing of it.")
        admin.message_user(request, text % {"webchat": webchat}, messages.WARNING)
    elif not found.problems:
        text = _("%(webchat)s: everything that a chat needs is there.") % {"webchat": webchat}
        admin.message_user(request, text, messages.SUCCESS)

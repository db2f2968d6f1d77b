"""The page “Set up at Twilio”: the plan of `manage.py setup_flex`, and a button that carries it out.

The plan is in English, as the names of Twilio's Console are.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webchat.admin.tools import webchat_or_404
from webchat.chats.setup import State, carry_out, new_webchat, own_step, plan_for
from webchat.errors import ChatRefused
from webchat.flex import FlexError
from webchat.flex.provisioning import HopelessError, Others, Plan
from webchat.models import Webchat

PERMISSION = "webchat.setup_flex"
FIRST_SLUG = "support"


class SetupForm(forms.Form):
    others = forms.ChoiceField(
        label=gettext_lazy("What belongs to another application"),
        choices=[
            (Others.STOP.value, gettext_lazy("Say what it is, and do nothing")),
            # With the names that the plan calls them by.
            (Others.KEEP.value, format_lazy("{} (--keep)", gettext_lazy("Leave it as it is"))),
            (Others.REPLACE.value, format_lazy("{} (--replace)", gettext_lazy("Put this site in its place"))),
        ],
        widget=forms.RadioSelect,
        initial=Others.STOP.value,
    )


def page(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    webchat = webchat_or_404(admin, request, pk)
    if not admin.has_change_permission(request, webchat):
        raise PermissionDenied
    return _page(admin, request, webchat)


def page_of_new(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    if not admin.has_add_permission(request):
        raise PermissionDenied
    taken = set(Webchat.objects.values_list("slug", flat=True))
    slugs = [FIRST_SLUG, *(f"{FIRST_SLUG}-{number}" for number in range(2, len(taken) + 3))]
    return _page(admin, request, new_webchat(next(slug for slug in slugs if slug not in taken)))


def _page(admin: ModelAdmin, request: HttpRequest, webchat: Webchat) -> HttpResponse:
    """Shows the plan, and carries it out when it is sent again as it was shown: the account may have changed meanwhile."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    form = SetupForm(request.POST if request.method == "POST" else None)
    others = Others(form.cleaned_data["others"]) if form.is_bound and form.is_valid() else Others.STOP
    plan, failure = None, ""
    try:
        plan = plan_for(webchat, others=others)
    except HopelessError as error:
        failure = str(error)
    except (FlexError, ChatRefused) as error:
        failure = f"Twilio's configuration could not be read: {error}."
    step = own_step(webchat, plan) if plan else ""
    seen = _fingerprint(plan, step) if plan else ""
    if plan and "save" in request.POST and not plan.obstacles:
        if request.POST.get("seen") == seen:
            return _carry_out(admin, request, webchat, plan)
        admin.message_user(request, _("This is not what you looked at: look again, and save."), messages.WARNING)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "original": webchat if webchat.pk else None,
        "title": _("Set up at Twilio"),
        "subtitle": webchat.name,
        "form": form,
        "failure": failure,
        "plan": plan,
        "own_step": step,
        "may_start": bool(plan and not plan.obstacles and (plan.steps or step)),
        "seen": seen,
        "media": admin.media,
    }
    return render(request, "admin/webchat/webchat/setup.html", context)


def _carry_out(admin: ModelAdmin, request: HttpRequest, webchat: Webchat, plan: Plan) -> HttpResponse:
    is_new = webchat.pk is None
    try:
        for outcome in carry_out(webchat, plan):
            level = messages.SUCCESS if outcome.state is State.DONE else messages.ERROR
            admin.message_user(request, f"{outcome.state.value}: {outcome.words}. {outcome.advice}".strip(), level)
    except ValidationError as error:
        admin.message_user(request, "; ".join(error.messages), messages.ERROR)
    if webchat.pk is None:
        return redirect("admin:webchat_webchat_changelist")
    log = admin.log_addition if is_new else admin.log_change
    log(request, webchat, _("Set up at Twilio"))
    return redirect("admin:webchat_webchat_change", webchat.pk)


def _fingerprint(plan: Plan, step: str) -> str:
    said: list[Any] = [plan.found, plan.notes, [each.words for each in plan.steps], step]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()

"""Where a webchat's chats go, where it looks who is there, and where its messages go as tasks: chosen from what Twilio has.

Address and chat service can be typed at the webchat too, where the account cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webchat.admin.concurrent_edits import Edit
from webchat.admin.tools import webchat_or_404
from webchat.chats.connection import Targets, list_targets
from webchat.errors import ChatRefused
from webchat.flex import GATEWAYS, FlexError
from webchat.flex.taskrouter import Named
from webchat.models import Webchat


class RoutingForm(forms.ModelForm):
    address_sid = forms.ChoiceField(label=gettext_lazy("Chat address"))
    chat_service_sid = forms.ChoiceField(label=gettext_lazy("Chat service"))
    flex_flow_sid = forms.ChoiceField(label=gettext_lazy("Flex Flow SID"))
    queue_sid = forms.ChoiceField(
        label=gettext_lazy("Task queue"),
        required=False,
        help_text=gettext_lazy(
            "Whose agents are there, and how many visitors wait. With routing by skills there is no such queue: choose none."
        ),
    )
    task_workflow_sid = forms.ChoiceField(
        label=gettext_lazy("Workflow of messages"),
        required=False,
        help_text=gettext_lazy("Each message becomes a task, too, at the next opening. It has no conversation."),
    )
    task_channel = forms.ChoiceField(label=gettext_lazy("Task channel of messages"))

    class Meta:
        model = Webchat
        fields = [
            "address_sid",
            "chat_service_sid",
            "flex_flow_sid",
            "queue_sid",
            "when_nobody",
            "task_workflow_sid",
            "task_channel",
            "task_days",
        ]

    def __init__(self, targets: Targets, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.targets = targets
        row = self.instance
        is_legacy = row.api == Webchat.Api.WEB_CHANNELS
        self.fields["address_sid"].required = not is_legacy
        none = ("-",) if is_legacy else ()
        self._offer("address_sid", _with_sids(targets.addresses), (row.address_sid, row.address_sid), *none)
        if Webchat.Api.WEB_CHANNELS in GATEWAYS:
            self.fields["flex_flow_sid"].required = is_legacy
            none = () if is_legacy else ("-",)
            self._offer("flex_flow_sid", _with_sids(targets.flex_flows), (row.flex_flow_sid, row.flex_flow_sid), *none)
        else:
            del self.fields["flex_flow_sid"]
        chosen = (row.chat_service_sid, row.chat_service_sid)
        self._offer("chat_service_sid", _with_sids(targets.chat_services), chosen)
        self._offer("queue_sid", targets.queues, (row.queue_sid, row.queue_name), _("none: nobody looks"))
        chosen = (row.task_workflow_sid, row.task_workflow_name)
        self._offer("task_workflow_sid", targets.workflows, chosen, _("none: no tasks"))
        self._offer("task_channel", targets.channels, (row.task_channel, row.task_channel))

    def _offer(self, field: str, found: Iterable[Named], chosen: tuple[str, str], *none: str) -> None:
        """What is chosen by now stays a choice, also where Twilio no longer lists it."""
        names = {named.key: named.name for named in found}
        choices = {**dict.fromkeys([chosen[0]], chosen[1]), **names} if chosen[0] else names
        self.fields[field].choices = [*(("", text) for text in none), *choices.items()]  # type: ignore[attr-defined]

    def save(self, commit: bool = True) -> Webchat:
        row: Webchat = self.instance
        row.queue_name = self._name_of("queue_sid")
        row.task_workflow_name = self._name_of("task_workflow_sid")
        row.save(update_fields=[*self.fields, "queue_name", "task_workflow_name"])
        return row

    def _name_of(self, field: str) -> str:
        chosen = self.cleaned_data[field]
        names = dict(self.fields[field].choices)  # type: ignore[attr-defined]
        return str(names[chosen])[:200] if chosen else ""


def _with_sids(found: Iterable[Named]) -> list[Named]:
    """Names that tell two of the same name apart, and can be found in Twilio's Console."""
    return [Named(named.key, f"{named.name} · {named.key}") for named in found]


def page(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    webchat = webchat_or_404(admin, request, pk)
    if not admin.has_change_permission(request, webchat):
        raise PermissionDenied
    try:
        targets = list_targets()
    except (ChatRefused, FlexError) as error:
        text = _("Twilio does not show its queues: %(error)s. The connection test says more.") % {"error": error}
        admin.message_user(request, text, messages.ERROR)
        return redirect("admin:webchat_webchat_change", pk)
    if request.method == "POST":
        with transaction.atomic():
            webchat = get_object_or_404(Webchat.objects.select_for_update(), pk=pk)
            edit = Edit(webchat, RoutingForm(targets, instance=webchat))
            form = RoutingForm(targets, edit.bring_together(request.POST), instance=webchat)
            if edit.said:
                form.add_error(None, edit.said)
            elif form.is_valid():
                form.save()
                admin.log_change(request, webchat, _("Address, queue and tasks"))
                admin.message_user(request, _("Saved."), messages.SUCCESS)
                return redirect("admin:webchat_webchat_change", pk)
    else:
        form = RoutingForm(targets, instance=webchat)
        edit = Edit(webchat, form)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "original": webchat,
        "title": _("Address, queue and tasks"),
        "subtitle": webchat.name,
        "form": form,
        "as_shown": edit.as_shown,
        "media": admin.media,
    }
    return render(request, "admin/webchat/webchat/routing.html", context)


def summary(webchat: Webchat) -> str:
    """For the webchat's own page."""
    parts = [
        _("looks at the queue “%(name)s”") % {"name": webchat.queue_name} if webchat.queue_sid else "",
        _("messages become tasks of “%(name)s”") % {"name": webchat.task_workflow_name}
        if webchat.task_workflow_sid
        else "",
    ]
    return "; ".join(filter(None, parts)) or "-"

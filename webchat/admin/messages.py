"""Messages that visitors left: to read, to answer by mail, and to mark as answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from webchat.admin.tools import BoundedPaginator, time_with_zone
from webchat.models import Message

# Mail programs cut longer addresses off, or refuse them.
QUOTED_MAX = 1000


class MessageForm(forms.ModelForm):
    is_answered = forms.BooleanField(label=gettext_lazy("Mark as answered"), required=False)

    class Meta:
        model = Message
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["is_answered"] = self.instance.answered_at is not None


class AnsweredFilter(admin.SimpleListFilter):
    title = gettext_lazy("answered")
    parameter_name = "answered"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", gettext_lazy("Not answered")), ("yes", gettext_lazy("Answered"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        return queryset.filter(answered_at__isnull=self.value() == "no") if self.value() else queryset


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    form = MessageForm
    list_display = [
        "received",
        "webchat",
        "customer_friendly_name",
        "reply",
        "excerpt",
        "answered_at",
        "answered_by",
    ]
    list_filter = [AnsweredFilter, "webchat", "received_at", ("answered_by", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["webchat", "answered_by"]
    search_fields = ["customer_friendly_name", "email", "text", "=user__email"]
    paginator = BoundedPaginator
    show_full_result_count = False
    actions = ["mark_answered", "mark_unanswered"]
    readonly_fields = [
        "received", "webchat", "customer_friendly_name", "user", "reply", "whole_text", "told", "account_matches",
        "consents", "answered_at", "answered_by",
    ]  # fmt: skip
    fieldsets = [
        (None, {"fields": ["received", "webchat", "customer_friendly_name", "user", "reply", "whole_text"]}),
        (None, {"fields": ["is_answered", "answered_at", "answered_by"]}),
        (gettext_lazy("The whole form"), {"classes": ["collapse"], "fields": ["told", "account_matches", "consents"]}),
    ]

    class Media:
        css = {"all": ["webchat/admin/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("received"), ordering="received_at")
    def received(self, message: Message) -> str:
        return time_with_zone(message.received_at)

    @admin.display(description=gettext_lazy("message"))
    def excerpt(self, message: Message) -> str:
        return Truncator(message.text).chars(80)

    @admin.display(description=gettext_lazy("message"))
    def whole_text(self, message: Message) -> str:
        return format_html('<p class="webchat-message-text" dir="auto">{}</p>', message.text)

    @admin.display(description=gettext_lazy("pre-engagement data"))
    def told(self, message: Message) -> str:
        if not message.answers:
            return str(_("None, or they are past their retention."))
        rows = format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", message.answers.items())
        return format_html("<table>{}</table>", rows)

    @admin.display(description=gettext_lazy("reply"), ordering="email")
    def reply(self, message: Message) -> str:
        """A link that opens the mail program of the member of staff, with the message quoted."""
        if not message.email:
            return "-"
        return format_html('<a href="{}">{}</a>', mailto(message), message.email)

    @admin.action(description=gettext_lazy("Mark as answered"), permissions=["change"])
    def mark_answered(self, request: HttpRequest, chosen: QuerySet[Message]) -> None:
        self._tell(request, Message.objects.filter(pk__in=chosen).mark_answered(request.user.pk))

    @admin.action(description=gettext_lazy("Mark as not answered"), permissions=["change"])
    def mark_unanswered(self, request: HttpRequest, chosen: QuerySet[Message]) -> None:
        self._tell(request, Message.objects.filter(pk__in=chosen).mark_unanswered())

    def _tell(self, request: HttpRequest, count: int) -> None:
        text = ngettext("%(count)d message was marked.", "%(count)d messages were marked.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Message, form: Any, change: bool) -> None:
        """Who marked it first stays the one who answered it."""
        this = Message.objects.filter(pk=obj.pk)
        if form.cleaned_data["is_answered"]:
            this.mark_answered(request.user.pk)
        else:
            this.mark_unanswered()


def mailto(message: Message) -> str:
    lines = Truncator(message.text).chars(QUOTED_MAX).splitlines()
    subject = _("Your message of %(date)s") % {"date": f"{message.received_at:%Y-%m-%d}"}
    body = "\r\n\r\n" + "\r\n".join(f"> {line}" for line in lines)
    return f"mailto:{quote(message.email, safe='@')}?subject={quote(subject)}&body={quote(body)}"

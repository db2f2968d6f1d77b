"""Messages that visitors left: to read, to answer by mail, and to mark as answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from webchat.admin.concurrent_edits import ConcurrentEditsMixin
from webchat.admin.sessions import accounts_known_by
from webchat.admin.tools import BoundedPaginator, time_with_zone
from webchat.models import Message
from webchat.models.beginnings import begins_with

# Mail programs cut longer addresses off, or refuse them.
QUOTED_MAX = 1000
# Members of staff that a filter offers.
MOST_STAFF = 50


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


class AnsweredByFilter(admin.RelatedFieldListFilter):
    """By those who answered. Among many messages they are few: one after the other is found by the index."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        found: list[Any] = []
        answered = (
            Message.objects.exclude(answered_by=None).order_by("-answered_by").values_list("answered_by", flat=True)
        )
        while len(found) < MOST_STAFF:
            others = answered.filter(answered_by__lt=found[-1]) if found else answered
            if (one := others.first()) is None:
                break
            found.append(one)
        return list(field.get_choices(include_blank=False, limit_choices_to={"pk__in": found}))


@admin.register(Message)
class MessageAdmin(ConcurrentEditsMixin):
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
    list_filter = [AnsweredFilter, "webchat", "received_at", ("answered_by", AnsweredByFilter)]
    list_select_related = ["webchat", "answered_by"]
    # An index leads in this order.
    sortable_by = ["received"]
    # In the latest messages; get_search_results() looks beyond them.
    search_fields = ["customer_friendly_name", "email", "text"]
    search_help_text = gettext_lazy(
        "What is in the text, the name or the address of the latest 10,001 messages. Of older ones the beginning of the name or "
        "the address, or what the account says. To search older texts, filter by date."
    )
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

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        """Each kind by an index of its own, no more of each than the list shows."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = [super().get_search_results(request, _latest(queryset), term)[0].order_by()]
        ways = [begins_with(column, term) for column in ("customer_friendly_name", "email")]
        if accounts := accounts_known_by(term):
            ways.append(Q(user_id__in=accounts))
        for way in ways:
            keys = Message.objects.filter(way).order_by("-received_at").values("pk")[: BoundedPaginator.MOST]
            found.append(Message.objects.order_by().filter(pk__in=keys))
        first, *others = (each.values("pk") for each in found)
        return queryset.filter(pk__in=first.union(*others)), False

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
        """Keeps who marked the message as answered first."""
        this = Message.objects.filter(pk=obj.pk)
        if form.cleaned_data["is_answered"]:
            this.mark_answered(request.user.pk)
        else:
            this.mark_unanswered()


def _latest(queryset: QuerySet[Message]) -> QuerySet[Message]:
    """As many as the list shows, as a span of time: the index of it leads to them."""
    times = queryset.order_by("-received_at").values_list("received_at", flat=True)
    oldest = times[BoundedPaginator.MOST - 1 : BoundedPaginator.MOST].first()
    return queryset if oldest is None else queryset.filter(received_at__gte=oldest)


def mailto(message: Message) -> str:
    lines = Truncator(message.text).chars(QUOTED_MAX).splitlines()
    subject = _("Your message of %(date)s") % {"date": f"{message.received_at:%Y-%m-%d}"}
    body = "\r\n\r\n" + "\r\n".join(f"> {line}" for line in lines)
    return f"mailto:{quote(message.email, safe='@')}?subject={quote(subject)}&body={quote(body)}"

"""Chat sessions to work with. There may be a million: each page reads those that it shows, by an index."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from webchat.admin.tools import BoundedPaginator, time_with_zone
from webchat.chats.end import end_chat
from webchat.chats.forget import Traces, export, forget
from webchat.fields.lookups import offered_lookups, same_but_for_case
from webchat.flex import failure_in_words
from webchat.models import ChatSession, Rating
from webchat.models.words import NOT_TOLD, chats_that_told

# Chats that are erased at once: each takes some calls to Twilio, for which the member of staff waits.
MOST_FORGOTTEN = 20
# Accounts that one search finds by each look-up: an e-mail address may be that of several, as a surname is.
MOST_ACCOUNTS = 20
FLEX = "https://flex.twilio.com/agent-desktop/"
CONSOLE = "https://console.twilio.com/us1/develop/conversations/manage/services"


class RatingInline(admin.StackedInline):
    """Read by those who have the permission for it, changed by nobody."""

    model = Rating
    # Else a chat that nobody rated shows an empty one: there may be one, says Django of a one-to-one relation.
    extra = 0
    fields = ["score", "comment", "rated_at"]
    readonly_fields = ["rated_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MatchedFilter(admin.SimpleListFilter):
    """What the site knows of who the visitor is."""

    title = _("customer")
    parameter_name = "customer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("verified", _("Signed in: verified")),
            ("matched", _("An answer matches an account, not verified")),
            ("unknown", _("Unknown")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ChatSession]) -> QuerySet[ChatSession]:
        matched = ~Q(account_matches=[])
        match self.value():
            case "verified":
                return queryset.filter(user__isnull=False)
            case "matched":
                return queryset.filter(matched, user__isnull=True)
            case "unknown":
                return queryset.filter(~matched, user__isnull=True)
        return queryset


@admin.register(ChatSession)
class ChatSessionAdmin(admin.ModelAdmin):
    list_display = ["created", "webchat", "customer", "question_in_short", "known", "state"]
    list_display_links = ["created", "customer"]
    list_filter = ["status", "created_at", "webchat", MatchedFilter]
    list_select_related = ["webchat", "user"]
    # An index leads in this order.
    sortable_by = ["created"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    # What is searched is in get_search_results(); this has Django show the box.
    search_fields = ["customer_friendly_name"]
    search_help_text = _(
        "Whole words of what the visitor told: an e-mail address, a number, words of the question. Or the beginning of the "
        "customer's name, what the account says, or a channel SID. Answers that are past their retention are not found. The "
        "list ends after 10,001 chats: search, or filter by date, for older ones."
    )
    actions = ["forget_chats"]
    inlines = [RatingInline]
    change_form_template = "admin/webchat/chatsession/change_form.html"
    readonly_fields = [
        "customer",
        "account_link",
        "question_as_told",
        "answers_as_told",
        "time_line",
        "where",
        "technical",
    ]
    fieldsets = [
        (None, {"fields": ["customer", "account_link", "webchat", "question_as_told", "answers_as_told"]}),
        (_("Time line"), {"fields": ["time_line", "where"]}),
        (
            _("Technical"),
            {
                "classes": ["collapse"],
                "fields": [
                    "technical",
                    "api",
                    "channel_sid",
                    "chat_service_sid",
                    "attempts",
                    "failure",
                    "failure_code",
                ],
            },
        ),
    ]

    class Media:
        css = {"all": ["webchat/admin/admin.css"]}

    # --- The list ---------------------------------------------------------------------------------------------------

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ChatSession], search_term: str
    ) -> tuple[QuerySet[ChatSession], bool]:
        """Each kind by an index of its own, so the database joins what they find: no more of each than the list shows."""
        term = search_term.strip()
        if not term:
            return queryset, False
        chats = ChatSession.objects.order_by()
        found = [
            chats.filter(channel_sid=term),
            chats.filter(identity=term),
            chats.filter(pk__in=_latest(chats.filter(ChatSession.named(term)))),
            chats.filter(pk__in=chats_that_told(term)),
        ]
        if accounts := accounts_known_by(term):
            found.append(chats.filter(pk__in=_latest(chats.filter(user_id__in=accounts))))
        first, *others = (each.values("pk") for each in found)
        return queryset.filter(pk__in=first.union(*others)), False

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, session: ChatSession) -> str:
        return time_with_zone(session.created_at)

    @admin.display(description=_("customer"))
    def customer(self, session: ChatSession) -> str:
        return session.customer_friendly_name or "-"

    @admin.display(description=_("question"))
    def question_in_short(self, session: ChatSession) -> str:
        return format_html('<span class="webchat-excerpt" dir="auto">{}</span>', session.question)

    @admin.display(description=_("known as"))
    def known(self, session: ChatSession) -> str:
        if session.user:
            return format_html("{} <span class='webchat-mark'>{}</span>", session.user, _("verified"))
        return str(_("matches an account, not verified")) if session.account_matches else "-"

    @admin.display(description=_("status"))
    def state(self, session: ChatSession) -> str:
        """What happened, in words."""
        if session.status == ChatSession.Status.ENDED and session.ended_by:
            return str(_("ended by: %(by)s") % {"by": session.get_ended_by_display()})
        return str(session.get_status_display())

    # --- One chat ---------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChatSession]:
        return super().get_queryset(request).select_related("webchat", "user")

    @admin.display(description=_("account"))
    def account_link(self, session: ChatSession) -> str:
        if session.user is None:
            return "-"
        options = session.user._meta
        try:
            address = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[session.user_id])
        except NoReverseMatch:  # a user model that is not in the admin
            return str(session.user)
        return format_html('<a href="{}">{}</a>', address, session.user)

    @admin.display(description=_("question"))
    def question_as_told(self, session: ChatSession) -> str:
        return format_html('<p class="webchat-message-text" dir="auto">{}</p>', session.question or "-")

    @admin.display(description=_("answers"))
    def answers_as_told(self, session: ChatSession) -> str:
        context = {
            "answers": answers_of(session),
            "page": session.answers.get("location"),
            "consents": session.consents,
        }
        return render_to_string("admin/webchat/chatsession/answers.html", context)

    @admin.display(description=_("what happened"))
    def time_line(self, session: ChatSession) -> str:
        return render_to_string("admin/webchat/chatsession/time_line.html", {"events": events_of(session)})

    @admin.display(description=_("in Flex"))
    def where(self, session: ChatSession) -> str:
        return render_to_string("admin/webchat/chatsession/where.html", {"links": links_of(session)})

    @admin.display(description=_("at Twilio"))
    def technical(self, session: ChatSession) -> str:
        if session.close_pending:
            return str(_("The worker still has to close the channel."))
        if session.is_active:
            return str(_("The channel is open."))
        return str(_("The channel is closed.")) if session.channel_sid else str(_("No channel was opened."))

    def get_urls(self) -> list[URLPattern]:
        end = path("<uuid:pk>/end/", self.admin_site.admin_view(self.end_view), name="webchat_chatsession_end")
        return [end, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"may_end": self.has_end_permission(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, more)

    def end_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Asks first; then ends the chat here at once, and at Twilio as soon as it can be reached."""
        if not (self.has_end_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        session = ChatSession.objects.select_related("webchat").filter(pk=pk).first()
        if session is None:
            raise Http404
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "original": session,
                "title": _("End this chat"),
                "media": self.media,
            }
            return render(request, "admin/webchat/chatsession/end.html", context)
        if ChatSession.objects.unfinished().filter(pk=pk).exists():
            end_chat(session, ChatSession.EndedBy.STAFF)
            self.log_change(request, session, str(_("The chat was ended.")))
            self.message_user(request, _("The chat was ended."), messages.SUCCESS)
        else:
            self.message_user(request, _("The chat had ended already."), messages.WARNING)
        return HttpResponseRedirect(reverse("admin:webchat_chatsession_change", args=[pk]))

    # --- Permissions ------------------------------------------------------------------------------------------------

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webchat.end_chatsession")

    def has_forget_permission(self, request: HttpRequest) -> bool:
        """Erasing at Twilio too is no deletion of rows, which nobody may do by hand, but needs the right to it. The file
        has the ratings, too."""
        return request.user.has_perms(["webchat.delete_chatsession", "webchat.view_rating"])

    @admin.action(description=_("Export and forget"), permissions=["forget"])
    def forget_chats(self, request: HttpRequest, chosen: QuerySet[ChatSession]) -> HttpResponse | None:
        """Asks first; gives all that the site holds of these chats as a file; erases them at Twilio, and then here."""
        traces = Traces(list(chosen[:MOST_FORGOTTEN]), [])
        if "export" in request.POST:
            answer = JsonResponse(export(traces), json_dumps_params={"ensure_ascii": False, "indent": 2})
            answer["Content-Disposition"] = 'attachment; filename="chats.json"'
            return answer
        if "erase" in request.POST:
            left = forget(traces)
            done = len(traces.sessions) - left
            text = ngettext("%(count)d chat was erased.", "%(count)d chats were erased.", done) % {"count": done}
            self.message_user(request, text, messages.SUCCESS)
            if left:
                rest = _("Of the chosen ones %(count)d are left: Twilio did not erase them, or they are being started.")
                self.message_user(request, rest % {"count": left}, messages.ERROR)
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Export and forget"),
            "sessions": traces.sessions,
            "media": self.media,
        }
        return render(request, "admin/webchat/chatsession/forget.html", context)

    def get_inlines(self, request: HttpRequest, obj: ChatSession | None) -> Any:
        """Without the heading of a rating where nobody rated."""
        return super().get_inlines(request, obj) if obj and Rating.objects.filter(session=obj).exists() else []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _latest(chats: QuerySet[ChatSession]) -> QuerySet[ChatSession, Any]:
    """The keys of as many as the list shows: all chats without a name may have the webchat's."""
    return chats.order_by("-created_at").values("pk")[: BoundedPaginator.MOST]


def accounts_known_by(term: str) -> list[Any]:
    """The keys of the site's users of whom a look-up says just this, like the e-mail address or the customer number."""
    users = get_user_model()._default_manager
    paths = dict.fromkeys([get_user_model().get_email_field_name(), *offered_lookups()])
    return [
        pk
        for each in paths
        for pk in users.filter(same_but_for_case(each, term)).values_list("pk", flat=True)[:MOST_ACCOUNTS]
    ]


def answers_of(session: ChatSession) -> list[dict[str, Any]]:
    """`label` in the language of whoever reads it, `value`, and of where it comes: `verified` by the account, or `matches` one that anybody may have typed."""
    labels = {row.name: row.texts["label"] for row in session.webchat.fields.all()}
    verified = session.answers.get("verified", [])
    return [
        {
            "label": labels.get(name, name),
            "value": value,
            "verified": name in verified,
            "matches": name in session.account_matches,
        }
        for name, value in session.answers.items()
        if name not in NOT_TOLD and name != "friendlyName" and value not in ("", None)
    ]


def events_of(session: ChatSession) -> list[tuple[str, Any]]:
    """What happened with the times, in their order."""
    events: list[tuple[datetime | None, Any]] = [
        (session.created_at, _("The form was sent")),
        (session.started_at, _("The chat began at Flex")),
        (session.question_sent_at, _("The question reached the agents")),
    ]
    if session.status == ChatSession.Status.FAILED:
        failed = _("The chat could not be started: %(failure)s") % {"failure": failure_in_words(session.failure)}
        events.append((session.ended_at or session.lease_until, failed))
    elif session.ended_at:
        ended = _("Ended by: %(by)s") % {"by": session.get_ended_by_display() or "-"}
        events.append((session.ended_at, ended))
    known = sorted(((at, words) for at, words in events if at), key=lambda event: event[0])
    return [(time_with_zone(at), words) for at, words in known]


def links_of(session: ChatSession) -> list[tuple[str, Any]]:
    """Where the agents' side of the chat is to be seen: address and words. None of a chat that never got there."""
    if not session.channel_sid:
        return []
    if settings.TWILIO_SANDBOX_URL:
        return [(f"{settings.TWILIO_SANDBOX_URL}/#{session.channel_sid}", _("This chat at the sandbox's agent desk"))]
    frame = f"/console/conversations/services/{session.chat_service_sid}/conversations/{session.channel_sid}"
    return [
        (FLEX, _("Flex, the agents' desk")),
        (f"{CONSOLE}?frameUrl={quote(frame, safe='')}", _("This conversation in the Twilio Console")),
    ]

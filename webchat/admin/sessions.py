"""Chat sessions, for reading. There may be a million: each page reads those that it shows, by an index."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from webchat.admin.tools import BoundedPaginator
from webchat.chats.forget import Traces, export, forget
from webchat.fields.lookups import same_but_for_case
from webchat.models import ChatSession, Rating

# That are erased at once: each takes some calls to Twilio, for which the member of staff waits.
MOST_FORGOTTEN = 20
# Accounts with one e-mail address: Django does not keep it unique.
MOST_ACCOUNTS = 20


class RatingInline(admin.StackedInline):
    """Read by those who have the permission for it, changed by nobody."""

    model = Rating
    fields = ["score", "comment", "rated_at"]
    readonly_fields = ["rated_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ChatSession)
class ChatSessionAdmin(admin.ModelAdmin):
    list_display = ["created_at", "webchat", "customer_friendly_name", "user", "status", "ended_by"]
    list_filter = ["status", "webchat", "created_at"]
    list_select_related = ["webchat", "user"]
    # An index leads in this order.
    sortable_by = ["created_at"]
    paginator = BoundedPaginator
    show_full_result_count = False
    # What is searched is in get_search_results(); this has Django show the box.
    search_fields = ["customer_friendly_name"]
    search_help_text = _(
        "The beginning of a customer's name; or a whole channel SID, identity, or e-mail address of an account. The list ends "
        "after 10,001 chats: search, or filter by date, for older ones."
    )
    actions = ["forget_chats"]
    inlines = [RatingInline]
    exclude = ["account", "browser", "owner", "key", "answers_digest"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ChatSession], search_term: str
    ) -> tuple[QuerySet[ChatSession], bool]:
        """Each kind by an index of its own, so the database joins what they find."""
        term = search_term.strip()
        if not term:
            return queryset, False
        users = get_user_model()
        named = same_but_for_case(users.get_email_field_name(), term)
        accounts = list(users._default_manager.filter(named).values_list("pk", flat=True)[:MOST_ACCOUNTS])
        found = Q(channel_sid=term) | Q(identity=term) | ChatSession.named(term)
        return queryset.filter(found | Q(user_id__in=accounts) if accounts else found), False

    def has_forget_permission(self, request: HttpRequest) -> bool:
        """Erasing at Twilio too is no deletion of rows, which nobody may do by hand, but needs the right to it."""
        return request.user.has_perm("webchat.delete_chatsession")

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

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

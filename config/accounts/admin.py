"""Users in the admin: Django's own pages, with the company's two fields."""

from __future__ import annotations

import re
from functools import reduce
from operator import or_

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.contrib.sites.admin import SiteAdmin as DjangoSiteAdmin
from django.contrib.sites.models import Site
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from config import second_factor
from config.accounts.models import User
from webchat.admin.concurrent_edits import ConcurrentEditsMixin
from webchat.admin.tools import BoundedPaginator
from webchat.chats.forget import export, traces_of_account
from webchat.models.beginnings import begins_with

# What the export of a user's chats shows, which the pages that delete users offer.
EXPORTED = ("webchat.view_chatsession", "webchat.view_message", "webchat.view_rating")
# Words of a first and a last name together, as staff search for them.
MOST_WORDS = 6


@admin.register(User)
class UserAdmin(ConcurrentEditsMixin, DjangoUserAdmin):
    # Each sign-in writes it.
    unannounced_inputs = frozenset({"-last_login_0", "-last_login_1"})
    actions = ["remove_second_factor"]
    list_display = ["username", "email", "first_name", "last_name", "customer_number", "is_active", "is_staff"]
    paginator = BoundedPaginator
    show_full_result_count = False
    # An index leads to the beginnings of each: get_search_results().
    search_fields = [*DjangoUserAdmin.search_fields, "phone", "customer_number"]
    search_help_text = _(
        "How a username, first or last name, both names, an e-mail address, a customer number or a phone number (+41…) begins."
    )
    fieldsets = [*(DjangoUserAdmin.fieldsets or ()), (_("Customer"), {"fields": ["phone", "customer_number"]})]
    add_fieldsets = [
        *DjangoUserAdmin.add_fieldsets,
        (_("Customer"), {"classes": ["wide"], "fields": ["email", "phone", "customer_number"]}),
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Finds among 100,000 users those whose columns begin so, without reading the others: by the columns' indexes first, as
        the one that leads in the list's order would lead through all."""
        words = search_term.split()
        if not words:
            return queryset, False
        whole = " ".join(words)
        # Phone numbers are kept as "+41446681800".
        digits = re.sub(r"[ ()./-]", "", whole) or whole
        ways = [begins_with(column, digits if column == "phone" else whole) for column in self.search_fields]
        for number in range(1, min(len(words), MOST_WORDS)):
            one, other = " ".join(words[:number]).rstrip(","), " ".join(words[number:])
            ways.append(begins_with("first_name", one) & begins_with("last_name", other))
            ways.append(begins_with("last_name", one) & begins_with("first_name", other))
        users = User.objects.filter(reduce(or_, ways)).order_by().values("pk")[: BoundedPaginator.MOST]
        return queryset.filter(pk__in=users), False

    @admin.action(description=_("Remove the second factor"), permissions=["remove_second_factor"])
    def remove_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            second_factor.remove_devices(user)
            self.log_change(request, user, gettext("The second factor was removed."))
        self.message_user(request, gettext("It is set up anew at the next sign-in."), messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        chats = path("<int:pk>/chats/", self.admin_site.admin_view(self.export_chats), name="accounts_user_chats")
        return [chats, *super().get_urls()]

    def export_chats(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the site holds of the chats and messages of a user, as a file: a deletion blanks the answers of the chats and
        deletes the messages."""
        user = get_object_or_404(User, pk=pk)
        if not (self.has_delete_permission(request, user) and request.user.has_perms(EXPORTED)):
            raise PermissionDenied
        answer = JsonResponse(export(traces_of_account(user)), json_dumps_params={"ensure_ascii": False, "indent": 2})
        answer["Content-Disposition"] = f'attachment; filename="chats-of-user-{user.pk}.json"'
        return answer

    def has_remove_second_factor_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)


admin.site.unregister([Group, Site])


@admin.register(Group)
class GroupAdmin(ConcurrentEditsMixin, DjangoGroupAdmin):
    """Django's own page."""


@admin.register(Site)
class SiteAdmin(ConcurrentEditsMixin, DjangoSiteAdmin):
    """Django's own page."""


# Their pages show keys and recovery codes; staff need none of it.
admin.site.unregister([StaticDevice, TOTPDevice])

"""The admin site, with the one Content-Security-Policy that it needs."""

from __future__ import annotations

from functools import partial, wraps
from typing import Any
from urllib.parse import urlencode

import structlog
from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import BadRequest, ValidationError
from django.db import DataError, IntegrityError
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from config import second_factor
from config.sign_in import AdminSignInForm, SignOut, tell_limit_of_admin
from webchat.chats.accounts import has_chat_to_end
from webchat.standstill import find_standstill
from webchat.statistics.page import page as statistics_page
from webchat.statistics.start_page import start_page

logger = structlog.get_logger("config.security")

# Django's admin has no inline script, but it knows no nonces either.
_own_scripts = csp_replace({"script-src": [SELF]})


def _once_more(view: Any) -> Any:
    """Somebody else saved the same unique value between this save's check and its write. Nothing was saved, and the next
    check finds that value, and says so at its field."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except IntegrityError:
            return view(request, *args, **kwargs)

    return checked


# No form here has more rows. Django makes a form for each row that is announced, and shows them all again.
MOST_FORMS = 100
# Words of a search in any list.
MOST_WORDS = 100


def _refusing_bad_input(view: Any) -> Any:
    """The view, for what the admin's own code lets through to the database: it answers 400 and not 500."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        _search_for_few(request)
        if request.method == "POST":
            _require_sound_form(request.POST)
            _require_sound_selection(request.POST, view)
        try:
            response: HttpResponseBase = view(request, *args, **kwargs)
            if isinstance(response, SimpleTemplateResponse):
                response.render()  # lists ask the database there, too
        except (OverflowError, DataError) as error:
            logger.warning("admin_input_refused", exc_info=error)
            raise BadRequest("out of range") from error
        return response

    return checked


def _search_for_few(request: HttpRequest) -> None:
    """SQLite takes no statement of several hundred words. The box of the search then shows those that are looked for."""
    words = request.GET.get(SEARCH_VAR, "").split()
    if len(words) > MOST_WORDS:
        asked = request.GET.copy()
        asked[SEARCH_VAR] = " ".join(words[:MOST_WORDS])
        request.GET = asked  # type: ignore[assignment]
        messages.warning(request, gettext("Only the first %(count)d words are looked for.") % {"count": MOST_WORDS})


def _require_sound_form(posted: QueryDict) -> None:
    """Raises BadRequest."""
    for name, values in posted.lists():
        if "\0" in name or any("\0" in value for value in values):
            raise BadRequest("NUL in the form")
        if name.endswith("TOTAL_FORMS") and not all(map(_is_few, values)):
            raise BadRequest("too many forms")


def _is_few(number: str) -> bool:
    return number.isdecimal() and len(number) <= len(str(MOST_FORMS)) and int(number) <= MOST_FORMS


def _require_sound_selection(posted: QueryDict, view: Any) -> None:
    """The rows that an action is for have keys of their model's kind. Raises BadRequest."""
    model_admin = getattr(view, "__self__", None)
    if isinstance(model_admin, admin.ModelAdmin):
        try:
            for key in posted.getlist(ACTION_CHECKBOX_NAME):
                model_admin.model._meta.pk.to_python(key)
        except ValidationError as error:
            raise BadRequest("no key of a row") from error


# The first sections of the menu and of the start page, and in them the first models: what is used each day.
FIRST_APPS = ["webchat"]
FIRST_MODELS = ["Webchat", "ChatSession", "Message", "OpeningHours"]


def _place(name: str, first: list[str]) -> int:
    return first.index(name) if name in first else len(first)


class SiteAdmin(admin.AdminSite):
    site_header = site_title = _("Administration")
    index_title = _("Webchats")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Django's, which is by the alphabet, with the chats first."""
        apps = sorted(super().get_app_list(request, app_label), key=lambda app: _place(app["app_label"], FIRST_APPS))
        for app in apps:
            app["models"].sort(key=lambda model: _place(model["object_name"], FIRST_MODELS))
        return apps

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return _own_scripts(super().admin_view(_once_more(_refusing_bad_input(view)), cacheable))

    login_form = AdminSignInForm

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method == "GET" and super().has_permission(request) and second_factor.is_missing(request):
            wanted = urlencode({"next": request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")})
            return redirect(f"{reverse('second-factor')}?{wanted}")
        login: Any = _own_scripts(super().login)
        return tell_limit_of_admin(login(request, extra_context))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if has_chat_to_end(request):
            return SignOut.as_view()(request)  # which asks first
        return super().logout(request, extra_context)

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not second_factor.is_missing(request)

    def get_urls(self) -> list[Any]:
        of_statistics = path("webchat/statistics/", self.admin_view(partial(statistics_page, self)), name="statistics")
        return [of_statistics, *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        standstill = find_standstill() if request.user.has_module_perms("webchat") else None
        if standstill:
            messages.warning(request, standstill.words)
        return super().index(request, {**start_page(request), "standstill": standstill, **(extra_context or {})})

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("password_change")  # one page, with one set of limits

"""Signing in, within limits: guessing must not pay, and hashing passwords must not hold up the site.

Wrong passwords are counted by account and network together: who guesses at somebody's account locks out the own network,
never that person elsewhere. The limits are those of the chat, exact over all machines.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django import forms
from django.contrib import messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView, PasswordResetConfirmView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from webchat.chats.accounts import has_chat_to_end, has_running_chat
from webchat.conf import conf
from webchat.fields.lookups import normal_form, same_but_for_case
from webchat.protection.limits import Limit, by_network, give_back, take_each
from webchat.visitors import network_of

logger = structlog.get_logger("config.security")

BY_ACCOUNT = Limit("sign-in:account", 10, 600)
BY_NETWORK = Limit("sign-in:network", 60, 600)

# Hashing a password is a quarter of a second of a core.
HASHES_AT_ONCE = 2
FULL_RETRY_SECONDS = 2


class TooMany(ValidationError):  # noqa: N818
    """`retry_after` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(_("Too many tries. Please wait a while and try again."), code="too_many")
        self.retry_after = retry_after


class Hashing:
    """The bulkhead of a process: a quarter of its threads may wait for a password to be hashed, two at once are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._turns = threading.Semaphore(HASHES_AT_ONCE)

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Raises TooMany at once when there is no room."""
        with self._lock:
            if self._inside >= max(HASHES_AT_ONCE, conf.WEBCHAT_THREADS // 4):
                raise TooMany(FULL_RETRY_SECONDS)
            self._inside += 1
        try:
            with self._turns:
                yield
        finally:
            with self._lock:
                self._inside -= 1


hashing = Hashing()


@contextmanager
def counted_try(username: str, request: HttpRequest) -> Iterator[None]:
    """Around the check of a password: what fails in it stays counted. Raises TooMany."""
    network = network_of(request)
    tries = [(BY_ACCOUNT, f"{normal_form(username)} {network}"), *by_network(BY_NETWORK, network)]
    if empty := take_each(*tries):
        logger.warning("sign_in_limited")
        raise TooMany(empty.seconds)
    try:
        with hashing.passage():
            yield
    except TooMany:
        give_back(*tries)
        raise
    give_back(*tries)


def username_of(typed: str) -> str:
    """The user name of the one account with this e-mail address; else what was typed. A user name that looks like an
    address is a user name."""
    users = get_user_model()._default_manager
    email = get_user_model().get_email_field_name()
    if "@" not in typed or users.filter(**{users.model.USERNAME_FIELD: typed}).exists():
        return typed
    found = list(users.filter(same_but_for_case(email, typed))[:2])
    return found[0].get_username() if len(found) == 1 else typed


class _WithinLimits:
    """A form that signs in, by user name or by e-mail address, within the limits: both count as one."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("Username or e-mail address")

    def clean_username(self: Any) -> str:
        return username_of(self.cleaned_data["username"])

    def clean(self: Any) -> Any:
        username = self.cleaned_data.get("username")
        if username is None or self.request is None:
            return super().clean()  # type: ignore[misc]
        with counted_try(username, self.request):
            return super().clean()  # type: ignore[misc]


class SignInForm(_WithinLimits, AuthenticationForm):
    pass


class AdminSignInForm(_WithinLimits, AdminAuthenticationForm):
    pass


class OwnPasswordForm(PasswordChangeForm):
    """The old password is asked for against whoever found the browser open."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        with counted_try(self.user.get_username(), self.request):
            return super().clean_old_password()


def tell_limit(response: HttpResponse, form: forms.Form) -> HttpResponse:
    """The page of a form that was refused by a limit says so in its head, too."""
    for error in form.errors.as_data().values():
        for each in error:
            if isinstance(each, TooMany):
                response.status_code = 429
                response["Retry-After"] = str(each.retry_after)
    return response


class SignIn(LoginView):
    authentication_form = SignInForm

    def form_invalid(self, form: Any) -> HttpResponse:
        return tell_limit(super().form_invalid(form), form)


class SignOut(LogoutView):
    """Asks first where a chat runs, which the sign-out would end, and says so afterwards."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        ends_chat = has_chat_to_end(request)
        if ends_chat and "end_chat" not in request.POST:
            return TemplateResponse(request, "registration/sign_out.html")
        response = super().post(request, *args, **kwargs)
        if ends_chat:
            messages.info(request, _("You are signed out, and your chat has ended."))
        return response


class _WarnsOfEnd:
    """A view that sets a new password. It says before and afterwards that this ends the account's chat."""

    def get_context_data(self: Any, **kwargs: Any) -> Any:
        user = self.account
        ends_chat = user is not None and has_running_chat(user)
        return super().get_context_data(**kwargs, ends_chat=ends_chat)  # type: ignore[misc]

    def form_valid(self: Any, form: Any) -> HttpResponse:
        ends_chat = has_running_chat(self.account)
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        if ends_chat:
            messages.info(self.request, _("The password is changed, and your chat has ended."))
        return response


@method_decorator(sensitive_post_parameters(), name="dispatch")
class PasswordChange(_WarnsOfEnd, PasswordChangeView):
    form_class = OwnPasswordForm

    @property
    def account(self) -> Any:
        return self.request.user

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_invalid(self, form: Any) -> HttpResponse:
        return tell_limit(super().form_invalid(form), form)


class PasswordResetConfirm(_WarnsOfEnd, PasswordResetConfirmView):
    @property
    def account(self) -> Any:
        return self.user  # None where the link is too old


def tell_limit_of_admin(response: HttpResponseBase) -> HttpResponseBase:
    form = (getattr(response, "context_data", None) or {}).get("form")
    if isinstance(response, HttpResponse) and isinstance(form, AdminSignInForm):
        return tell_limit(response, form)
    return response

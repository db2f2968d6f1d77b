"""A second factor for the administration: a code of an authenticator app (TOTP), or a recovery code, by django-otp.

STAFF_SECOND_FACTOR says of whom it is required: nobody ("off"), superusers, or all staff. Whoever has set one up is asked
for it as well. A user of whom it is required and who has none sets it up at the next sign-in.
"""

from __future__ import annotations

from base64 import b32encode
from typing import Any

import django_otp
import segno
import structlog
from django import forms
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.checks import CheckMessage, Error
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.sign_in import TooMany, tell_limit
from webchat.protection.limits import Limit, give_back, take_each
from webchat.visitors import network_of

logger = structlog.get_logger("config.security")

OFF, SUPERUSERS, STAFF = "off", "superusers", "staff"
# Beside django-otp's own pause after each wrong code, which is of the device and doubles each time.
BY_ACCOUNT = Limit("second-factor", 10, 600)
RECOVERY_CODES = 10
CODE_DIGITS = 6  # of an app; a recovery code has eight characters


def is_missing(request: HttpRequest) -> bool:
    """Whether the signed-in member of staff has still to show a second factor."""
    user: Any = request.user
    if settings.STAFF_SECOND_FACTOR == OFF or user.is_verified():
        return False
    is_required = user.is_superuser or settings.STAFF_SECOND_FACTOR == STAFF
    return is_required or django_otp.user_has_device(user)


def remove_devices(user: Any) -> None:
    for device in list(django_otp.devices_for_user(user, confirmed=None)):
        device.delete()


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )

    def __init__(self, request: HttpRequest, new: TOTPDevice | None, data: Any = None) -> None:
        super().__init__(data)
        self.request, self.new = request, new
        self.device: Any = None

    def clean_code(self) -> str:
        code = "".join(self.cleaned_data["code"].split()).lower()
        tries = (BY_ACCOUNT, f"{self.request.user.pk} {network_of(self.request)}")
        if empty := take_each(tries):
            raise TooMany(empty.seconds)
        self.device = self._find_device(code)
        if self.device is None:
            logger.warning("second_factor_refused", user=self.request.user.pk)
            raise forms.ValidationError(_("This code is wrong, or was used already. Wait for the next one."))
        give_back(tries)
        return code

    def _find_device(self, code: str) -> Any:
        """The device that this is a code of. A wrong one makes only its own kind wait."""
        kind = TOTPDevice if len(code) == CODE_DIGITS and code.isdecimal() else StaticDevice
        devices = [self.new] if self.new else kind.objects.devices_for_user(self.request.user, confirmed=True)
        for device in devices:
            if found := django_otp.verify_token(self.request.user, device.persistent_id, code):
                return found
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters()
def page(request: HttpRequest) -> HttpResponse:
    """Asks for the code; of a user without a second factor, sets it up."""
    user: Any = request.user
    if not user.is_authenticated or not user.is_staff:
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    if user.is_verified():
        return redirect(_next(request))
    new = None if django_otp.user_has_device(user) else _new_device(user)
    form = CodeForm(request, new, request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "next": _next(request)}
    if form.is_bound and form.is_valid():
        context["recovery_codes"] = _confirm(form.device) if new else None
        request.session.cycle_key()
        django_otp.login(request, form.device)
        logger.info("second_factor_set_up" if new else "second_factor_accepted", user=user.pk)
        if not new:
            return redirect(_next(request))
    elif new:
        context["qr_code"] = segno.make(new.config_url, micro=False).svg_data_uri(scale=4, border=2, light="#fff")
        context["secret"] = b32encode(new.bin_key).decode().rstrip("=")
        context["address"] = new.config_url
    return tell_limit(render(request, "registration/second_factor.html", context), form)


def _next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("admin:index")


def _new_device(user: Any) -> TOTPDevice:
    """The one that the user is setting up: the same at each look at the page."""
    found: tuple[TOTPDevice, bool] = TOTPDevice.objects.get_or_create(
        user=user, confirmed=False, defaults={"name": "app"}
    )
    return found[0]


@transaction.atomic
def _confirm(device: TOTPDevice) -> list[str]:
    """Makes it the user's own, with new recovery codes, which are shown this once."""
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    codes = StaticDevice.objects.create(user=device.user, name="recovery codes")
    fresh = [StaticToken.random_token() for _number in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=codes, token=code) for code in fresh)
    return fresh


def check_second_factor(**kwargs: object) -> list[CheckMessage]:
    if settings.STAFF_SECOND_FACTOR in (OFF, SUPERUSERS, STAFF):
        return []
    return [
        Error(
            "STAFF_SECOND_FACTOR is not understood.",
            hint=f"It is one of: {OFF}, {SUPERUSERS}, {STAFF}.",
            id="site.E002",
        )
    ]

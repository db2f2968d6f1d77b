"""The website's own accounts."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

# Django's own words about accounts, which our catalogues write as they write ours. Named for the test of the
# catalogues alone.
DJANGOS_WORDS = [
    gettext_noop("Email"),
    gettext_noop("Email address"),
    gettext_noop("email address"),
    gettext_noop("Enter a valid email address."),
]


class AccountsConfig(AppConfig):
    name = "config.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

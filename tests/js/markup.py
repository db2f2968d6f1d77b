"""Prints the chat's own page, as the site renders it: what the units of tests/js put into their document."""

from __future__ import annotations

import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["DATABASE_URL"] = "sqlite://:memory:"


def main() -> None:
    import django

    django.setup()

    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    from tests.support.factories import make_webchat

    setup_test_environment()
    call_command("migrate", verbosity=0)
    make_webchat(attachments=True)
    sys.stdout.write(Client().get("/webchat/support/").content.decode())


main()

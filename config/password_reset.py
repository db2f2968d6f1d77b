"""A new password by mail. The request neither looks the address up nor sends anything: it leaves a row for the worker.

So the answer to an account's address and to an unknown one is the same work, and no mail server holds a thread.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetView
from django.core.mail import EmailMessage
from django.http import HttpResponse, HttpResponseRedirect
from django.template import loader
from django.utils import translation
from django.utils.crypto import get_random_string
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from webchat.fields.lookups import normal_form
from webchat.mail import queue_mail, register_mail
from webchat.models import OutgoingMail
from webchat.protection.limits import Limit, by_network, take_each
from webchat.visitors import network_of

BY_NETWORK = Limit("reset:network", 20, 3600)
# For what was typed, whether anybody has it or not; and for an account, however it was typed.
BY_ADDRESS = Limit("reset:address", 3, 3600)
BY_ACCOUNT = Limit("reset:account", 3, 3600)

ASKED, LINK = "password_reset", "password_reset_link"


class PasswordReset(PasswordResetView):
    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        email = form.cleaned_data["email"]
        if empty := take_each(*by_network(BY_NETWORK, network_of(self.request))):
            form.add_error(None, _("Too many tries. Please wait a while and try again."))
            refused = self.form_invalid(form)
            refused.status_code = 429
            refused["Retry-After"] = str(empty.seconds)
            return refused
        # Past the limit of an address, the answer is the same: its owner has the mails already.
        if take_each((BY_ADDRESS, normal_form(email))) is None:
            queue_mail(ASKED, get_random_string(32), email=email, language=translation.get_language())
        return HttpResponseRedirect(str(self.success_url))


def find_accounts(asked: OutgoingMail) -> None:
    """Leaves a mail for each account of the address that was typed."""
    for user in PasswordResetForm().get_users(asked.about["email"]):
        if take_each((BY_ACCOUNT, str(user.pk))) is None:
            queue_mail(LINK, f"{asked.pk}:{user.pk}", user=str(user.pk), language=asked.about["language"])


def write_link(mail: OutgoingMail) -> EmailMessage | None:
    """The link, made now: it is nowhere but in the mail. None for an account that may no longer sign in."""
    user = get_user_model()._default_manager.filter(pk=mail.about["user"], is_active=True).first()
    if user is None:
        return None
    # By its public address, and not by a header of the request.
    protocol, _separator, domain = settings.PUBLIC_BASE_URL.partition("://")
    context: dict[str, Any] = {
        "user": user,
        "uid": urlsafe_base64_encode(force_bytes(user.pk)),
        "token": default_token_generator.make_token(user),
        "protocol": protocol,
        "domain": domain,
        "site_name": settings.COMPANY_NAME,
    }
    with translation.override(mail.about["language"]):
        subject = loader.render_to_string("registration/password_reset_subject.txt", context)
        body = loader.render_to_string("registration/password_reset_email.html", context)
    return EmailMessage(" ".join(subject.split()), body, to=[getattr(user, user.get_email_field_name())])


def register_mails() -> None:
    register_mail(ASKED, find_accounts)
    register_mail(LINK, write_link)

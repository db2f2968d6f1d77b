"""A message that was left, as mail to staff. The worker sends it: webchat/mail.py."""

from __future__ import annotations

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _

from webchat.conf import conf
from webchat.mail import queue_mail
from webchat.models import Message, OutgoingMail, PreEngagementField
from webchat.models.webchat import split_recipients

KIND = "left_message"


def queue_for_staff(message: Message) -> None:
    """Leaves the mail for the worker, in the caller's transaction, if staff want any."""
    if message.webchat.message_recipients:
        queue_mail(KIND, key=f"{KIND}:{message.pk}", message=str(message.pk))


def write_mail(row: OutgoingMail) -> EmailMessage | None:
    """The mail to those whom staff name by now; None where nobody is, or the message is forgotten.

    The visitor gets no copy: else anybody could have this site write to anybody.
    """
    message = Message.objects.select_related("webchat").filter(pk=row.about["message"]).exclude(text="").first()
    recipients = split_recipients(message.webchat.message_recipients) if message else []
    if message is None or not recipients:
        return None
    return EmailMessage(
        subject=_("A message was left in the webchat “%(name)s”") % {"name": " ".join(message.webchat.name.split())},
        body=_body(message),
        to=recipients,
        reply_to=[message.email],
    )


def _body(message: Message) -> str:
    labels = dict(PreEngagementField.objects.filter(webchat=message.webchat_id).values_list("name", "label"))
    told = [f"{labels[name]}: {value}" for name, value in message.answers.items() if name in labels and value]
    page = conf.PUBLIC_BASE_URL + reverse("admin:webchat_message_change", args=[message.pk])
    parts = [
        f"{message.customer_friendly_name} <{message.email}>",
        message.text,
        "\n".join(told),
        _("Your answer to this mail goes to the visitor. Mark the message as answered here:"),
        page,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"

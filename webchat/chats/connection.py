"""What a request of staff may ask Twilio: a test of the connection, and what there is to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from webchat.errors import ChatRefused
from webchat.flex import GATEWAYS, Deadline, Destination, Problem, gateway_for
from webchat.flex.offers import Offers
from webchat.flex.taskrouter import Named, TaskRouter
from webchat.models import Webchat
from webchat.protection.outage import passage_to_twilio

TEST_SECONDS = 10  # that staff wait for its calls, two to four of them


@dataclass(frozen=True, slots=True)
class Targets:
    """What Conversations and TaskRouter have, and the legacy API while it is switched on."""

    addresses: list[Named]
    chat_services: list[Named]
    queues: list[Named]
    workflows: list[Named]
    channels: list[Named]
    flex_flows: list[Named]


def list_targets() -> Targets:
    """Raises ChatRefused while Twilio is not asked, and FlexError."""
    with passage_to_twilio():
        deadline = Deadline(TEST_SECONDS)
        offers, router = Offers(deadline), TaskRouter(deadline)
        return Targets(
            offers.addresses(),
            offers.chat_services(),
            router.queues(),
            router.workflows(),
            router.channels(),
            offers.flex_flows() if Webchat.Api.WEB_CHANNELS in GATEWAYS else [],
        )


def find_problems(destination: Destination) -> list[Problem]:
    """What is wrong between the site and Twilio. Empty: nothing."""
    try:
        with passage_to_twilio():
            return gateway_for(destination, Deadline(TEST_SECONDS)).diagnose()
    except ChatRefused as refused:
        text = _(
            "Twilio was not asked, as it does not answer or too many wait for it. Try again in %(seconds)d seconds."
        )
        return [Problem(text % {"seconds": refused.retry_after or 1})]

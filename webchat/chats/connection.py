"""The test of the connection to Twilio, as a request of staff may make it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from webchat.errors import ChatRefused
from webchat.flex import Deadline, Destination, gateway_for
from webchat.protection.outage import passage

TEST_SECONDS = 10  # that staff wait for its calls, two to four of them


def find_problems(destination: Destination) -> list[str]:
    """What is wrong between the site and Twilio, in sentences for staff. Empty: nothing."""
    try:
        with passage():
            return gateway_for(destination, Deadline(TEST_SECONDS)).diagnose()
    except ChatRefused as refused:
        text = _(
            "Twilio was not asked, as it does not answer or too many wait for it. Try again in %(seconds)d seconds."
        )
        return [text % {"seconds": refused.retry_after or 1}]

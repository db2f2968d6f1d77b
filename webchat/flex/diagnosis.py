"""The admin's "test connection": what is wrong between a webchat and Twilio, in words for staff.

https://www.twilio.com/docs/conversations-classic/api/address-configuration-resource
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from django.utils.translation import gettext as _
from twilio.rest import Client

from webchat.conf import conf
from webchat.flex import credentials
from webchat.flex.client import BoundedHttpClient, client_on, trusted_shape
from webchat.flex.gateway import Destination, FlexError, Part, Problem, is_sid
from webchat.flex.tokens import CLOCK_TOLERANCE


def diagnose(
    http: BoundedHttpClient, destination: Destination, find_target_problems: Callable[[], list[Problem]]
) -> list[Problem]:
    """What is wrong with the account, and then with what the API opens chats by. None if all is well. Makes two to four
    calls; raises nothing, if what it is given raises HopelessError alone."""
    if names := credentials.missing():
        return [
            Problem(_("The environment lacks %(names)s. Set them and restart the site.") % {"names": ", ".join(names)})
        ]
    try:
        return _account_problems(client_on(http), destination) + find_target_problems()
    except HopelessError as error:
        return [Problem(str(error))]


class HopelessError(Exception):
    """What makes every further check pointless. Its text is the sentence."""


def explain(error: FlexError, *, credentials_used: str, not_found: str) -> str:
    """The sentence for a failed check. Raises HopelessError if the next check could only fail in the same way."""
    facts = {"region": conf.TWILIO_REGION, "credentials": credentials_used, "error": error}
    if error.status == 401:
        return (
            _(
                "Twilio does not accept the %(credentials)s. Check both, and that they were made for the region %(region)s."
            )
            % facts
        )
    if error.status in (404, 410):
        return not_found
    if error.status and error.outcome_is_known:
        return _("Twilio refuses to show the configuration: %(error)s. Check what the %(credentials)s may do.") % facts
    if error.reason is FlexError.Reason.UNREACHABLE:
        raise HopelessError(
            _("Twilio cannot be reached from this server. Check its network, its firewall and its clock.")
        ) from error
    raise HopelessError(_("Twilio gave no proper answer: %(error)s. Try again in a minute.") % facts) from error


def rest_credentials() -> str:
    if conf.TWILIO_AUTH_TOKEN:
        return _("account SID (TWILIO_ACCOUNT_SID) with its auth token (TWILIO_AUTH_TOKEN)")
    return _key_credentials()


def _key_credentials() -> str:
    return _("API key (TWILIO_API_KEY_SID) with its secret (TWILIO_API_KEY_SECRET)")


def _account_problems(client: Client, destination: Destination) -> list[Problem]:
    not_found = _("Twilio has no Conversations service in the region %(region)s.") % {"region": conf.TWILIO_REGION}
    try:
        with trusted_shape():
            answer = client.conversations.v1.configuration().fetch_with_http_info()
    except FlexError as error:
        raise HopelessError(explain(error, credentials_used=rest_credentials(), not_found=not_found)) from error

    configuration = answer.data
    problems = _clock_problems(answer.headers)
    if configuration.account_sid != conf.TWILIO_ACCOUNT_SID:
        problems.append(Problem(_("The credentials belong to another account than TWILIO_ACCOUNT_SID.")))
    if not conf.TWILIO_AUTH_TOKEN:
        problems.append(
            Problem(_("TWILIO_AUTH_TOKEN is not set: Twilio's webhooks are refused, so ends of chats go unnoticed."))
        )
    else:
        api_key = client_on(client.http_client, credentials.for_tokens())
        try:
            with trusted_shape():
                of_key = api_key.conversations.v1.configuration().fetch()
        except FlexError as error:
            problems.append(Problem(explain(error, credentials_used=_key_credentials(), not_found=not_found)))
        else:
            if of_key.account_sid != conf.TWILIO_ACCOUNT_SID:
                problems.append(Problem(_("The API key belongs to another account than TWILIO_ACCOUNT_SID.")))
    if not is_sid(destination.chat_service_sid, "IS"):
        problems.append(Problem(_("Enter the SID, IS…, of the chat service."), Part.SERVICE))
    elif configuration.default_chat_service_sid != destination.chat_service_sid:
        problems.append(
            Problem(
                _(
                    "The chat service is not the account's default one. In the Twilio Console, make the Flex Chat Service "
                    "the default Conversations service and enter its SID here."
                ),
                Part.SERVICE,
            )
        )
    return problems


def _clock_problems(headers: Mapping[str, str]) -> list[Problem]:
    try:
        ahead = time.time() - parsedate_to_datetime(headers["date"]).timestamp()
    except (LookupError, ValueError):
        return []
    if abs(ahead) <= CLOCK_TOLERANCE:
        return []
    return [
        Problem(
            _(
                "The clock of this server is %(seconds)d seconds off, so Twilio may refuse the visitors' tokens. Switch on "
                "its time synchronisation."
            )
            % {"seconds": abs(ahead)}
        )
    ]


def address_problems(client: Client, destination: Destination) -> list[Problem]:
    not_found = _(
        "There is no address with this SID. Copy the SID, IG…, from the Twilio Console: Flex, Channel management."
    )
    if not is_sid(destination.address_sid, "IG"):
        return [Problem(_("Enter the SID, IG…, of the address."), Part.ADDRESS)]
    try:
        with trusted_shape():
            address = client.conversations.v1.address_configurations(destination.address_sid).fetch()
    except FlexError as error:
        return [Problem(explain(error, credentials_used=rest_credentials(), not_found=not_found), Part.ADDRESS)]

    problems = []
    if address.type != "chat":
        problems.append(
            Problem(_("The address is not of the type “chat”. Make one for Conversations webchats."), Part.ADDRESS)
        )
    # Twilio's codes 45760 to 45765.
    creation: Mapping[str, object] = address.auto_creation if isinstance(address.auto_creation, dict) else {}
    if creation.get("enabled") is not True:
        problems.append(
            Problem(
                _("The address does not create conversations by itself. Enable that in the Twilio Console."),
                Part.ADDRESS,
            )
        )
    elif not (
        (creation.get("type") == "studio" and creation.get("studio_flow_sid"))
        or (creation.get("type") == "webhook" and creation.get("webhook_url"))
    ):
        problems.append(
            Problem(_("The address has no Studio flow and no webhook, so no agent would ever see a chat."), Part.FLOW)
        )
    service = creation.get("conversation_service_sid")
    if service and service != destination.chat_service_sid:
        problems.append(
            Problem(_("The address creates its conversations in another chat service than this one."), Part.ADDRESS)
        )
    return problems

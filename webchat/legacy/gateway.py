"""Webchats by the legacy API: POST /v1/WebChannels makes a channel of a Flex Flow.

Programmable Chat, on which it stands, reached its end of life on 2026-06-01. What the API answers since then is not
documented, so any sign of its being gone is GONE, never to be tried again by itself.
The resource is described in https://github.com/twilio/twilio-oai, twilio_flex_v1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from webchat.conf import conf
from webchat.flex.client import trusted_shape
from webchat.flex.conversations import (
    ConversationsGateway,
    fetched,
    is_over,
    may_be_over,
    opened,
    require_our_account,
)
from webchat.flex.diagnosis import diagnose, explain, rest_credentials
from webchat.flex.gateway import Channel, Engagement, FlexError, Part, Problem, compact_json, is_sid

GONE_STATUS = {403, 404, 410}
# Not found: the API, the channel, the Flex Flow. https://www.twilio.com/docs/api/errors
GONE_CODES = {45006, 45201, 45204, 45205}


@dataclass(frozen=True, slots=True)
class WebChannel:
    """What the legacy API says about a channel: these six fields, and neither an identity nor a token."""

    flex_flow_sid: str
    account_sid: str
    sid: str
    date_created: datetime | None  # aware
    date_updated: datetime | None
    url: str


class WebChannels(ConversationsGateway):
    def open(self, engagement: Engagement) -> Channel:
        return opened(self.create(engagement).sid, engagement.identity)

    def create(self, engagement: Engagement) -> WebChannel:
        """Flex Flow, identity and both friendly names; the identity is the unique name too, so that it is found by it.
        Raises FlexError, of the reason EXISTS for an identity that has or had a channel."""
        try:
            with trusted_shape():
                web_channel = self.client.flex_api.v1.web_channel.create(
                    flex_flow_sid=self.destination.flex_flow_sid,
                    identity=engagement.identity,
                    customer_friendly_name=engagement.customer_friendly_name,
                    chat_friendly_name=engagement.chat_friendly_name,
                    chat_unique_name=engagement.identity,
                    pre_engagement_data=compact_json(engagement.pre_engagement_data),
                )
        except FlexError as error:
            raise _legacy(error) from error
        return _seen(web_channel)

    def fetch(self, sid: str) -> WebChannel:
        """Raises FlexError, of the reason GONE for a channel that is not there."""
        self._conversation(sid)  # refuses what is no SID
        try:
            with trusted_shape():
                return _seen(self.client.flex_api.v1.web_channel(sid).fetch())
        except FlexError as error:
            raise _legacy(error) from error

    def find(self, identity: str) -> Channel | None:
        try:
            conversation = fetched(self.client.conversations.v1.conversations(quote(identity, safe="")))
        except FlexError as error:
            if error.is_not_there:
                return None
            raise
        require_our_account(conversation.account_sid)
        if conversation.unique_name != identity:
            raise FlexError(FlexError.Reason.UNCLEAR)
        return None if is_over(conversation) else opened(conversation.sid, identity)

    def close(self, channel_sid: str) -> None:
        """By the legacy API, and where that refuses, as any other conversation: a chat must end even after its API."""
        self._conversation(channel_sid)  # refuses what is no SID
        try:
            with trusted_shape():
                answer = self.client.flex_api.v1.web_channel(channel_sid).update(chat_status="inactive")
        except FlexError as error:
            if not may_be_over(error):
                raise
            return super().close(channel_sid)
        if answer.sid != channel_sid:
            raise FlexError(FlexError.Reason.UNCLEAR)
        return None

    def diagnose(self) -> list[Problem]:
        return diagnose(self.http, self.destination, self._flex_flow_problems)

    def _flex_flow_problems(self) -> list[Problem]:
        not_found = _(
            "There is no such Flex Flow, or Twilio no longer serves this API. Move the webchat to the current one: "
            "Conversations, with an address."
        )
        if not is_sid(self.destination.flex_flow_sid, "FO"):
            return [Problem(_("Enter the SID, FO…, of the Flex Flow."), Part.FLOW)]
        try:
            with trusted_shape():
                flow = self.client.flex_api.v1.flex_flow(self.destination.flex_flow_sid).fetch()
        except FlexError as error:
            return [Problem(explain(error, credentials_used=rest_credentials(), not_found=not_found), Part.FLOW)]

        problems = []
        if str(flow.channel_type) != "web":
            problems.append(Problem(_("The Flex Flow is not for webchats: its channel type is not “web”."), Part.FLOW))
        if flow.enabled is not True:
            problems.append(Problem(_("The Flex Flow is switched off. Enable it at Twilio."), Part.FLOW))
        if flow.chat_service_sid != self.destination.chat_service_sid:
            problems.append(Problem(_("The Flex Flow belongs to another chat service than this one."), Part.FLOW))
        return problems


def _seen(found: Any) -> WebChannel:
    """What twilio-python read of an answer. Raises FlexError(UNCLEAR) for what is no channel of our account."""
    require_our_account(found.account_sid)
    if not is_sid(found.sid, "CH"):
        raise FlexError(FlexError.Reason.UNCLEAR)
    return WebChannel(
        flex_flow_sid=found.flex_flow_sid or "",
        account_sid=conf.TWILIO_ACCOUNT_SID,
        sid=found.sid,
        date_created=found.date_created,
        date_updated=found.date_updated,
        url=found.url or "",
    )


def _legacy(error: FlexError) -> FlexError:
    """A refusal of the legacy API in its own terms: a conflict is about the unique name, the rest of it is gone."""
    reason = error.reason
    if reason is FlexError.Reason.REFUSED:
        if error.status == 409:
            reason = FlexError.Reason.EXISTS
        elif error.status in GONE_STATUS or error.twilio_code in GONE_CODES:
            reason = FlexError.Reason.GONE
    return FlexError(reason, status=error.status, twilio_code=error.twilio_code, retry_after=error.retry_after)

"""Webchats by the current API: POST /v2/WebChats makes a conversation.

https://www.twilio.com/docs/flex/developer/conversations/webchats-resource
"""

from __future__ import annotations

from webchat.flex.client import trusted_shape
from webchat.flex.conversations import (
    ConversationsGateway,
    is_closed,
    opened,
    require_our_account,
)
from webchat.flex.diagnosis import address_problems, diagnose
from webchat.flex.gateway import Channel, Engagement, FlexError, Problem, compact_json


class WebChats(ConversationsGateway):
    def open(self, engagement: Engagement) -> Channel:
        # Twilio's own documentation speaks of WebChannels in places: the path is /v2/WebChats.
        with trusted_shape():
            webchat = self.client.flex_api.v2.web_channels.create(
                address_sid=self.destination.address_sid,
                chat_friendly_name=engagement.chat_friendly_name,
                customer_friendly_name=engagement.customer_friendly_name,
                pre_engagement_data=compact_json(engagement.pre_engagement_data),
                identity=engagement.identity,
            )
        return opened(webchat.conversation_sid, webchat.identity)

    def find(self, identity: str) -> Channel | None:
        """By the visitor, as the API itself has no look-up.

        https://www.twilio.com/docs/conversations-classic/api/participant-conversation-resource
        """
        try:
            with trusted_shape():
                found = list(self.client.conversations.v1.participant_conversations.page(identity, page_size=5))
        except FlexError as error:
            if error.is_not_there:
                return None
            raise
        for participant in found:
            require_our_account(participant.account_sid)
            if participant.participant_identity == identity and not is_closed(participant.conversation_state):
                return opened(participant.conversation_sid, identity)
        return None

    def diagnose(self) -> list[Problem]:
        return diagnose(self.http, self.destination, lambda: address_problems(self.client, self.destination))

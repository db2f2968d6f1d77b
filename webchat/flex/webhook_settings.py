"""Where Twilio is told to post the events of conversations, so that the site hears of a chat's end.

https://www.twilio.com/docs/conversations-classic/conversations-webhooks
"""

from __future__ import annotations

from dataclasses import dataclass

from twilio.rest import Client
from twilio.rest.conversations.v1.service.configuration.webhook import WebhookContext

from webchat.flex.client import bounded_http, client_on, trusted_shape
from webchat.flex.gateway import FlexError, is_sid

EVENT = "onConversationStateUpdated"
# Tells of each message, and so of the first answer.
MESSAGE_EVENT = "onMessageAdded"


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """What one chat service posts, and where to. It goes before the account's own configuration."""

    post_url: str
    filters: tuple[str, ...]

    def posts_to(self, url: str, *events: str) -> bool:
        """Whether these events are posted there; without any, that of a chat's end."""
        return self.post_url == url and {*(events or [EVENT])} <= {*self.filters}


def fetch_webhook(chat_service_sid: str) -> WebhookConfig:
    """Raises FlexError."""
    with trusted_shape():
        found = _service_webhook(chat_service_sid).fetch()
        return WebhookConfig(found.post_webhook_url or "", tuple(found.filters or ()))


def fetch_account_webhook() -> WebhookConfig:
    """The account's own, which counts where the service has none. Raises FlexError."""
    with trusted_shape():
        found = _client().conversations.v1.configuration.webhooks().fetch()
        return WebhookConfig(found.post_webhook_url or "", tuple(found.filters or ()))


def set_webhook(chat_service_sid: str, url: str, *events: str) -> None:
    """Has the chat service post these events, or that of a chat's end, to this URL, beside the events that it posts there already. There is room
    for one URL: whatever else was there hears nothing more. Raises FlexError."""
    current = fetch_webhook(chat_service_sid)
    kept = current.filters if current.post_url == url else ()
    wanted = events or (EVENT,)
    with trusted_shape():
        webhook = _service_webhook(chat_service_sid)
        answer = webhook.update(post_webhook_url=url, method="POST", filters=sorted({*kept, *wanted}))
        if answer.post_webhook_url != url or not {*wanted} <= {*(answer.filters or ())}:
            raise FlexError(FlexError.Reason.UNCLEAR)


def _client() -> Client:
    return client_on(bounded_http())


def _service_webhook(chat_service_sid: str) -> WebhookContext:
    if not is_sid(chat_service_sid, "IS"):  # it becomes a part of the path
        raise FlexError(FlexError.Reason.REFUSED)
    return _client().conversations.v1.services(chat_service_sid).configuration.webhooks()

"""The API's answers, on the wire and in the OpenAPI schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from webchat.clock import UTC_FORMAT
from webchat.conf import conf
from webchat.flex.gateway import PLACE, SID_DIGITS, Page, WrittenMessage
from webchat.flex.tokens import Token, sdk_options
from webchat.models import ChatSession, Message, Rating, Webchat
from webchat.models.rating import COMMENT_MAX


class UtcField(serializers.DateTimeField):
    """A point in time in UTC, which DRF would write by the clock of the site's zone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format=UTC_FORMAT, default_timezone=UTC, **options)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A running chat and what its visitor needs to take part in it."""

    session: ChatSession
    token: Token
    region: str = field(default_factory=lambda: str(conf.TWILIO_REGION))
    sdk_options: dict[str, Any] = field(default_factory=sdk_options)


class CredentialsSerializer(serializers.Serializer[Credentials]):
    """What Twilio's Conversations SDK needs to talk to the contact centre. `expires_in` is in seconds; `began_at` is when
    the visitor asked for the chat."""

    session_id = serializers.UUIDField(source="session.pk")
    api = serializers.ChoiceField(choices=Webchat.Api.values, source="session.api")
    channel_sid = serializers.RegexField(f"^CH{SID_DIGITS}$", source="session.channel_sid")
    identity = serializers.CharField(source="session.identity")
    began_at = UtcField(source="session.created_at")
    token = serializers.CharField(source="token.jwt")
    expires_at = UtcField(source="token.expires_at")
    expires_in = serializers.IntegerField(source="token.expires_in")
    region = serializers.CharField()
    sdk_options = serializers.DictField()


class VisitorSerializer(serializers.Serializer[dict[str, str]]):
    """Who sits there: the `data-user` of pages and panels that were made for the same user, "" for nobody."""

    user = serializers.CharField(allow_blank=True)


class EndRequestSerializer(serializers.Serializer[Any]):
    """Who ended the chat: the visitor, unless Twilio told the browser that it is closed there."""

    ended_by = serializers.ChoiceField(
        choices=[ChatSession.EndedBy.VISITOR.value, ChatSession.EndedBy.AGENT.value],
        default=ChatSession.EndedBy.VISITOR.value,
    )


class EndedSerializer(serializers.Serializer[ChatSession]):
    session_id = serializers.UUIDField(source="pk")
    status = serializers.ChoiceField(choices=[ChatSession.Status.ENDED.value])


class MessageSerializer(serializers.Serializer[Message]):
    message_id = serializers.UUIDField(source="pk")
    received_at = UtcField()


class ReadRequestSerializer(serializers.Serializer[Any]):
    """The `next` of the page before, or nothing for the first page."""

    place = serializers.RegexField(f"^{PLACE}$", default="", allow_blank=True)


class WrittenSerializer(serializers.Serializer[WrittenMessage]):
    """What somebody wrote, as the SDK gives it while the chat runs; and the names of the files with it."""

    index = serializers.IntegerField()
    author = serializers.CharField(allow_blank=True)
    own = serializers.BooleanField(source="is_visitors")
    client_id = serializers.CharField(allow_blank=True)
    at = UtcField(allow_null=True)
    text = serializers.CharField(allow_blank=True)
    files = serializers.ListField(child=serializers.CharField(allow_blank=True))


class ConversationSerializer(serializers.Serializer[Page]):
    """The earliest message first. `next` is the place of the page after, "" after the last."""

    messages = serializers.SerializerMethodField()
    next = serializers.CharField(source="next_place", allow_blank=True)

    @extend_schema_field(WrittenSerializer(many=True))
    def get_messages(self, page: Page) -> Any:
        """What people wrote: what the site says to the agent is not the visitor's to read."""
        serializer = WrittenSerializer()
        return [serializer.to_representation(message) for message in page.messages if not message.is_sites]


class RatingRequestSerializer(serializers.Serializer[Any]):
    """What the visitor thought of the chat: 1 is very bad, 5 very good."""

    score = serializers.IntegerField(min_value=1, max_value=5)
    comment = serializers.CharField(max_length=COMMENT_MAX, allow_blank=True, required=False)


class RatingSerializer(serializers.Serializer[Rating]):
    session_id = serializers.UUIDField(source="pk")
    score = serializers.IntegerField(min_value=1, max_value=5)
    comment = serializers.CharField(max_length=COMMENT_MAX, allow_blank=True)


class TranscriptSerializer(serializers.Serializer[ChatSession]):
    session_id = serializers.UUIDField(source="pk")


class ErrorSerializer(serializers.Serializer[dict[str, Any]]):
    """A refusal. `fields` are the errors of a form by field name, where there is one; `opens_at` is when a closed chat
    opens, where that is known."""

    code = serializers.CharField()
    detail = serializers.CharField()
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), required=False
    )
    opens_at = UtcField(required=False)
    request_id = serializers.CharField()

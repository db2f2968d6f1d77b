"""The shapes of the API's answers, for the OpenAPI schema and for the wire alike."""

from __future__ import annotations

from rest_framework import serializers

from webchat.flex.tokens import Token, sdk_options
from webchat.models import ChatSession, Webchat


class CredentialsSerializer(serializers.Serializer[object]):
    """What Twilio's Conversations SDK needs to talk to the contact centre. `expires_in` is in seconds."""

    session_id = serializers.UUIDField()
    api = serializers.ChoiceField(choices=Webchat.Api.values)
    channel_sid = serializers.RegexField(r"^CH[0-9a-fA-F]{32}$")
    identity = serializers.CharField()
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()
    expires_in = serializers.IntegerField()
    region = serializers.CharField()
    sdk_options = serializers.DictField()


class EndedSerializer(serializers.Serializer[object]):
    session_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=[ChatSession.Status.ENDED.value])


class ErrorSerializer(serializers.Serializer[object]):
    code = serializers.CharField()
    detail = serializers.CharField()
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), required=False
    )
    request_id = serializers.CharField()


def credentials(session: ChatSession, token: Token, region: str) -> dict[str, object]:
    return {
        "session_id": str(session.pk),
        "api": session.api,
        "channel_sid": session.channel_sid,
        "identity": session.identity,
        "token": token.jwt,
        "expires_at": token.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expires_in": token.expires_in,
        "region": region,
        "sdk_options": sdk_options(),
    }

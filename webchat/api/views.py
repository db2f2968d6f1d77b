"""Start, renew, end and current session as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from webchat.api.parsers import BoundedFormParser, BoundedJSONParser, BoundedMultiPartParser, bounded
from webchat.api.serializers import CredentialsSerializer, EndedSerializer, ErrorSerializer, credentials
from webchat.chats.end import end_chat
from webchat.chats.question import post_question_after
from webchat.chats.start import submit
from webchat.chats.token import issue_token
from webchat.errors import ChatRefused, Code
from webchat.models import ChatSession
from webchat.models.copies import webchat_named
from webchat.visitors import Visitor, remember, visitor_of

Json = Mapping[str, Any]


def _errors(*statuses: int) -> dict[int, type[ErrorSerializer]]:
    return dict.fromkeys(statuses, ErrorSerializer)


_KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]{8,128}$"},
    OpenApiParameter.HEADER,
    description="8 to 128 visible characters, new for each form. Or `idempotency_key` in the body.",
)
_SLUG = OpenApiParameter("slug", {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}, OpenApiParameter.PATH)


class VisitorView(APIView):
    """Knows the visitor, and gives answers that no cache may keep."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Django's session has done it; DRF would replace the user by nobody."""

    def visitor(self) -> Visitor:
        return visitor_of(self.request._request)


@method_decorator([no_append_slash, bounded, csrf_protect], name="dispatch")
class ChatView(VisitorView):
    """CSRF for everybody, signed in or not."""

    def answer(self, session: ChatSession, visitor: Visitor, *, is_new: bool = False) -> Response:
        status = 201 if is_new else 200
        response = Response(credentials(session, issue_token(session), settings.TWILIO_REGION), status=status)
        remember(response, visitor)
        post_question_after(response, session, is_new=is_new)
        return response


class SessionsView(ChatView):
    parser_classes = [BoundedJSONParser, BoundedFormParser, BoundedMultiPartParser]

    @extend_schema(
        operation_id="start",
        summary="Start a chat",
        description="The body holds the answers to the webchat's pre-engagement form, by field name.",
        parameters=[_SLUG, _KEY_HEADER],
        request={
            "application/json": OpenApiTypes.OBJECT,
            "application/x-www-form-urlencoded": OpenApiTypes.OBJECT,
            "multipart/form-data": OpenApiTypes.OBJECT,
        },
        responses={
            201: CredentialsSerializer,
            200: CredentialsSerializer,
            **_errors(400, 403, 404, 406, 409, 410, 413, 415, 422, 429, 503),
        },
    )
    @method_decorator(sensitive_variables())
    def post(self, request: Request, slug: str) -> Response:
        webchat, visitor = webchat_named(slug), self.visitor()
        session, is_new = submit(request._request, webchat, visitor, as_texts(request.data))
        return self.answer(session, visitor, is_new=is_new)


class CurrentSessionView(ChatView):
    @extend_schema(
        operation_id="current",
        summary="This browser's running chat",
        parameters=[_SLUG],
        responses={200: CredentialsSerializer, **_errors(400, 404, 406, 410, 413, 415, 503)},
    )
    def get(self, request: Request, slug: str) -> Response:
        visitor = self.visitor()
        session = ChatSession.running_of(visitor, webchat_named(slug))
        if session is None:
            raise ChatSession.DoesNotExist
        return self.answer(session, visitor)


class TokenView(ChatView):
    @extend_schema(
        operation_id="renew",
        summary="Renew the access token",
        request=None,
        responses={200: CredentialsSerializer, **_errors(400, 403, 404, 406, 410, 413, 415, 503)},
    )
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        visitor = self.visitor()
        session = ChatSession.get_of(visitor, session_id)
        return self.answer(session, visitor)


class EndView(ChatView):
    @extend_schema(
        operation_id="end",
        summary="End the chat",
        request=None,
        responses={200: EndedSerializer, **_errors(400, 403, 404, 406, 413, 415, 503)},
    )
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session = ChatSession.get_of(self.visitor(), session_id)
        end_chat(session, ChatSession.EndedBy.VISITOR)
        return Response({"session_id": str(session.pk), "status": ChatSession.Status.ENDED.value})


def as_texts(data: Any) -> Json:
    """The body as a form takes it: JSON's own types as the text that a browser would send. Raises ChatRefused(INVALID)."""
    if isinstance(data, QueryDict):
        return data
    answers = {name: value for name, value in data.items() if value is not None}
    if nested := [name for name, value in answers.items() if isinstance(value, dict | list)]:
        not_a_text = [gettext("An answer is a text, a number, true or false.")]
        raise ChatRefused(Code.INVALID, fields={name[:40]: not_a_text for name in nested})
    return {name: value if isinstance(value, str | bool) else str(value) for name, value in answers.items()}

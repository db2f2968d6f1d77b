"""Start, renew, end and current session as JSON; and messages."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpRequest
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from webchat.api.parsers import BoundedFormParser, BoundedJSONParser, BoundedMultiPartParser, bounded
from webchat.api.serializers import (
    ConversationSerializer,
    Credentials,
    CredentialsSerializer,
    EndedSerializer,
    EndRequestSerializer,
    ErrorSerializer,
    MessageSerializer,
    RatingRequestSerializer,
    RatingSerializer,
    ReadRequestSerializer,
    TranscriptSerializer,
    VisitorSerializer,
)
from webchat.chats.end import end_chat
from webchat.chats.history import read_ended_chat
from webchat.chats.question import post_question_after
from webchat.chats.rating import rate_chat, rated_session
from webchat.chats.start import submit
from webchat.chats.token import issue_token
from webchat.chats.transcript import ask_for_transcript
from webchat.errors import ChatRefused, Code
from webchat.forms.rating_form import RatingForm
from webchat.messages.take import leave_message
from webchat.models import ChatSession
from webchat.models.copies import webchat_named
from webchat.visitors import Visitor, mark_of, remember, visitor_of


def _errors(*statuses: int) -> dict[int, type[ErrorSerializer]]:
    return dict.fromkeys(statuses, ErrorSerializer)


def _invalid(errors: Mapping[str, Any]) -> ChatRefused:
    return ChatRefused(Code.INVALID, fields={name: [str(text) for text in texts] for name, texts in errors.items()})


_KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]{8,128}$"},
    OpenApiParameter.HEADER,
    description="8 to 128 visible characters, new for each form. Or `idempotency_key` in the body.",
)
_SLUG = OpenApiParameter("slug", {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}, OpenApiParameter.PATH)


class VisitorView(APIView):
    """Knows the visitor, and gives answers that no cache may keep."""

    http_request: HttpRequest

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        # Django's own, which `request` will wrap.
        self.http_request = request

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Django's session has done it; DRF would replace the user by nobody."""

    def visitor(self) -> Visitor:
        return visitor_of(self.http_request)


# Made once: a serializer copies its fields for each instance, which costs a renewal, the most frequent answer, a tenth of
# its CPU.
_CREDENTIALS = CredentialsSerializer()


class ChatView(VisitorView):
    """CSRF for everybody, signed in or not."""

    parser_classes = [BoundedJSONParser, BoundedFormParser, BoundedMultiPartParser]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Exempt from Django's own check, which reads a body before its bounds are known, and checked behind those."""
        view = super().as_view(**initkwargs)
        del view.csrf_exempt
        return csrf_exempt(no_append_slash(bounded(csrf_protect(view))))

    def answer(self, session: ChatSession, visitor: Visitor, *, is_new: bool = False) -> Response:
        credentials = Credentials(session, issue_token(session))
        response = Response(_CREDENTIALS.to_representation(credentials), status=201 if is_new else 200)
        remember(response, visitor.with_chat())
        post_question_after(response, session, is_new=is_new)
        return response


_ANSWERS = dict.fromkeys(
    ("application/json", "application/x-www-form-urlencoded", "multipart/form-data"), OpenApiTypes.OBJECT
)


class SessionsView(ChatView):
    @extend_schema(
        operation_id="start",
        summary="Start a chat",
        description=(
            "The body holds the answers to the webchat's pre-engagement form, by field name. An answer to a field that the "
            "other answers do not ask for is ignored."
        ),
        parameters=[_SLUG, _KEY_HEADER],
        request=_ANSWERS,
        responses={
            201: CredentialsSerializer,
            200: CredentialsSerializer,
            **_errors(400, 403, 404, 406, 409, 410, 413, 415, 422, 429, 503),
        },
    )
    @sensitive_variables()
    def post(self, request: Request, slug: str) -> Response:
        webchat, visitor = webchat_named(slug), self.visitor()
        session, is_new = submit(self.http_request, webchat, visitor, cast("Mapping[str, Any]", request.data))
        return self.answer(session, visitor, is_new=is_new)


class MessagesView(ChatView):
    @extend_schema(
        operation_id="leave_message",
        summary="Leave a message",
        description=(
            "The body holds the answers to the webchat's message form, by field name: those of the pre-engagement form, "
            "and `message_text` and `reply_email` where it asks for neither a question nor an e-mail address."
        ),
        parameters=[_SLUG, _KEY_HEADER],
        request=_ANSWERS,
        responses={
            201: MessageSerializer,
            200: MessageSerializer,
            **_errors(400, 403, 404, 406, 413, 415, 422, 429, 503),
        },
    )
    @sensitive_variables()
    def post(self, request: Request, slug: str) -> Response:
        webchat, visitor = webchat_named(slug), self.visitor()
        message, is_new = leave_message(self.http_request, webchat, visitor, cast("Mapping[str, Any]", request.data))
        response = Response(MessageSerializer(message).data, status=201 if is_new else 200)
        remember(response, visitor)
        return response


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


class WhoView(VisitorView):
    """What a page asks when it is shown again: whether it is still of the one who sits there."""

    @extend_schema(
        operation_id="visitor",
        summary="Who sits there",
        responses={200: VisitorSerializer, **_errors(406)},
    )
    def get(self, request: Request) -> Response:
        return Response(VisitorSerializer({"user": mark_of(self.visitor().user)}).data)


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
        description="Without a body it is the visitor who ends it.",
        request=EndRequestSerializer,
        responses={200: EndedSerializer, **_errors(400, 403, 404, 406, 413, 415, 503)},
    )
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session = ChatSession.get_of(self.visitor(), session_id)
        said = EndRequestSerializer(data=request.data)
        if not said.is_valid():
            raise _invalid(said.errors)
        end_chat(session, ChatSession.EndedBy(said.validated_data["ended_by"]))
        return Response(EndedSerializer(session).data)


class ConversationView(ChatView):
    @extend_schema(
        operation_id="read",
        summary="Read a chat that is over",
        description="A page of what was written, for an hour after the end: what a page that was left has missed.",
        parameters=[ReadRequestSerializer],
        responses={200: ConversationSerializer, **_errors(400, 404, 406, 413, 415, 429, 503)},
    )
    def get(self, request: Request, session_id: uuid.UUID) -> Response:
        asked = ReadRequestSerializer(data=request.query_params)
        if not asked.is_valid():
            raise _invalid(asked.errors)
        page = read_ended_chat(self.visitor(), session_id, asked.validated_data["place"])
        return Response(ConversationSerializer(page).data)


class RatingView(ChatView):
    @extend_schema(
        operation_id="rate",
        summary="Rate a chat that is over",
        description="Once, within 24 hours of its end, and changed within ten minutes; where the webchat asks for ratings.",
        request=RatingRequestSerializer,
        responses={200: RatingSerializer, **_errors(400, 403, 404, 406, 409, 410, 413, 415, 503)},
    )
    @sensitive_variables()
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session = rated_session(self.visitor(), session_id)
        form = RatingForm(cast("Mapping[str, Any]", request.data))
        if not form.is_valid():
            raise _invalid(form.errors)
        rating = rate_chat(session, form.cleaned_data["score"], form.cleaned_data["comment"])
        return Response(RatingSerializer(rating).data)


class TranscriptView(ChatView):
    @extend_schema(
        operation_id="mail_transcript",
        summary="Mail a chat that is over",
        description=(
            "To the signed-in user whose chat it was, at the address of the account, where the site mails that user. Once "
            "for each chat; again it changes nothing."
        ),
        request=None,
        responses={202: TranscriptSerializer, **_errors(400, 403, 404, 406, 409, 413, 415, 429, 503)},
    )
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session = ask_for_transcript(self.visitor().user, session_id)
        return Response(TranscriptSerializer(session).data, status=202)

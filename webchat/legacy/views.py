"""The token and the channel of Flex Webchat UI 2.x, made by our server: the UI's tokenServerUrl and flexWebChannelsUrl.

The UI sends no CSRF token, so each call must have this site's Origin. A refusal leaves it with a spinner and no word, so
staff find each one in the log, and static/webchat/legacy/flex-webchat-ui.js brings the visitor to our own widget.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any, cast

import structlog
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.utils.decorators import method_decorator
from django.views.decorators.common import no_append_slash
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from webchat.api.parsers import BoundedFormParser, BoundedJSONParser, bounded
from webchat.api.views import VisitorView
from webchat.chats.question import post_question_after
from webchat.chats.start import SHOWN_WITH_TOKEN, require_open, submit
from webchat.chats.token import issue_token, make_token
from webchat.clock import utc_text
from webchat.conf import conf
from webchat.errors import ChatRefused, Code
from webchat.flex.tokens import Token, identity_in
from webchat.legacy.answers import read_answers
from webchat.legacy.identities import is_identity_of, new_identity
from webchat.models import ChatSession, Webchat
from webchat.models.copies import webchat_named
from webchat.protection import limits
from webchat.visitors import Visitor, remember

logger = structlog.get_logger("webchat.legacy")

# Seconds that a token lives before it has a channel; the UI asks for a longer one as soon as the chat runs.
FORM_SECONDS = 600
CREDENTIALS_MAX = 4096  # characters

# Where a channel is to be read at Twilio, by the API that it was opened with.
_CHANNEL_URLS = {
    Webchat.Api.WEB_CHANNELS.value: "https://flex-api.twilio.com/v1/WebChannels/{}",
    Webchat.Api.CONVERSATIONS.value: "https://conversations.twilio.com/v1/Conversations/{}",
}


class Refused(PermissionDenied):
    """A call that is not the UI's on one of our pages. Its text is for the log."""


@method_decorator([no_append_slash, bounded], name="dispatch")
@extend_schema(exclude=True)
class FlexUiView(VisitorView):
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        own = f"{request.scheme}://{self.http_request.get_host()}"
        if request.method == "POST" and request.headers.get("Origin") != own:
            raise Refused("not from a page of this site")
        super().initial(request, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        logger.warning(
            "flex_ui_refused",
            webchat=self.kwargs.get("slug", ""),
            path=self.request.path,
            status=response.status_code,
            reason=_reason(exc),
        )
        return response

    def open_webchat(self, slug: str, shown_at: datetime | None = None) -> Webchat:
        """One whose pages carry the UI, and which takes chats, or took them a moment ago."""
        webchat = webchat_named(slug)
        if not webchat.carries_flex_ui:
            raise Http404
        require_open(webchat, shown_at)
        return webchat

    def token_answer(self, identity: str, token: Token, visitor: Visitor) -> Response:
        response = Response(
            {
                "token": token.jwt,
                "identity": identity,
                "roles": [],
                "expiration": utc_text(token.expires_at),
            }
        )
        remember(response, visitor)
        return response


class TokenView(FlexUiView):
    """A token for an identity that has no channel yet, to open one: the first half of a start, which passes the gates of
    any start and counts as one."""

    def post(self, request: Request, slug: str) -> Response:
        webchat, visitor = self.open_webchat(slug), self.visitor()
        if webchat.wants_proof:  # the UI has none to send
            raise ChatRefused(Code.PROOF_NEEDED)
        with transaction.atomic():  # all of the limits or none
            limits.take_start(webchat, visitor)
        identity = new_identity(webchat, visitor)
        return self.token_answer(identity, make_token(identity, webchat.chat_service_sid, FORM_SECONDS), visitor)


class RefreshView(FlexUiView):
    """The next token of a running chat, for its last one. A chat goes on when staff choose another widget or API."""

    parser_classes = [BoundedJSONParser]

    @sensitive_variables()
    def post(self, request: Request, slug: str) -> Response:
        webchat, visitor = webchat_named(slug), self.visitor()
        token = cast(dict[str, Any], request.data).get("token")
        identity = _identity_in(token if isinstance(token, str) else "")
        session = ChatSession.objects.owned_by(visitor).filter(webchat=webchat).get(identity=identity)
        return self.token_answer(identity, issue_token(session), visitor)


class WebChannelsView(FlexUiView):
    """Opens the channel: the same start as any other, and the identity, which the token proves, is its key."""

    parser_classes = [BoundedFormParser]

    @sensitive_variables()
    def post(self, request: Request, slug: str) -> Response:
        webchat, visitor = self.open_webchat(slug, SHOWN_WITH_TOKEN), self.visitor()
        identity = _identity_in(_password(request))
        if not is_identity_of(identity, webchat, visitor):
            raise Refused("the token was not made for this webchat, this browser and its user")
        answers = read_answers(webchat, visitor.user is not None, cast(dict[str, Any], request.data))
        session, is_new = submit(self.http_request, webchat, visitor, answers, identity)
        response = Response(web_channel(session), status=201 if is_new else 200)
        remember(response, visitor)
        post_question_after(response, session, is_new=is_new)
        return response


def web_channel(session: ChatSession) -> dict[str, object]:
    """The six fields of the legacy API's answer, from our row."""
    started = session.started_at
    date = utc_text(started) if started else None
    return {
        "flex_flow_sid": session.webchat.flex_flow_sid,
        "account_sid": conf.TWILIO_ACCOUNT_SID,
        "sid": session.channel_sid,
        "date_created": date,
        "date_updated": date,
        "url": _CHANNEL_URLS[session.api].format(session.channel_sid),
    }


def _password(request: Request) -> str:
    """The token in `Authorization: Basic`, whose user is `token`."""
    scheme, _space, encoded = request.headers.get("Authorization", "")[:CREDENTIALS_MAX].partition(" ")
    try:
        user, _colon, password = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError) as error:
        raise Refused("no Basic credentials that can be read") from error
    if scheme.lower() != "basic" or user != "token":
        raise Refused("no Basic credentials of the user “token”")
    return password


def _identity_in(token: str) -> str:
    try:
        return identity_in(token)
    except ValueError as error:
        raise Refused("no valid token of this site") from error


def _reason(error: Exception) -> str:
    """Why, without a word of what was sent."""
    match error:
        case ChatRefused(fields=fields) if fields is not None:
            return f"the form refuses: {', '.join(sorted(fields)) or 'the answers as a whole'}"
        case ChatRefused() | Refused():
            return str(error)
        case _:
            return type(error).__name__

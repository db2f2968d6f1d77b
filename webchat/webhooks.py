"""What Twilio calls: the events of conversations.

https://www.twilio.com/docs/conversations-classic/conversations-webhooks
"""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from webchat.flex.signatures import is_from_twilio
from webchat.models import ChatSession

logger = logging.getLogger(__name__)

_BODY_MAX_BYTES = 64 * 1024


@method_decorator(csrf_exempt, name="dispatch")
class ConversationsWebhook(View):
    """Signature first. An event may only move a session forward, so repeated and reordered ones do no harm; unknown
    events and chats are answered 200, so that Twilio does not send them again."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if int(request.META.get("CONTENT_LENGTH") or 0) > _BODY_MAX_BYTES or not is_from_twilio(request):
            return HttpResponse(status=403)
        events = request.POST.getlist("EventType")
        if events == ["onConversationStateUpdated"] and request.POST.getlist("StateTo") == ["closed"]:
            self.close(request.POST.get("ConversationSid", ""))
        return HttpResponse(status=200)

    def close(self, channel_sid: str) -> None:
        session = ChatSession.objects.running().filter(channel_sid=channel_sid).first() if channel_sid else None
        if session is not None:
            session.ended_at_twilio()

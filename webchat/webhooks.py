"""What Twilio calls: the events of conversations.

https://www.twilio.com/docs/conversations-classic/conversations-webhooks
"""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from webchat.audit import note_webhook
from webchat.chats.end import note_end
from webchat.conf import conf
from webchat.flex.signatures import is_from_twilio
from webchat.models import ChatSession

# The parameters that are read. A signature does not tell a name from its value, so each may come only once.
_READ = ("AccountSid", "EventType", "ConversationSid", "StateTo")
_CONVERSATION_SID = re.compile(r"CH[0-9a-fA-F]{32}")


@method_decorator(csrf_exempt, name="dispatch")
class ConversationsWebhook(View):
    """Signature first. An event may only move a session forward, so repeated and reordered ones do no harm; unknown
    events and chats are answered 200, so that Twilio does not send them again."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if not is_from_twilio(request):
            note_webhook("webhook_refused")
            return HttpResponse(status=403)
        values = {name: request.POST.getlist(name) for name in _READ}
        if any(len(each) > 1 for each in values.values()):
            note_webhook("webhook_ambiguous")
            return HttpResponse(status=400)
        event = {name: each[0] if each else "" for name, each in values.items()}
        if event["AccountSid"] != conf.TWILIO_ACCOUNT_SID:
            note_webhook("webhook_of_another_account", sid=event["AccountSid"])
        elif (event["EventType"], event["StateTo"]) == ("onConversationStateUpdated", "closed"):
            self.close(event["ConversationSid"])
        return HttpResponse(status=200)

    def close(self, channel_sid: str) -> None:
        known = _CONVERSATION_SID.fullmatch(channel_sid)
        session = ChatSession.objects.running().filter(channel_sid=channel_sid).first() if known else None
        if session is not None:
            note_end(session)

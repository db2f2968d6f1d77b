"""What Twilio calls: the events of conversations.

https://www.twilio.com/docs/conversations-classic/conversations-webhooks
"""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from webchat.audit import note_webhook
from webchat.chats.end import look_again, note_end
from webchat.conf import conf
from webchat.flex.gateway import is_sid
from webchat.flex.signatures import is_from_twilio
from webchat.models import ChatSession

# The parameters that are read.
_READ = ("AccountSid", "EventType", "ConversationSid", "StateTo")
_ENDED = ("onConversationStateUpdated", "closed")
# What a state event consists of. A signature covers names and values as one text without anything in between, so that
# text of somebody's own, a message or a name, could be cut into other parameters. In these there is none.
_OF_A_STATE_EVENT = {
    "AccountSid": "AC[0-9a-fA-F]{32}",
    "ChatServiceSid": "IS[0-9a-fA-F]{32}",
    "ClientIdentity": rf"(?!.*(?:{'|'.join(_READ)})).{{1,256}}",
    "ConversationSid": "CH[0-9a-fA-F]{32}",
    "EventType": "onConversationStateUpdated",
    "MessagingServiceSid": "MG[0-9a-fA-F]{32}",
    "Reason": "[A-Z]{1,20}",
    "Source": "[A-Z]{1,20}",
    "StateFrom": "[a-z]{1,20}",
    "StateTo": "[a-z]{1,20}",
    "StateUpdated": r"[-+0-9T:.Z ]{1,40}",
}


@method_decorator(csrf_exempt, name="dispatch")
class ConversationsWebhook(View):
    """Signature first. An event may only move a session forward, so repeated and reordered ones do no harm; unknown
    events and chats are answered 200, so that Twilio does not send them again. An end that has more in it than a state
    event of Twilio's is no proof: the worker asks Twilio."""

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
        elif (event["EventType"], event["StateTo"]) == _ENDED and is_sid(event["ConversationSid"], "CH"):
            self.close(event["ConversationSid"], is_certain=is_state_event(request.POST))
        return HttpResponse(status=200)

    def close(self, channel_sid: str, *, is_certain: bool) -> None:
        session = ChatSession.objects.running().filter(channel_sid=channel_sid).first()
        if session is None:
            return
        if is_certain:
            note_end(session)
        else:
            note_webhook("webhook_ambiguous", sid=channel_sid)
            look_again(session)


def is_state_event(form: QueryDict) -> bool:
    """Whether the form has the parameters of a state event alone, each once and of its shape: it can be cut only so."""
    return all(
        name in _OF_A_STATE_EVENT and len(values) == 1 and re.fullmatch(_OF_A_STATE_EVENT[name], values[0])
        for name, values in form.lists()
    )

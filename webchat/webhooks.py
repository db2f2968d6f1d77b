"""What Twilio calls: the events of conversations, and the Studio flow that asks about a chat.

https://www.twilio.com/docs/conversations-classic/conversations-webhooks
https://www.twilio.com/docs/studio/widget-library/http-request
"""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from webchat.audit import note_webhook
from webchat.chats.answer import note_message
from webchat.chats.end import end_here, look_again
from webchat.chats.facts import facts_for_agents
from webchat.conf import conf
from webchat.flex.gateway import SID_DIGITS, is_sid
from webchat.flex.signatures import is_from_twilio
from webchat.flex.webhook_settings import MESSAGE_EVENT
from webchat.models import ChatSession, Webchat

# The parameters that are read of a state event.
_READ = ("AccountSid", "EventType", "ConversationSid", "StateTo")
_ENDED = ("onConversationStateUpdated", "closed")
# What a state event consists of. A signature covers names and values as one text without anything in between, so that
# text of somebody's own, a message or a name, could be cut into other parameters. In these there is none.
_OF_A_STATE_EVENT = {
    "AccountSid": f"AC{SID_DIGITS}",
    "ChatServiceSid": f"IS{SID_DIGITS}",
    "ClientIdentity": rf"(?!.*(?:{'|'.join(_READ)})).{{1,256}}",
    "ConversationSid": f"CH{SID_DIGITS}",
    "EventType": "onConversationStateUpdated",
    "MessagingServiceSid": f"MG{SID_DIGITS}",
    "Reason": "[A-Z]{1,20}",
    "Source": "[A-Z]{1,20}",
    "StateFrom": "[a-z]{1,20}",
    "StateTo": "[a-z]{1,20}",
    "StateUpdated": r"[-+0-9T:.Z ]{1,40}",
}


@method_decorator(csrf_exempt, name="dispatch")
class TwilioWebhook(View):
    """Signature first: 403. What is read may come only once: 400. What is about another account is answered as what is
    about no chat of ours."""

    http_method_names = ["post"]
    reads: tuple[str, ...] = ()

    def post(self, request: HttpRequest) -> HttpResponse:
        if not is_from_twilio(request):
            note_webhook("webhook_refused")
            return HttpResponse(status=403)
        values = {name: request.POST.getlist(name) for name in self.reads}
        if any(len(each) > 1 for each in values.values()):
            note_webhook("webhook_ambiguous")
            return HttpResponse(status=400)
        said = {name: each[0] if each else "" for name, each in values.items()}
        if said["AccountSid"] != conf.TWILIO_ACCOUNT_SID:
            note_webhook("webhook_of_another_account", sid=said["AccountSid"])
            return self.answer(None)
        return self.take(said, request.POST)

    def take(self, said: dict[str, str], form: QueryDict) -> HttpResponse:
        """`said` has the parameters that are read, "" for those that are not there."""
        return self.answer(running_in(said["ConversationSid"]))

    def answer(self, session: ChatSession | None) -> HttpResponse:
        """No session: no running chat of ours."""
        return HttpResponse(status=200)


class ConversationsWebhook(TwilioWebhook):
    """An event may only move a session forward, so repeated and reordered ones do no harm; unknown events and chats are
    answered 200, so that Twilio does not send them again. Of a message its author alone is read. An end that has more in it than a state event of Twilio's is no
    proof: the worker asks Twilio."""

    reads = (*_READ, "Author")

    def take(self, said: dict[str, str], form: QueryDict) -> HttpResponse:
        if said["EventType"] == MESSAGE_EVENT and (session := running_in(said["ConversationSid"])):
            note_message(session, said["Author"])
        has_ended = (said["EventType"], said["StateTo"]) == _ENDED
        if has_ended and (session := running_in(said["ConversationSid"])):
            if is_state_event(form):
                end_here(session, ChatSession.EndedBy.AGENT, is_over_there=True)
                Webchat.note_webhook(session.webchat_id)
            else:
                note_webhook("webhook_ambiguous", sid=session.channel_sid)
                look_again(session)
        return self.answer(None)


class StudioWebhook(TwilioWebhook):
    """Answers what agents may know of a running chat, {} of any other conversation. It changes nothing, and a request that is
    sent again gets the same of the same chat."""

    reads = ("AccountSid", "ConversationSid")

    def answer(self, session: ChatSession | None) -> HttpResponse:
        return JsonResponse(facts_for_agents(session) if session else {}, headers={"Cache-Control": "no-store"})


def running_in(channel_sid: str) -> ChatSession | None:
    if not is_sid(channel_sid, "CH"):
        return None
    return ChatSession.objects.running().filter(channel_sid=channel_sid).first()


def is_state_event(form: QueryDict) -> bool:
    """Whether the form has the parameters of a state event alone, each once and of its shape: it can be cut only so."""
    return all(
        name in _OF_A_STATE_EVENT and len(values) == 1 and re.fullmatch(_OF_A_STATE_EVENT[name], values[0])
        for name, values in form.lists()
    )

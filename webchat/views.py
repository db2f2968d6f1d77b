"""The chat as HTML: a whole page that works without JavaScript, and the panel that the launcher fetches."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webchat.audit import note_refusal
from webchat.chats.accounts import decline_offered_chat, take_offered_chat
from webchat.chats.availability import availability_of
from webchat.chats.devices import chat_elsewhere, take_up
from webchat.chats.end import end_chat
from webchat.chats.history import past_chats, read_past_chat
from webchat.chats.note import post_note_after
from webchat.chats.question import post_question_after
from webchat.chats.rating import is_unrated, may_rate, rate_chat, rated_session, should_ask_for_rating
from webchat.chats.start import start_in_turn, submit
from webchat.chats.transcript import ask_for_transcript, may_mail
from webchat.clock import database_now
from webchat.conf import conf
from webchat.counters import counters
from webchat.errors import ChatRefused, Code
from webchat.flex import FlexError
from webchat.forms.form import FormInvalid, PreEngagementForm
from webchat.forms.message_form import MessageForm
from webchat.forms.rating_form import RatingForm
from webchat.forms.submit import bind_form, empty_form
from webchat.hours import Takes, state_of, what_is_taken
from webchat.messages.take import leave_message
from webchat.models import ChatSession, Message, Rating, Webchat, WhenNobody
from webchat.models.copies import webchat_named
from webchat.models.counts import Event
from webchat.protection import form_keys, proof_of_work
from webchat.visitors import Visitor, csrf_of, mark_of, remember, visitor_of

CHATS_ON_A_PAGE = 20
# After how many seconds the panel of a visitor who waits for an agent asks what is known: where a queue has figures, and
# else. What staff close by hand is told no later.
ASK_OF_QUEUE_AGAIN = 30
ASK_AGAIN = 300


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
@sensitive_post_parameters()
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The chat as a page of its own. A form sent without JavaScript comes back here."""
    webchat = webchat_or_404(slug)
    visitor = visitor_of(request)
    if request.method != "POST":
        waiting = ChatSession.waiting_of(visitor, webchat) if request.method == "GET" else None
        if waiting is not None:
            return _go_on(request, webchat, visitor, waiting)
        return _show(request, "webchat/page.html", webchat)
    try:
        session, is_new = submit(request, webchat, visitor, request.POST)
    except ChatRefused as refused:
        note_refusal(refused, webchat.slug)
        if refused.code is Code.BUSY:  # the page that waits goes on with what was sent
            return _to_page(webchat, visitor)
        # What was typed stands in the form for a message then.
        taken = what_is_taken(webchat, state_of(webchat, database_now()))
        too_late = refused.code is Code.CHAT_CLOSED and taken is Takes.MESSAGES
        return _render_refused(request, webchat, visitor, refused, MessageForm if too_late else PreEngagementForm)
    except DatabaseError:
        unavailable = ChatRefused(Code.CHAT_UNAVAILABLE, webchat.texts["unavailable_text"])
        return _render_refused(request, webchat, visitor, unavailable)
    started = _to_page(webchat, visitor)
    post_question_after(started, session, is_new=is_new)
    return started


def _go_on(request: HttpRequest, webchat: Webchat, visitor: Visitor, session: ChatSession) -> HttpResponse:
    """Another try at a start that found no turn: the browser asks for it every few seconds (the Refresh header), and the
    visitor did when sending the form."""
    sent = {row.name: session.answers.get(row.name) for row in webchat.fields.all()} | {"idempotency_key": session.key}
    try:
        start_in_turn(session, visitor)
    except ChatRefused as refused:
        note_refusal(refused, webchat.slug)
        if refused.code not in (Code.BUSY, Code.IN_PROGRESS):
            return _render_refused(request, webchat, visitor, refused, sent=sent)
        context = {"webchat": webchat, "state": "waiting", "busy": Code.BUSY.value.words}
        response = _render(request, "webchat/page.html", visitor, context)
        response["Refresh"] = str(refused.retry_after)
        return response
    started = _to_page(webchat, visitor)
    post_question_after(started, session, is_new=True)
    return started


def _to_page(webchat: Webchat, visitor: Visitor) -> HttpResponse:
    response = redirect("webchat:page", webchat.slug)
    remember(response, visitor)
    return response


@require_POST
@never_cache
@csrf_protect
@sensitive_post_parameters()
def message(request: HttpRequest, slug: str) -> HttpResponse:
    """Takes the message of a form that was sent without JavaScript."""
    webchat = webchat_or_404(slug)
    visitor = visitor_of(request)
    try:
        left, _is_new = leave_message(request, webchat, visitor, request.POST)
    except ChatRefused as refused:
        note_refusal(refused, webchat.slug)
        return _render_refused(request, webchat, visitor, refused, MessageForm)
    except DatabaseError:
        unavailable = ChatRefused(Code.CHAT_UNAVAILABLE, webchat.texts["unavailable_text"])
        return _render_refused(request, webchat, visitor, unavailable, MessageForm)
    answer = redirect(f"{reverse('webchat:page', args=[slug])}?{urlencode({'message': left.pk})}")
    remember(answer, visitor)
    return answer


def _render_refused(
    request: HttpRequest,
    webchat: Webchat,
    visitor: Visitor,
    refused: ChatRefused,
    kind: type[PreEngagementForm] = PreEngagementForm,
    sent: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The form again, with all that was typed. It keeps its key, so that sending it again finds what the first sending
    made, unless that key belongs to something else."""
    sent = request.POST if sent is None else sent
    form, error = bind_form(kind, request, webchat, visitor, sent), refused.detail
    if isinstance(refused, FormInvalid):
        form, error = refused.form, ""
        form.focus_first_error()
    if refused.code is Code.FORM_CHANGED:
        form.drop_unknown()
    key = "" if refused.code.needs_new_key else sent.get("idempotency_key", "")
    context = {
        "webchat": webchat,
        "state": "message" if kind is MessageForm else "form",
        "form": form,
        "error": error,
        "session": None,
        "hours": state_of(webchat, database_now()),
        "availability": None,
        **_envelope(webchat, key or form_keys.issue(visitor, form.shape)),
    }
    response = _render(request, "webchat/page.html", visitor, context, refused.code.status)
    if refused.retry_after:
        response["Retry-After"] = str(refused.retry_after)
    return response


@require_safe
@csrf_protect
def panel(request: HttpRequest, slug: str) -> HttpResponse:
    """The panel as a fragment: the form, the running chat, or why there is none."""
    return _show(request, "webchat/panel.html", webchat_or_404(slug))


@require_POST
@csrf_protect
def end(request: HttpRequest, slug: str) -> HttpResponse:
    """Ends this browser's chat, for visitors without JavaScript."""
    webchat = webchat_or_404(slug)
    if session := ChatSession.running_of(visitor_of(request), webchat):
        end_chat(session, ChatSession.EndedBy.VISITOR)
        if should_ask_for_rating(session):
            return redirect("webchat:rating", slug, session.pk)
    return redirect("webchat:page", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
@sensitive_post_parameters()
def rating(request: HttpRequest, slug: str, session_id: uuid.UUID) -> HttpResponse:
    """The form of a rating: on the page without JavaScript, and with `?panel` as a fragment for the script, which stands with
    `&ask` above the next form."""
    visitor, is_panel = visitor_of(request), "panel" in request.GET
    try:
        session = rated_session(visitor, session_id, slug)
    except ChatSession.DoesNotExist as missing:
        raise Http404 from missing
    rated = Rating.objects.filter(pk=session.pk).first()
    initial = {"score": rated.score, "comment": rated.comment} if rated else None
    sent = request.POST if request.method == "POST" else None
    form = RatingForm(sent, initial=initial, auto_id=f"webchat-{slug}-rating-%s")
    error, status = "", 200
    if form.is_bound and not form.is_valid():
        status = Code.INVALID.status
    elif form.is_bound:
        try:
            rate_chat(session, form.cleaned_data["score"], form.cleaned_data["comment"])
            return redirect(f"{reverse('webchat:rating', args=[slug, session_id])}{'?panel' if is_panel else ''}")
        except ChatRefused as refused:
            note_refusal(refused, slug)
            error, status = str(refused.detail), refused.code.status
    is_of_last = "ask" in request.GET
    asks = may_rate(session) and (rated is None or rated.may_change)
    if asks and not (rated or sent):
        asks = should_ask_for_rating(session)
    context = {
        "webchat": session.webchat,
        "state": "rating",
        "session": session,
        "rated": rated,
        "is_of_last": is_of_last,
        "form": form if asks else None,
        "error": error,
    }
    return _render(request, "webchat/_rating.html" if is_panel else "webchat/page.html", visitor, context, status)


@require_safe
def stylesheet(request: HttpRequest, slug: str) -> HttpResponse:
    """The launcher's styles in the webchat's colour. Its address on a page changes with its bytes."""
    sheet = webchat_or_404(slug).stylesheet
    body, encoding = sheet.encoded(request.headers.get("Accept-Encoding", ""))
    response = HttpResponse(body, content_type="text/css; charset=utf-8")
    if encoding:
        response["Content-Encoding"] = encoding
    patch_vary_headers(response, ["Accept-Encoding"])
    if request.GET.get("v") == sheet.version:
        patch_cache_control(response, public=True, max_age=31_536_000, immutable=True)
    else:  # of another version of the site, while two are served
        patch_cache_control(response, public=True, max_age=60)
    return response


def webchat_or_404(slug: str) -> Webchat:
    try:
        return webchat_named(slug)
    except Webchat.DoesNotExist as error:
        raise Http404 from error


@require_POST
@never_cache
@csrf_protect
def offer(request: HttpRequest, slug: str) -> HttpResponse:
    """Takes the answer whether the chat goes on that this browser began before its user signed in: `answer` yes or no; or
    whether the user's chat in another browser goes on in this one: here or new. Whatever else it says changes nothing. With
    `panel` the answer is the panel, for the script."""
    webchat, visitor = webchat_or_404(slug), visitor_of(request)
    answer = request.POST.get("answer", "")
    session, _has_lapsed = (None, False) if answer in ("here", "new") else ChatSession.offer_of(visitor, webchat)
    elsewhere = chat_elsewhere(visitor, webchat) if answer == "here" else None
    told = "?new=1" if answer == "new" else ""
    if session and answer == "no":
        decline_offered_chat(session)
        told = "?ended=1"
    response = redirect(reverse("webchat:panel" if "panel" in request.POST else "webchat:page", args=[slug]) + told)
    remember(response, visitor)
    if session and answer == "yes":
        with suppress(ChatRefused):
            if take_offered_chat(session, visitor):
                post_note_after(response, session)
    if elsewhere:
        with suppress(ChatRefused):
            if take_up(elsewhere, visitor):
                post_note_after(response, elsewhere)
    return response


def _show(request: HttpRequest, template: str, webchat: Webchat) -> HttpResponse:
    visitor = visitor_of(request)
    begun = ChatSession.begun_by(visitor)
    running = next((session for session in begun if session.is_active and session.webchat_id == webchat.pk), None)
    context = _context(request, webchat, visitor, running)

    @cache
    def find_last() -> ChatSession | None:
        return ChatSession.last_of(visitor, webchat)

    context["may_mail"] = _offers_mail(visitor, context["state"], find_last)
    if webchat.ask_rating and context["state"] not in ("running", "offered"):
        last = find_last()
        context["unrated"] = unrated = last if last and is_unrated(last) else None
        # The script asks later, for itself.
        context["asks_for_rating"] = template == "webchat/page.html" and unrated and should_ask_for_rating(unrated)
    if request.method == "GET" and (event := _shown(context)):
        counters.count(webchat.pk, event)
    if context["state"] == "form" and not begun and not context["offered"]:
        # Whoever sat here before may have kept a copy of the cookie.
        visitor = visitor.with_new_key()
    return _render(request, template, visitor, context)


def _offers_mail(visitor: Visitor, state: str, find_last: Callable[[], ChatSession | None]) -> bool:
    """Asks the site's function only where a chat may end, or its tab may show one that has ended."""
    if not conf.WEBCHAT_MAY_MAIL or visitor.user is None or state == "offered":
        return False
    may_end = state in ("form", "running")
    return (may_end or find_last() is not None) and may_mail(visitor.user)


def _shown(context: dict[str, Any]) -> Event | None:
    """What the statistics count of a panel that is shown."""
    if context["state"] == "form":
        return Event.OPENED
    if context["state"] not in ("closed", "message"):
        return None
    if not context["hours"].is_open:
        return Event.CLOSED
    availability = context["availability"]
    return Event.NOBODY if availability is not None and availability.nobody_is_there else None


def _context(request: HttpRequest, webchat: Webchat, visitor: Visitor, running: ChatSession | None) -> dict[str, Any]:
    now = database_now()
    hours = state_of(webchat, now)
    context: dict[str, Any] = {"webchat": webchat, "error": "", "form": None, "session": running, "hours": hours}
    offered, has_lapsed = (None, False) if running else ChatSession.offer_of(visitor, webchat)
    context["offered"] = offered
    context["has_ended"] = has_lapsed or "ended" in request.GET
    is_asked = running is None and offered is None and "new" not in request.GET
    context["elsewhere"] = chat_elsewhere(visitor, webchat) if is_asked else None
    availability = availability_of(webchat) if hours.is_open else None
    context["availability"] = availability
    taken = what_is_taken(webchat, hours)
    nobody_is_there = availability is not None and availability.nobody_is_there
    if (nobody_is_there and webchat.when_nobody == WhenNobody.MESSAGE) or (
        "leave" in request.GET and webchat.takes_messages
    ):
        taken = Takes.MESSAGES
    kind: type[PreEngagementForm] | None = None
    if running:
        context["state"] = "running"
        changes_in = math.ceil((hours.until - now).total_seconds()) if hours.until else ASK_AGAIN
        context["ask_again"] = ASK_OF_QUEUE_AGAIN if webchat.queue_sid else min(changes_in, ASK_AGAIN)
    elif offered or context["elsewhere"]:
        context["state"] = "offered"
    elif _has_left_message(request, webchat, visitor):
        context["state"] = "left"
    elif taken is Takes.MESSAGES:
        context["state"], kind = "message", MessageForm
    elif taken is Takes.CHATS:
        context["state"], kind = "form", PreEngagementForm
    else:
        context["state"] = taken.value
    if kind:
        form = empty_form(kind, webchat, visitor, request.GET.get("context", ""))
        context["form"] = form
        context |= _envelope(webchat, form_keys.issue(visitor, form.shape))
    return context


def _has_left_message(request: HttpRequest, webchat: Webchat, visitor: Visitor) -> bool:
    """Whether the address names a message of this visitor's, as after a form without JavaScript."""
    try:
        named = uuid.UUID(request.GET.get("message", ""))
    except ValueError:
        return False
    return Message.objects.owned_by(visitor).filter(pk=named, webchat=webchat).exists()


def _envelope(webchat: Webchat, key: str) -> dict[str, str]:
    """What a form carries beside the answers."""
    return {"idempotency_key": key, "puzzle": proof_of_work.puzzle(key) if webchat.wants_proof else ""}


def _marks(request: HttpRequest, visitor: Visitor) -> dict[str, str]:
    """`user_mark` says whose panel it is. `mark` changes with the browser, the user or a new CSRF secret, as a sign-in
    makes one: the page fills what was typed into the next form only while it is the same. And the token of its forms."""
    token, secret = csrf_of(request)
    value = f"{visitor.browser} {visitor.user_id} {secret}"
    mark = salted_hmac("webchat.fingerprint", value).hexdigest()[:16]
    return {"mark": mark, "user_mark": mark_of(visitor.user), "csrf_token": token}


def _render(
    request: HttpRequest, template: str, visitor: Visitor, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    response = render(request, template, {**context, **_marks(request, visitor)}, status=status)
    remember(response, visitor)
    return response


@require_safe
@never_cache
def history(request: HttpRequest) -> HttpResponse:
    """The user's own past chats. Where the site shows none, a webchat may have the name."""
    if not conf.WEBCHAT_HISTORY:
        return page(request, "history")
    visitor = visitor_of(request)
    if visitor.user is None:
        return redirect_to_login(request.get_full_path())
    chats = Paginator(past_chats(visitor.user), CHATS_ON_A_PAGE).get_page(request.GET.get("page"))
    running = ChatSession.objects.running().filter(user_id=visitor.user_id, webchat__widget=Webchat.Widget.OWN)
    context = {"chats": chats, "running": running.select_related("webchat")}
    return render(request, "webchat/history.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
def past_chat(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """A past chat of the user's own, as Twilio has it. A post asks for it by mail."""
    if not conf.WEBCHAT_HISTORY:
        raise Http404
    visitor = visitor_of(request)
    if visitor.user is None:
        return redirect_to_login(request.get_full_path())
    try:
        session = past_chats(visitor.user).get(pk=session_id)
        if request.method == "POST":
            ask_for_transcript(visitor.user, session_id)
            return redirect("webchat:past-chat", session_id)
    except ChatSession.DoesNotExist as missing:
        raise Http404 from missing
    except ChatRefused as refused:
        note_refusal(refused, session.webchat.slug)
        return _show_past(request, session, str(refused.detail), refused.code.status)
    return _show_past(request, session)


def _show_past(request: HttpRequest, session: ChatSession, problem: str = "", status: int = 200) -> HttpResponse:
    written, is_kept = None, True
    try:
        written = read_past_chat(session, request.GET.get("from", ""))
    except FlexError as error:
        is_kept = not error.is_not_there
        status = 503 if is_kept else status
    except ChatRefused:
        status = 503
    context = {
        "session": session,
        "written": written,
        "is_kept": is_kept,
        "problem": problem,
        "may_mail": is_kept and may_mail(session.user),
    }
    return render(request, "webchat/past_chat.html", context, status=status)

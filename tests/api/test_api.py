"""Start, renew, end and current over both generations of Twilio's API, against the sandbox."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import jwt
import pytest
import time_machine
from django.db import connection, transaction
from django.test import Client

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.visitor import VisitorClient
from tests.support.waiting import until
from webchat.chats import worker
from webchat.chats.token import AGE_CAP
from webchat.models import ChatSession
from webchat.models.session import LEASE
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

CREATE = {"conversations": "/v2/WebChats", "web_channels": "/v1/WebChannels"}


@pytest.fixture(params=["conversations", "web_channels"])
def webchat(request, sandbox):
    return make_webchat(api=request.param)


def creates(sandbox, webchat):
    return [call for call in sandbox.log() if call["method"] == "POST" and call["path"] == CREATE[webchat.api]]


def claims_of(credentials):
    options = {"verify_exp": False, "verify_nbf": False}  # tests travel in time
    return jwt.decode(credentials["token"], account.API_KEY_SECRET, algorithms=["HS256"], options=options)


def error_of(response, status, code):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert body["code"] == code
    assert body["request_id"] == response["X-Request-Id"]
    return body


# --- Start ---------------------------------------------------------------------------------------------------------


def test_start_opens_a_channel_and_answers_with_credentials(webchat, sandbox):
    response = VisitorClient().start(ANSWERS)
    assert response.status_code == 201
    credentials = response.json()
    assert set(credentials) == {
        "session_id", "api", "channel_sid", "identity", "began_at", "token", "expires_at", "expires_in", "region", "sdk_options",
    }  # fmt: skip
    assert credentials["api"] == webchat.api
    assert credentials["expires_in"] == 3600
    assert credentials["region"] == "us1"
    assert credentials["sdk_options"] == {"Twilsock": {"uri": sandbox.websocket_url}}
    session = ChatSession.objects.get()
    assert str(session.pk) == credentials["session_id"]
    assert credentials["began_at"] == session.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (session.status, session.channel_sid, session.attempts) == ("active", credentials["channel_sid"], 1)
    assert session.question_sent_at


def test_flex_gets_the_answers_and_the_question_as_the_first_message(webchat, sandbox):
    credentials = VisitorClient().start({**ANSWERS, "location": "http://testserver/pricing/"}).json()
    conversation = sandbox.rest("GET", f"/v1/Conversations/{credentials['channel_sid']}")
    data = json.loads(conversation["attributes"])["pre_engagement_data"]
    assert data == {
        **ANSWERS,
        "friendlyName": "José Müller",
        "location": "http://testserver/pricing/",
        "referrer": "",
        "locale": "en",
        "verified": [],
    }
    [message] = sandbox.messages(credentials["channel_sid"])
    assert (message["author"], message["body"]) == (credentials["identity"], ANSWERS["question"])
    # The webhook header is what makes Studio find an agent.
    assert sandbox.desk(credentials["channel_sid"])["waiting"]


def test_the_token_opens_this_one_chat_for_an_hour(webchat):
    credentials = VisitorClient().start(ANSWERS).json()
    claims = claims_of(credentials)
    assert claims["iss"] == account.API_KEY_SID
    assert claims["sub"] == account.ACCOUNT_SID
    assert claims["grants"] == {
        "identity": credentials["identity"],
        "chat": {"service_sid": webchat.chat_service_sid},
    }
    assert claims["exp"] - claims["nbf"] == 3630
    expires_at = datetime.strptime(credentials["expires_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert expires_at.timestamp() == claims["exp"]


def test_identities_are_random_and_say_nothing(webchat):
    identities = {VisitorClient().start(ANSWERS).json()["identity"] for _ in range(3)}
    assert len(identities) == 3
    assert all(len(identity) == 34 and "jos" not in identity.lower() for identity in identities)


@pytest.mark.parametrize("as_json", [True, False])
def test_json_and_a_form_post_start_alike(webchat, as_json):
    assert VisitorClient().start(ANSWERS, as_json=as_json).status_code == 201


def test_the_key_may_come_as_the_forms_hidden_field(webchat):
    visitor = VisitorClient()
    body = {**ANSWERS, "idempotency_key": visitor.key}
    assert visitor.start(body, key="", as_json=False).status_code == 201


def test_the_same_key_again_is_the_same_chat(webchat, sandbox):
    visitor = VisitorClient()
    first, second = visitor.start(ANSWERS), visitor.start(ANSWERS)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["channel_sid"] == second.json()["channel_sid"]
    assert len(creates(sandbox, webchat)) == 1
    assert len(sandbox.messages(first.json()["channel_sid"])) == 1


def test_the_same_key_with_other_answers_is_refused(webchat, sandbox):
    visitor = VisitorClient()
    visitor.start(ANSWERS)
    error_of(visitor.start({**ANSWERS, "question": "Something else"}), 422, "key_reused")
    assert len(creates(sandbox, webchat)) == 1


def test_the_same_key_of_another_browser_is_another_chat(webchat):
    one, other = VisitorClient(), VisitorClient()
    first, second = one.start(ANSWERS, key="the-same-key"), other.start(ANSWERS, key="the-same-key")
    assert second.status_code == 201
    assert first.json()["channel_sid"] != second.json()["channel_sid"]


@pytest.mark.django_db(transaction=True)
def test_twenty_identical_submits_at_once_make_one_channel(sandbox):
    webchat = make_webchat()
    visitor = VisitorClient()
    sandbox.fault("POST", CREATE[webchat.api], delay_ms=300)
    answers: list[int] = []

    def submit():
        try:
            client = Client(enforce_csrf_checks=True)
            client.cookies = visitor.client.cookies

            def answer():
                response = client.post(
                    "/api/webchat/support/sessions/",
                    ANSWERS,
                    content_type="application/json",
                    headers={"X-CSRFToken": visitor.csrf, "Idempotency-Key": visitor.key},
                )
                if response.status_code != 409:
                    return response
                assert response["Retry-After"] == "1"
                threading.Event().wait(0.1)  # SQLite lets one write at a time: the start itself has to get its turn
                return None

            response = until(answer)
            answers.append((response.status_code, response.json().get("channel_sid")))
        finally:
            connection.close()

    threads = [threading.Thread(target=submit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({sid for _status, sid in answers}) == 1, answers
    assert sorted(status for status, _sid in answers) == [200] * 19 + [201]
    assert len(creates(sandbox, webchat)) == 1
    assert len(sandbox.messages(answers[0][1])) == 1


# --- Twilio's failures, all of them in tests/faults/test_matrix.py ----------------------------------------------------


@pytest.mark.parametrize("happened", [True, False])
def test_an_unclear_outcome_is_looked_up_before_anything_is_created_again(webchat, sandbox, happened):
    visitor = VisitorClient()
    sandbox.fault("POST", CREATE[webchat.api], before=not happened, fault="reset")
    sandbox.fault("GET", "/v1/*", status=503)
    error_of(visitor.start(ANSWERS), 503, "chat_unavailable")
    assert ChatSession.objects.get().status == "starting"
    error_of(visitor.start(ANSWERS), 409, "in_progress")
    with time_machine.travel(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        response = visitor.start(ANSWERS)
    assert response.status_code == 201
    opened = [call for call in creates(sandbox, webchat) if call["created"]]
    assert len(opened) == 1
    session = ChatSession.objects.get()
    assert (session.status, session.attempts) == ("active", 2)


def test_a_process_that_died_after_its_call_loses_no_channel(webchat, sandbox):
    """The row says STARTING, Twilio has the channel, nobody got the answer."""
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    ChatSession.objects.update(
        status="starting", channel_sid="", started_at=None, question_sent_at=None, lease_until=datetime.now(UTC) - LEASE
    )
    again = visitor.start(ANSWERS)
    assert again.status_code == 201
    assert again.json()["channel_sid"] == credentials["channel_sid"]
    assert len(creates(sandbox, webchat)) == 1


def test_the_lease_begins_when_the_database_lets_the_row_in(webchat, sandbox, monkeypatch):
    """SQLite may keep a writer waiting for seconds: a lease that ran meanwhile could be taken over by the same submit."""
    begin = transaction.Atomic.__enter__
    visitor = VisitorClient()
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:

        def begin_after_a_wait(atomic):
            clock.shift(4)
            begin(atomic)

        monkeypatch.setattr(transaction.Atomic, "__enter__", begin_after_a_wait)
        sandbox.fault("POST", CREATE[webchat.api], status=500, before=True)
        visitor.start(ANSWERS)
    session = ChatSession.objects.get()
    assert session.lease_until - session.created_at == LEASE


def test_a_question_that_was_not_sent_is_sent_with_the_next_call(webchat, sandbox):
    visitor = VisitorClient()
    sandbox.fault("POST", "/v1/Conversations/*", status=500, before=True)
    credentials = visitor.start(ANSWERS).json()
    assert sandbox.messages(credentials["channel_sid"]) == []
    with time_machine.travel(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        assert visitor.current().status_code == 200
    [message] = sandbox.messages(credentials["channel_sid"])
    assert message["body"] == ANSWERS["question"]
    assert ChatSession.objects.get().question_sent_at


def test_a_question_whose_answer_got_lost_is_not_sent_twice(webchat, sandbox):
    visitor = VisitorClient()
    sandbox.fault("POST", "/v1/Conversations/*", fault="reset", before=False)
    credentials = visitor.start(ANSWERS).json()
    assert len(sandbox.messages(credentials["channel_sid"])) == 1
    with time_machine.travel(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        visitor.current()
    assert len(sandbox.messages(credentials["channel_sid"])) == 1
    assert ChatSession.objects.get().question_sent_at


def test_without_credentials_the_chat_says_that_it_is_unavailable(settings):
    make_webchat()
    visitor = VisitorClient()
    settings.TWILIO_API_KEY_SECRET = ""
    error_of(visitor.start(ANSWERS, key="any-key-at-all"), 503, "chat_unavailable")
    assert ChatSession.objects.count() == 0


def test_a_webchat_that_is_switched_off_starts_no_chat_and_keeps_running_ones(sandbox):
    webchat = make_webchat()
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    webchat.enabled = False
    webchat.save()
    refused = VisitorClient().start(ANSWERS, key="another-key")
    assert error_of(refused, 503, "chat_closed")["detail"] == webchat.closed_text
    assert "Retry-After" not in refused
    assert "opens_at" not in refused.json()
    assert visitor.renew(credentials["session_id"]).status_code == 200


# --- Bad input, more in tests/security/corpus.py ----------------------------------------------------------------------


def test_invalid_answers_name_their_fields(sandbox):
    make_webchat()
    body = error_of(VisitorClient().start({"name": "Ada", "email": "a@"}), 400, "invalid")
    assert set(body["fields"]) == {"email", "question"}
    assert ChatSession.objects.count() == 0


# --- Whose chat it is ------------------------------------------------------------------------------------------------


def test_a_foreign_session_and_an_absent_one_are_the_same_404(webchat):
    owner, stranger = VisitorClient(), VisitorClient()
    session_id = owner.start(ANSWERS).json()["session_id"]
    absent = "00000000-0000-4000-8000-000000000000"
    for call in (stranger.renew, stranger.end):
        foreign, missing = error_of(call(session_id), 404, "not_found"), error_of(call(absent), 404, "not_found")
        foreign.pop("request_id"), missing.pop("request_id")
        assert foreign == missing
    error_of(stranger.current(), 404, "not_found")
    assert ChatSession.objects.get().is_active
    assert owner.current().json()["session_id"] == session_id


def test_sign_out_ends_the_users_chat_for_this_browser(webchat, sandbox):
    visitor = VisitorClient()
    visitor.client.force_login(make_user())
    visitor.open_panel()
    credentials = visitor.start(ANSWERS).json()
    session_id = credentials["session_id"]
    assert (
        visitor.client.post("/accounts/logout/", {"csrfmiddlewaretoken": visitor.csrf, "end_chat": "yes"}).status_code
        == 302
    )
    assert ChatSession.objects.get().ended_by == "logout"
    assert sandbox.desk(credentials["channel_sid"])["state"] == "closed"
    error_of(visitor.renew(session_id), 404, "not_found")
    visitor.client.force_login(make_user("bob"))
    error_of(visitor.current(), 404, "not_found")


def test_a_forged_or_old_cookie_owns_nothing(webchat):
    visitor = VisitorClient()
    session_id = visitor.start(ANSWERS).json()["session_id"]
    genuine = visitor.client.cookies["webchat"].value
    visitor.client.cookies["webchat"] = genuine[:-2] + "xx"
    error_of(visitor.renew(session_id), 404, "not_found")
    visitor.client.cookies["webchat"] = genuine
    assert visitor.renew(session_id).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        error_of(visitor.renew(session_id), 404, "not_found")


def test_the_cookie_is_for_no_script_and_this_site_only(webchat):
    cookie = VisitorClient().client.cookies["webchat"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == ""  # ends with the browser


# --- Renew and end ---------------------------------------------------------------------------------------------------


def test_renew_makes_a_token_for_the_same_identity(webchat):
    visitor = VisitorClient()
    first = visitor.start(ANSWERS).json()
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=50)):
        second = visitor.renew(first["session_id"]).json()
    assert second["identity"] == first["identity"]
    assert claims_of(second)["exp"] - claims_of(first)["exp"] >= 50 * 60 - 1


def test_renew_is_refused_as_soon_as_the_session_has_ended(webchat, sandbox):
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    response = visitor.end(credentials["session_id"])
    assert response.status_code == 200
    assert response.json() == {"session_id": credentials["session_id"], "status": "ended"}
    error_of(visitor.renew(credentials["session_id"]), 410, "session_ended")
    error_of(visitor.current(), 404, "not_found")
    error_of(visitor.start(ANSWERS), 410, "session_ended")
    assert sandbox.desk(credentials["channel_sid"])["state"] == "closed"
    session = ChatSession.objects.get()
    assert (session.status, session.ended_by, session.close_pending) == ("ended", "visitor", False)


@pytest.mark.parametrize(
    ("body", "kind", "by"),
    [
        ({"ended_by": "agent"}, "application/json", "agent"),
        ({"ended_by": "visitor"}, "application/json", "visitor"),
        ("ended_by=agent", "application/x-www-form-urlencoded", "agent"),
        ({}, "application/json", "visitor"),
    ],
)
def test_the_end_says_who_ended_the_chat(webchat, sandbox, body, kind, by):
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    path, headers = f"/api/webchat/sessions/{credentials['session_id']}/end/", {"X-CSRFToken": visitor.csrf}
    assert visitor.client.post(path, body, content_type=kind, headers=headers).status_code == 200
    session = ChatSession.objects.get()
    # Closed at Twilio whoever it was: what a browser says is no proof that it is closed there.
    assert (session.status, session.ended_by, session.close_pending) == ("ended", by, False)
    assert sandbox.desk(credentials["channel_sid"])["state"] == "closed"


def test_a_chat_that_the_agent_completed_was_ended_by_the_agent_before_any_webhook(webchat, sandbox):
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    sandbox.desk(credentials["channel_sid"], "complete", author="Robin")
    visitor.end(credentials["session_id"], ended_by="agent")
    session = ChatSession.objects.get()
    assert (session.status, session.ended_by, session.close_pending) == ("ended", "agent", False)


@pytest.mark.parametrize("by", ["age", "sign_in", "nobody"])
def test_an_end_by_somebody_else_is_refused(webchat, by):
    visitor = VisitorClient()
    session_id = visitor.start(ANSWERS).json()["session_id"]
    error = error_of(visitor.end(session_id, ended_by=by), 400, "invalid")
    assert set(error["fields"]) == {"ended_by"}
    assert ChatSession.objects.get().is_active


def test_ending_twice_is_no_error(webchat):
    visitor = VisitorClient()
    session_id = visitor.start(ANSWERS).json()["session_id"]
    assert [visitor.end(session_id).status_code for _ in range(2)] == [200, 200]


def test_an_end_that_twilio_does_not_take_ends_here_at_once(webchat, sandbox):
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    sandbox.fault("POST", "/v1/*", status=503, before=True)
    assert visitor.end(credentials["session_id"]).status_code == 200
    error_of(visitor.renew(credentials["session_id"]), 410, "session_ended")
    assert ChatSession.objects.get().close_pending
    sandbox.clear_faults()
    assert visitor.end(credentials["session_id"]).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        worker.close_channels()
    assert not ChatSession.objects.get().close_pending


def test_a_chat_is_not_renewed_for_ever(webchat):
    visitor = VisitorClient()
    session_id = visitor.start(ANSWERS).json()["session_id"]
    with time_machine.travel(datetime.now(UTC) + AGE_CAP + timedelta(minutes=1)):
        error_of(visitor.renew(session_id), 410, "session_ended")
    assert ChatSession.objects.get().ended_by == "age"


def test_a_session_stays_with_the_api_that_it_was_started_by(sandbox):
    webchat = make_webchat(api="web_channels")
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    webchat.api = "conversations"
    webchat.save()
    assert visitor.current().json()["api"] == "web_channels"
    visitor.end(credentials["session_id"])
    assert any(call["path"] == f"/v1/WebChannels/{credentials['channel_sid']}" for call in sandbox.log())


def test_a_running_chat_costs_one_query_to_renew(webchat, django_assert_num_queries):
    visitor = VisitorClient()
    session_id = visitor.start(ANSWERS).json()["session_id"]
    with django_assert_num_queries(1):  # the session, with its owner and state
        visitor.renew(session_id)


# --- Secrets ---------------------------------------------------------------------------------------------------------


def test_nothing_secret_and_no_answer_is_logged(webchat, sandbox, caplog, settings):
    caplog.set_level("DEBUG")
    visitor = VisitorClient()
    sandbox.fault("POST", "/v1/Conversations/*", status=500, before=True)
    credentials = visitor.start(ANSWERS).json()
    visitor.start({**ANSWERS, "email": "a@"})
    visitor.renew(credentials["session_id"])
    visitor.end(credentials["session_id"])
    for canary in (
        *ANSWERS.values(),
        credentials["token"],
        account.AUTH_TOKEN,
        account.API_KEY_SECRET,
        visitor.csrf,
        settings.SECRET_KEY,
    ):
        assert canary not in caplog.text

"""What Flex Webchat UI 2.x asks our server: a token, a channel, the next token."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.test import Client

from tests.support.factories import ANSWERS, Role, Type, change, make_field, make_legacy, make_user
from tests.support.flex_ui import ORIGIN, URL, FlexUi
from tests.support.sandbox import basic_auth
from tests.support.visitor import VisitorClient
from webchat.chats.end import end_chat
from webchat.flex.tokens import mint
from webchat.models import ChatSession, PreEngagementField
from webchat.sandbox import account

pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]


def error(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    assert set(answer.json()) - {"fields"} == {"code", "detail", "request_id"}
    return answer.status_code, answer.json()["code"]


def data_at_twilio(sandbox: Any, sid: str) -> dict[str, Any]:
    attributes = sandbox.rest("GET", f"/v1/Conversations/{sid}")["attributes"]
    return dict(json.loads(attributes)["pre_engagement_data"])


# --- The token -------------------------------------------------------------------------------------------------------


def test_the_token_has_the_shape_that_the_ui_takes(sandbox):
    make_legacy()
    answer = FlexUi().ask_token()
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "identity", "roles", "expiration"}
    assert answer.json()["roles"] == []
    left = datetime.fromisoformat(answer.json()["expiration"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    claims = jwt.decode(answer.json()["token"], account.API_KEY_SECRET, algorithms=["HS256"])
    assert claims["grants"] == {
        "identity": answer.json()["identity"],
        "chat": {"service_sid": account.CHAT_SERVICE_SID},
    }
    assert answer["Cache-Control"] == "no-store"


def test_a_token_costs_no_call_and_no_row(sandbox):
    make_legacy()
    FlexUi().ask_token()
    assert sandbox.log() == []
    assert not ChatSession.objects.exists()


def test_each_token_is_for_an_identity_of_its_own(sandbox):
    make_legacy()
    ui = FlexUi()
    assert len({ui.ask_token().json()["identity"] for _ in range(5)}) == 5


@time_machine.travel(datetime(2026, 11, 23, 12, tzinfo=UTC), tick=False)
def test_a_token_counts_as_the_start_that_it_is_for(sandbox):
    make_legacy()
    ui = FlexUi()
    assert [ui.ask_token().status_code for _ in range(5)] == [200] * 5
    refused = ui.ask_token()
    assert error(refused) == (429, "too_many")
    assert int(refused["Retry-After"]) >= 1
    assert ui.open_channel().status_code == 201  # with the last one: it is not counted again
    assert VisitorClient(client=ui.client).start(ANSWERS, key="a-key-of-its-own").status_code == 429
    assert [FlexUi().ask_token().status_code for _ in range(36)].count(429) == 1  # 40 from one address


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"widget": "own"}, (404, "not_found")),
        ({"enabled": False}, (503, "chat_closed")),
    ],
)
def test_where_the_ui_takes_no_chats_it_gets_no_token_and_no_channel(sandbox, values, refusal):
    make_legacy(**values)
    ui = FlexUi()
    assert error(ui.ask_token()) == refusal
    assert error(ui.open_channel()) == refusal


def test_without_credentials_the_chat_is_unavailable(settings):
    webchat = make_legacy()
    settings.TWILIO_API_KEY_SECRET = ""
    answer = FlexUi().ask_token()
    assert error(answer) == (503, "chat_unavailable")
    assert answer.json()["detail"] == webchat.unavailable_text


# --- The channel -----------------------------------------------------------------------------------------------------


def test_a_start_opens_a_web_channel_of_our_flex_flow_for_the_tokens_identity(sandbox):
    make_legacy()
    ui = FlexUi()
    answer = ui.start()
    assert answer.status_code == 201
    session = ChatSession.objects.get()
    assert answer.json() == {
        "flex_flow_sid": account.FLEX_FLOW_SID,
        "account_sid": account.ACCOUNT_SID,
        "sid": session.channel_sid,
        "date_created": session.started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date_updated": session.started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "url": f"https://flex-api.twilio.com/v1/WebChannels/{session.channel_sid}",
    }
    assert session.is_active
    assert session.identity == ui.identity
    [visitor] = sandbox.participants(session.channel_sid)
    assert visitor["identity"] == ui.identity
    assert sandbox.rest("GET", f"/v1/WebChannels/{session.channel_sid}")["flex_flow_sid"] == account.FLEX_FLOW_SID
    assert [(each["author"], each["body"]) for each in sandbox.messages(session.channel_sid)] == [
        (ui.identity, ANSWERS["question"])
    ]


def test_the_typed_name_wins_over_anonymous(sandbox):
    make_legacy()
    sid = FlexUi().start().json()["sid"]
    data = data_at_twilio(sandbox, sid)
    assert (data["friendlyName"], data["name"]) == ("José Müller", "José Müller")
    assert ChatSession.objects.get().customer_friendly_name == "José Müller"
    assert data["location"] == f"{ORIGIN}/pricing/"
    assert "identity" not in data


@pytest.mark.parametrize("name", ["Anonymous", "Visitor", "", None])
def test_nobodys_name_is_no_name(sandbox, name):
    webchat = make_legacy()
    webchat.fields.filter(name="name").update(required=False)
    ui = FlexUi()
    ui.ask_token()
    answers = {key: value for key, value in ANSWERS.items() if key != "name"}
    sid = ui.open_channel(answers, CustomerFriendlyName=name).json()["sid"]
    assert data_at_twilio(sandbox, sid)["friendlyName"] == "Visitor"


def test_the_same_form_validates(sandbox):
    make_legacy()
    answer = FlexUi().start(email="nobody", question="")
    assert error(answer) == (400, "invalid")
    assert set(answer.json()["fields"]) == {"email", "question"}
    assert sandbox.log() == []
    assert not ChatSession.objects.exists()


def test_a_signed_in_visitors_account_answers_whatever_the_browser_sends(sandbox):
    webchat = make_legacy()
    webchat.fields.filter(name="email").update(match="account", user_lookup="email")
    webchat.fields.filter(name="name").update(audience="anonymous")
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user())
    ui = FlexUi(client=client)
    ui.ask_token()
    sid = ui.open_channel({"email": "mallory@example.com", "question": "Hi"}, name="Mallory").json()["sid"]
    data = data_at_twilio(sandbox, sid)
    assert (data["email"], data["verified"], data["friendlyName"]) == ("ada@example.com", ["email"], "Ada Lovelace")


def test_a_box_is_true_or_false(sandbox):
    webchat = make_legacy()
    make_field(webchat, "terms", type=Type.CONSENT)
    make_field(webchat, "news", type=Type.CHECKBOX, required=False)
    assert error(FlexUi().start(terms=False, news=False)) == (400, "invalid")
    answer = FlexUi().start(terms=True, news=False)
    data = data_at_twilio(sandbox, answer.json()["sid"])
    assert (data["terms"], data["news"]) == (True, False)


def test_the_chat_is_that_of_the_browser_on_every_page(sandbox):
    """Our own widget finds it, and goes on where the other fails."""
    make_legacy()
    ui = FlexUi()
    sid = ui.start().json()["sid"]
    assert VisitorClient(client=ui.client).current().json()["channel_sid"] == sid
    assert VisitorClient().current().status_code == 404


# --- One channel -----------------------------------------------------------------------------------------------------


def test_the_same_identity_again_finds_its_channel(sandbox):
    make_legacy()
    ui = FlexUi()
    first, again = ui.start(), ui.open_channel()
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len([call for call in sandbox.log() if call["created"] and call["path"] == "/v1/WebChannels"]) == 1
    assert error(ui.open_channel({**ANSWERS, "question": "Another"})) == (422, "key_reused")


def test_a_lost_answer_of_twilio_makes_no_second_channel(sandbox):
    make_legacy()
    sandbox.fault("POST", "/v1/WebChannels", fault="reset", before=False)
    ui = FlexUi()
    assert ui.start().status_code == 201
    assert ui.identity == ChatSession.objects.get().identity
    assert len([call for call in sandbox.log() if call["path"] == "/v1/WebChannels"]) == 1


def test_after_a_certain_failure_the_same_token_still_opens_its_channel(sandbox):
    make_legacy()
    ui = FlexUi()
    sandbox.fault("POST", "/v1/WebChannels", status=400)
    assert error(ui.start()) == (503, "chat_unavailable")
    assert ChatSession.objects.get().status == "failed"
    answer = ui.open_channel()
    assert answer.status_code == 201
    assert [each["identity"] for each in sandbox.participants(answer.json()["sid"])] == [ui.identity]


# --- The next token --------------------------------------------------------------------------------------------------


def test_a_running_chat_gets_its_next_token_for_an_hour(sandbox):
    make_legacy()
    ui = FlexUi()
    ui.start()
    answer = ui.refresh()
    assert answer.status_code == 200
    assert answer.json()["identity"] == ui.identity
    assert datetime.fromisoformat(answer.json()["expiration"]) - datetime.now(UTC) > timedelta(minutes=59)
    assert ui.refresh().status_code == 200


def test_an_ended_chat_gets_none(sandbox):
    make_legacy()
    ui = FlexUi()
    ui.start()
    end_chat(ChatSession.objects.get(), ChatSession.EndedBy.VISITOR)
    assert error(ui.refresh()) == (410, "session_ended")
    assert error(ui.open_channel()) == (410, "session_ended")


def test_a_token_without_a_channel_is_not_renewed(sandbox):
    make_legacy()
    ui = FlexUi()
    ui.ask_token()
    assert error(ui.refresh()) == (404, "not_found")


def test_another_browser_gets_none(sandbox):
    make_legacy()
    ui, thief = FlexUi(), FlexUi()
    ui.start()
    assert error(thief.refresh(ui.token)) == (404, "not_found")


def test_an_expired_token_is_not_renewed(sandbox):
    make_legacy()
    ui = FlexUi()
    ui.start()
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11)):
        assert error(ui.refresh()) == (403, "forbidden")


def test_a_chat_goes_on_when_staff_choose_another_widget(sandbox):
    webchat = make_legacy()
    ui = FlexUi()
    ui.start()
    change(webchat, widget="own", api="conversations", address_sid=account.ADDRESS_SID)
    assert ui.refresh().status_code == 200
    assert error(ui.ask_token()) == (404, "not_found")


# --- Whose token -----------------------------------------------------------------------------------------------------


def test_a_token_opens_a_channel_in_its_own_browser_only(sandbox):
    make_legacy()
    ui, thief = FlexUi(), FlexUi()
    ui.ask_token()
    thief.ask_token()
    assert error(thief.open_channel(token=ui.token)) == (403, "forbidden")
    assert not ChatSession.objects.exists()


def test_a_token_opens_a_channel_of_its_own_webchat_only(sandbox):
    make_legacy()
    make_legacy(slug="sales", name="Sales")
    ui = FlexUi()
    ui.ask_token()
    other = FlexUi("sales", ui.client)
    assert error(other.open_channel(token=ui.token)) == (403, "forbidden")


def test_a_token_from_before_the_sign_in_opens_nothing_after_it(sandbox):
    make_legacy()
    ui = FlexUi()
    ui.ask_token()
    ui.client.force_login(make_user())
    assert error(ui.open_channel()) == (403, "forbidden")


def test_a_sign_in_ends_the_chat_and_its_tokens(sandbox):
    make_legacy()
    make_user()
    ui = FlexUi()
    sid = ui.start().json()["sid"]
    visitor = VisitorClient(client=ui.client)
    login = {"username": "ada", "password": "sandbox", "csrfmiddlewaretoken": visitor.csrf}
    assert ui.client.post("/accounts/login/", login).status_code == 302
    assert sandbox.desk(sid)["state"] == "closed"
    assert error(ui.refresh()) == (404, "not_found")


def test_the_token_of_a_chat_of_our_own_widget_opens_nothing(sandbox):
    make_legacy()
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    ui = FlexUi(client=visitor.client)
    assert error(ui.open_channel(token=credentials["token"])) == (403, "forbidden")
    assert ChatSession.objects.count() == 1


FOREIGN = {
    "nothing": "",
    "no token": "hello",
    "unsigned": jwt.encode({"grants": {"identity": "w_1"}}, "", algorithm="none"),
    "signed by somebody": jwt.encode(
        {"iss": account.API_KEY_SID, "sub": account.ACCOUNT_SID, "exp": 4e9, "grants": {"identity": "w_1"}}, "x" * 40
    ),
    "of an identity that is none of ours": lambda: mint("w_" + "0" * 32, account.CHAT_SERVICE_SID).jwt,
    "without an identity": jwt.encode(
        {"iss": account.API_KEY_SID, "sub": account.ACCOUNT_SID, "exp": 4e9, "grants": []}, account.API_KEY_SECRET
    ),
    "not ASCII": "é",
}


@pytest.mark.parametrize("token", FOREIGN.values(), ids=FOREIGN)
def test_no_other_token_opens_anything(sandbox, token):
    make_legacy()
    ui = FlexUi()
    ui.ask_token()
    assert error(ui.open_channel(token=token() if callable(token) else token)) == (403, "forbidden")
    assert sandbox.log() == []


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic %%%", "Bearer x", "Basic " + "A" * 9000, basic_auth("AC", "x"), "basic dG9rZW4"]
)
def test_no_other_credentials_do(sandbox, header):
    make_legacy()
    ui = FlexUi()
    ui.ask_token()
    answer = ui.post("web-channels", "", "application/x-www-form-urlencoded", Authorization=header)
    assert error(answer) == (403, "forbidden")


# --- Where from, and garbage -----------------------------------------------------------------------------------------

NAMES = ["token", "token/refresh", "web-channels"]
ORIGINS = ["", "null", "https://testserver", "http://testserver:81", "http://testserver.evil.example", "https://evil"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_only_a_page_of_this_site_may_ask(sandbox, name, origin):
    make_legacy()
    ui = FlexUi()
    ui.start()
    headers = {"Authorization": basic_auth("token", ui.token), **({"Origin": origin} if origin else {})}
    body = json.dumps({"token": ui.token})
    answer = ui.client.post(URL.format("support", name), body, content_type="application/json", headers=headers)
    assert error(answer) == (403, "forbidden")
    assert not [each for each in answer.headers if each.startswith("Access-Control")]


@pytest.mark.parametrize("name", NAMES)
def test_the_browsers_own_word_counts_too(sandbox, name):
    make_legacy()
    answer = FlexUi().post(name, "{}", "application/json", **{"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


@pytest.mark.parametrize("name", NAMES)
def test_other_methods_and_a_slash_lead_nowhere(sandbox, name):
    make_legacy()
    client = Client()
    for method in ("get", "head", "put", "patch", "delete", "options"):
        assert getattr(client, method)(URL.format("support", name)).status_code == 405, method
    answer = client.post(URL.format("support", name) + "/", {}, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_webchat_that_is_absent_is_so_in_json(sandbox):
    assert error(FlexUi("nowhere").ask_token()) == (404, "not_found")


GARBAGE = [
    ("application/json", b"\xff\xfe"),
    ("application/json", b"[1]"),
    ("application/json", b'{"token": ["x"]}'),
    ("application/json", b'{"token": "\\ud800"}'),
    ("application/json", b"[" * 5000),
    ("application/json", b'{"token": ' + b"1" * 9000 + b"}"),
    ("application/x-www-form-urlencoded", b"PreEngagementData=%ff"),
    ("application/x-www-form-urlencoded", b"PreEngagementData=1&PreEngagementData=2"),
    ("multipart/form-data; boundary=x", b"--x"),
    ("text/plain", b"x"),
    ("application/json", b"x" * 40_000),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("content_type", "body"), GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused_in_json(sandbox, name, content_type, body):
    make_legacy()
    ui = FlexUi()
    ui.ask_token()
    answer = ui.post(name, body, content_type, Authorization=basic_auth("token", ui.token))
    status = answer.status_code
    assert status in ((400, 403, 413, 415) if name != "token" else (200, 400, 413, 415))
    assert status == 200 or error(answer)
    assert not ChatSession.objects.exists()


DATA_GARBAGE = {
    "no JSON": "{",
    "a list": "[1]",
    "deep": '{"a":' * 50 + "1" + "}" * 50,
    "a key twice": '{"email": "a@b.c", "email": "d@e.f"}',
    "nested": '{"email": {"a": 1}}',
    "unknown": '{"colour": "red"}',
    "NaN": '{"email": NaN}',
    "NUL": '{"question": "\\u0000"}',
    "half a character": '{"question": "\\ud800"}',
}


@pytest.mark.parametrize("data", DATA_GARBAGE.values(), ids=DATA_GARBAGE)
def test_garbage_in_the_data_is_refused_by_the_form(sandbox, data):
    make_legacy()
    ui = FlexUi()
    ui.ask_token()
    assert error(ui.open_channel(PreEngagementData=data)) == (400, "invalid")
    assert sandbox.log() == []


# --- What staff find in the log --------------------------------------------------------------------------------------


def test_each_refusal_is_explained_in_the_log_and_nothing_of_the_visitor(sandbox, log):
    make_legacy()
    FlexUi().start(email="mallory at example")
    [line] = log.lines("flex_ui_refused")
    assert (line["webchat"], line["path"], line["status"]) == ("support", URL.format("support", "web-channels"), 400)
    assert line["reason"] == "the form refuses: email"
    assert "mallory" not in str(log.lines())


@pytest.mark.parametrize(
    ("path", "fault", "reason"),
    [
        ("/v1/WebChannels", {"status": 410}, "gone (HTTP 410"),
        ("/v1/WebChannels", {"status": 429}, "busy (HTTP 429"),
        ("/v1/WebChannels", {"status": 401}, "refused (HTTP 401"),
    ],
)
def test_so_is_what_twilio_answered(sandbox, log, path, fault, reason):
    make_legacy()
    sandbox.fault("POST", path, times=3, **fault)
    assert FlexUi().start().status_code == 503
    [line] = log.lines("flex_ui_refused")
    assert line["reason"].startswith(reason)


def test_the_question_may_have_any_name(sandbox):
    webchat = make_legacy(fields=False)
    make_field(webchat, "query", type=Type.TEXTAREA, role=Role.QUESTION)
    assert PreEngagementField.objects.count() == 1
    ui = FlexUi()
    ui.ask_token()
    sid = ui.open_channel({"query": "Hello?"}).json()["sid"]
    assert [each["body"] for each in sandbox.messages(sid)] == ["Hello?"]

"""What the site logs: one JSON object a line, security events under stable names, nothing of a visitor's."""

from __future__ import annotations

import ast
import errno
import json
import logging
import re
import runpy
from contextlib import nullcontext
from datetime import datetime

import pytest
import structlog
from django.http import StreamingHttpResponse
from django.test import Client
from gunicorn.config import Config
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config import logs
from config.middleware import RequestMiddleware
from tests.security.corpus import TOO_MANY
from tests.support.factories import ANSWERS, make_field, make_user, make_webchat
from tests.support.site import ROOT
from tests.support.visitor import VisitorClient
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

WEBHOOK = "/webhooks/twilio/conversations/"


@pytest.fixture
def visitor(sandbox) -> VisitorClient:
    make_webchat()
    return VisitorClient()


@pytest.fixture
def no_sandbox(settings):
    """No line about it, at the first request of each client."""
    settings.TWILIO_SANDBOX_URL = ""


def only(log, event):
    [line] = log.lines(event)
    return line


# --- Requests --------------------------------------------------------------------------------------------------------


def test_each_request_is_one_line_of_known_fields(no_sandbox, log, client):
    response = client.get(
        "/accounts/login/?email=ada@example.com", REMOTE_ADDR="203.0.113.77", headers={"User-Agent": "Spy/1.0"}
    )
    [line] = log.lines()
    assert set(line) == {"time", "level", "logger", "event", "request_id", "network", "method", "path", "status", "ms"}
    assert line["event"] == "request_finished"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/accounts/login/", 200)
    assert line["request_id"] == response["X-Request-Id"]
    assert line["network"] == "203.0.113.0/24"
    assert datetime.fromisoformat(line["time"]).utcoffset().total_seconds() == 0
    assert 0 < line["ms"] < 10_000


def test_a_file_that_is_sent_in_pieces_is_one_line_too(no_sandbox, log, rf):
    answer = RequestMiddleware(lambda request: StreamingHttpResponse([b"a", b"b"]))(rf.get("/static/x.js"))
    assert b"".join(answer.streaming_content) == b"ab"
    assert [line["event"] for line in log.lines()] == ["request_finished"]


@pytest.mark.parametrize(
    ("path", "status", "is_said"),
    [("/static/x.js", 200, False), ("/static/x.js", 304, False), ("/static/x.js", 404, True), ("/support/", 200, True)],
)
def test_a_developer_reads_no_line_for_each_static_file(path, status, is_said):
    event = {"event": "request_finished", "path": path, "status": status}
    for processor in logs.before_the_line(human=False):
        processor(None, "info", dict(event))  # a machine reads them all
    [drop] = set(logs.before_the_line(human=True)) - set(logs.before_the_line(human=False))
    with nullcontext() if is_said else pytest.raises(structlog.DropEvent):
        drop(None, "info", dict(event))


def test_every_line_of_a_request_has_its_id(log, visitor):
    response = visitor.start(ANSWERS)
    ours = [line for line in log.lines() if line.get("request_id") == response["X-Request-Id"]]
    assert {"request_finished"} < {line["event"] for line in ours}
    assert "chat_started" in {line["event"] for line in ours}
    assert {line["session"] for line in ours if "session" in line} == {response.json()["session_id"]}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("0123abcd-from-the-proxy", True), ("short", False), ("x" * 65, False), ("a b c d e f", False), ("id\x1b[31mred", False)],
)  # fmt: skip
def test_a_sound_request_id_of_the_proxy_is_kept(log, client, settings, sent, kept):
    settings.TRUSTED_PROXY_COUNT = 1
    response = client.get("/", headers={"X-Request-Id": sent})
    assert (response["X-Request-Id"] == sent) is kept
    assert only(log, "request_finished")["request_id"] == response["X-Request-Id"]


def test_where_no_proxy_stands_in_front_nobody_names_a_request(client):
    assert (
        client.get("/", headers={"X-Request-Id": "0123abcd-of-a-stranger"})["X-Request-Id"] != "0123abcd-of-a-stranger"
    )


def test_one_request_tells_the_next_nothing(no_sandbox, log, client):
    ids = {client.get("/")["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert {line["request_id"] for line in log.lines()} == ids
    assert structlog.contextvars.get_contextvars() == {}


def test_health_checks_are_not_logged(no_sandbox, log, client):
    assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200
    assert log.text == ""


def test_the_link_of_a_password_reset_is_not_logged(log, client):
    client.get("/accounts/reset/MQ/c4x9ab-0123456789abcdef0123456789abcdef/")
    assert only(log, "request_finished")["path"] == "/accounts/reset/<uidb64>/<token>/"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/nope/ada@example.com/", "?"),
        ("/caf%C3%A9%0d%0a/", "?"),
        ("/admin/accounts/user/ada@example.com/change/", "/admin/accounts/user/<object_id>/change/"),
        ("/webchat/support/", "/webchat/support/"),
    ],
)
def test_what_a_visitor_may_have_written_into_an_address_is_not_logged(log, client, address, path):
    client.get(address)
    assert only(log, "request_finished")["path"] == path


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("", "unknown"),
        ("x\r\ny", "unknown"),
    ],
)
def test_an_address_is_cut_to_its_network(log, client, address, network):
    client.get("/", REMOTE_ADDR=address)
    assert only(log, "request_finished")["network"] == network


# --- Security events -------------------------------------------------------------------------------------------------


def csrf_refused(visitor, settings):
    visitor.csrf = "x" * 64
    visitor.start(ANSWERS)


def origin_refused(visitor, settings):
    visitor.start(ANSWERS, Origin="https://evil.example/?email=ada@example.com")


def fetch_site_refused(visitor, settings):
    visitor.start(ANSWERS, **{"Sec-Fetch-Site": "cross-site"})


def host_refused(visitor, settings):
    visitor.client.get("/", headers={"Host": "evil.example"})


def request_refused(visitor, settings):
    visitor.client.post("/webchat/support/", TOO_MANY, content_type="application/x-www-form-urlencoded")


def webhook_refused(visitor, settings):
    visitor.client.post(WEBHOOK, {"EventType": "x"}, headers={"X-Twilio-Signature": "x"})


def limit_hit(visitor, settings):
    for number in range(6):
        visitor.start(ANSWERS, key=f"another-key-{number}")


def limit_hit_on_the_page(visitor, settings):
    for number in range(6):
        values = {**ANSWERS, "idempotency_key": f"another-key-{number}", "csrfmiddlewaretoken": visitor.csrf}
        visitor.client.post("/webchat/support/", values)


def session_refused(visitor, settings):
    VisitorClient().renew(visitor.start(ANSWERS).json()["session_id"])


def login_failed(visitor, settings):
    visitor.client.post(
        "/accounts/login/", {"username": "sandbox-password", "password": "x", "csrfmiddlewaretoken": visitor.csrf}
    )


def login_succeeded(visitor, settings):
    make_user()
    visitor.client.post(
        "/accounts/login/", {"username": "ada", "password": "sandbox", "csrfmiddlewaretoken": visitor.csrf}
    )


def chat_unavailable(visitor, settings):
    settings.TWILIO_API_KEY_SECRET = ""
    visitor.start(ANSWERS)


def chat_unavailable_on_the_page(visitor, settings):
    settings.TWILIO_API_KEY_SECRET = ""
    values = {**ANSWERS, "idempotency_key": visitor.key, "csrfmiddlewaretoken": visitor.csrf}
    visitor.client.post("/webchat/support/", values)


def flex_ui_refused(visitor, settings):
    visitor.client.post("/webchat/support/flex-ui/token", headers={"Origin": "https://evil.example"})


def sandbox_in_use(visitor, settings):
    Client().get("/")


EVENTS = [
    (csrf_refused, "csrf_refused", {"reason": "CSRF token from the 'X-Csrftoken' HTTP header incorrect."}),
    (origin_refused, "csrf_refused", {"reason": "Origin checking failed"}),
    (fetch_site_refused, "csrf_refused", {"reason": "Sec-Fetch-Site checking failed"}),
    (host_refused, "host_refused", {}),
    (request_refused, "request_refused", {"reason": "TooManyFieldsSent"}),
    (webhook_refused, "webhook_refused", {}),
    (limit_hit, "limit_hit", {"webchat": "support", "limit": "start:browser"}),
    (limit_hit_on_the_page, "limit_hit", {"webchat": "support"}),
    (session_refused, "session_refused", {}),
    (login_failed, "login_failed", {}),
    (login_succeeded, "login_succeeded", {}),
    (chat_unavailable, "chat_unavailable", {"webchat": "support", "reason": "not configured"}),
    (chat_unavailable_on_the_page, "chat_unavailable", {"webchat": "support", "reason": "not configured"}),
    (flex_ui_refused, "flex_ui_refused", {"webchat": "support", "reason": "not from a page of this site"}),
]


@pytest.mark.parametrize(
    ("cause", "event", "fields"), EVENTS, ids=[cause.__name__ for cause, _event, _fields in EVENTS]
)
def test_a_security_event_is_logged_once_with_its_request(log, visitor, settings, cause, event, fields):
    cause(visitor, settings)
    line = only(log, event)
    assert line["request_id"] == log.lines("request_finished")[-1]["request_id"]
    assert line["network"] == "127.0.0.0/24"
    assert line["level"] in ("info" if event == "login_succeeded" else "warning", "error")
    assert fields.items() <= line.items()
    for word in ("evil.example", "ada@example.com", "sandbox-password", *ANSWERS.values()):
        assert word not in log.text


def test_the_sandbox_is_announced_once_for_each_process(log, sandbox):
    client = Client()
    client.get("/")
    client.get("/")
    assert only(log, "sandbox_in_use")["sandbox"] == sandbox.url


def test_an_event_of_another_account_is_logged(log, client, sandbox):
    from django.conf import settings

    from tests.api.test_webhooks import post

    post(client, settings, {"AccountSid": "AC" + "f" * 32, "EventType": "onMessageAdded"})
    assert only(log, "webhook_of_another_account")["sid"] == "AC…ffff"


def test_each_event_is_explained_in_the_documentation():
    text = (ROOT / "docs/security.md").read_text()
    names = {event for _cause, event, _fields in EVENTS}
    for name in names | {
        "chat_waits",
        "client_address_unreadable",
        "database_failed",
        "database_silent",
        "legacy_api_gone",
        "sandbox_in_use",
        "webhook_ambiguous",
        "webhook_of_another_account",
        "request_failed",
        "not_ready",
    }:
        assert f"`{name}`" in text, name


# --- What a line may hold --------------------------------------------------------------------------------------------

EVIL = "a\r\nb\x1b[31mc\u2028d\u2029e\x85f\x00g\u202eh\x07i\ud800"


def written(record: dict, *, human: bool) -> str:
    formatter = logs.formatter(human=human)
    text = formatter.format(
        logging.makeLogRecord({"name": "any.library", "levelno": 30, "levelname": "WARNING", **record})
    )
    return re.sub(r"\x1b\[\d*m", "", text)  # its own colours


@pytest.mark.parametrize("human", [False, True])
def test_what_others_log_is_their_template_without_what_it_quotes(human):
    text = written({"msg": "refused %s of %(name)s", "args": (EVIL, "ada@example.com")}, human=human)
    assert "refused %s of %(name)s" in text
    assert "\n" not in text
    assert "ada@example.com" not in text
    assert "31mc" not in text


def test_nothing_breaks_a_line(log):
    structlog.get_logger("ours").warning("said", reason=EVIL)
    logging.getLogger("theirs").warning("said %s", EVIL)
    text = log.text.rstrip("\n")
    assert len(text.split("\n")) == 2
    assert all(json.loads(line) for line in text.split("\n"))
    assert text.replace("\n", "").isascii()
    assert text.replace("\n", "").isprintable()


def test_a_visitors_headers_break_no_line(log, client):
    headers = {
        name: EVIL.encode("utf-8", "replace").decode("latin-1")
        for name in ("User-Agent", "Referer", "X-Request-Id", "Host")
    }
    client.get("/caf%C3%A9%0d%0a%e2%80%a8/", headers=headers)
    assert all(set(line) <= logs.FIELDS for line in log.lines())
    assert "31mc" not in log.text


@given(st.text(max_size=300), st.text(max_size=300))
@hypothesis_settings(deadline=None)
def test_no_argument_of_others_is_in_a_line(argument, context):
    """Whatever they format, and whatever they carry along."""
    plain = written({"msg": "call of %s failed"}, human=False)
    full = written({"msg": "call of %s failed", "args": (argument,), "email": context, "reason": context}, human=False)
    without_time = [{**json.loads(line), "time": ""} for line in (plain, full)]
    assert without_time[0] == without_time[1]


def test_a_sid_is_known_by_its_ends(log):
    structlog.get_logger("ours").warning("event", sid=account.ACCOUNT_SID)
    assert log.lines()[0]["sid"] == "AC…0000"


def test_our_own_modules_log_events_with_names_and_no_sentences():
    """A sentence with arguments would lose them, and no alert could rely on it."""
    calls = []
    for folder in ("webchat", "config"):
        for module in (ROOT / folder).rglob("*.py"):
            if "sandbox" in module.parts:  # a process of its own
                continue
            for node in ast.walk(ast.parse(module.read_text())):
                if isinstance(node, ast.Call) and getattr(getattr(node.func, "value", None), "id", "") == "logger":
                    calls.append((module.name, node.args, [keyword.arg for keyword in node.keywords]))
    assert len(calls) > 20
    for module, args, fields in calls:
        assert len(args) == 1, module
        assert re.fullmatch("[a-z_]+", getattr(args[0], "value", "event")), module
        assert {field for field in fields if field} <= logs.FIELDS | {"exc_info"}, module


def test_each_event_of_a_chat_is_in_the_runbook():
    names = {
        "chat_not_started", "breaker_opened", "breaker_closed", "chat_abandoned", "question_not_sent", "channel_not_closed",
        "extra_channel_not_closed", "pruned", "chat_started", "chat_ended", "chat_overtaken", "chat_moved_to_address",
        "page_without_chat", "question_left_to_worker", "left_to_worker", "database_failed", "work_not_done",
        "chat_rated", "counts_not_kept", "answer_not_looked_for", "message_left", "task_made", "task_not_made", "task_given_up", "queue_not_read", "chat_forgotten", "chat_not_forgotten",
        "message_forgotten", "message_not_forgotten",
    }  # fmt: skip
    code = "".join(path.read_text() for path in (ROOT / "webchat").rglob("*.py"))
    text = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    assert [name for name in sorted(names) if f'"{name}"' not in code or f"`{name}`" not in text] == []


def test_gunicorn_puts_no_line_of_its_own_together():
    settings = runpy.run_path(str(ROOT / "config/gunicorn.py"))
    logger_class = settings["logger_class"]
    logger = logger_class.__new__(logger_class)  # without its setup, which configures the logging of the whole process
    logger.cfg = Config()
    logger.cfg.set("logconfig_dict", settings["logconfig_dict"])
    logger.access(None, None, None, None)  # would ask them for some thirty parts of a line


def test_unknown_fields_are_left_out(log):
    structlog.get_logger("ours").warning("event", email="ada@example.com", reason="known")
    logging.getLogger("theirs").warning("event", extra={"token": "secret-of-somebody"})
    assert [sorted(line) for line in log.lines()] == [
        ["event", "level", "logger", "reason", "time"],
        ["event", "level", "logger", "time"],
    ]


def test_a_traceback_tells_where_and_what_kind_but_not_the_words(log):
    try:
        try:
            int("my secret question")
        except ValueError as error:
            raise RuntimeError("about my secret question") from error
    except RuntimeError:
        logging.getLogger("theirs").exception("it failed")
        structlog.get_logger("ours").exception("it_failed")
    for line in log.lines():
        assert line["error"] == "RuntimeError < ValueError"
        assert line["trace"][-1].startswith("tests/security/test_logs.py:")
    assert "secret question" not in log.text


def test_twilio_python_logs_no_call(log, visitor):
    visitor.start(ANSWERS)
    assert not [line for line in log.lines() if line["logger"].startswith("twilio")]
    assert logging.getLogger("twilio.http_client").getEffectiveLevel() == logging.WARNING


def test_the_form_of_members_logs_no_guess(log, sandbox):
    webchat = make_webchat(fields=False)
    make_field(webchat, "question", type="textarea", role="question")
    make_field(webchat, "email", type="email", match="require", user_lookup="email")
    VisitorClient().start({"question": "Where?", "email": "guess@example.com"})
    assert "guess" not in log.text


# --- When it cannot be written ---------------------------------------------------------------------------------------


class FullDisk:
    def write(self, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = write


def test_a_log_that_cannot_be_written_stops_no_chat(visitor, monkeypatch, capsys):
    console = next(each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler)
    monkeypatch.setattr(console, "stream", FullDisk())
    assert visitor.start(ANSWERS).status_code == 201
    assert "No space left on device" in capsys.readouterr().err  # it was tried

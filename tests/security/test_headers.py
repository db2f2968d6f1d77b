"""The headers of every answer, on every address and with every status."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from csp.exceptions import CSPNonceError
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings

from config.headers import HeadersMiddleware, PolicyMiddleware
from tests.security.addresses import every_address
from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.site import ROOT, collected_static, demo_database
from tests.support.visitor import VisitorClient

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

DEMANDED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OF_PAGES = {
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Frame-Options",
}
# Of data: what no other directive says, the first one does.
DATA_POLICY = {"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}
POLICY = {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'", "form-action 'self'"}


# The admin's previews, which stand in a frame of the admin and send nothing.
PREVIEWS = ("/preview/panel/", "/builder/")
PREVIEW_MAY = {"X-Frame-Options: SAMEORIGIN", "no form-action 'self'", "no frame-ancestors 'none'"}


def problems_of(response) -> list[str]:
    """What is missing or too much; of a stylesheet or script, that it bears what browsers read of pages alone."""
    if response.get("Content-Type", "").startswith(("text/css", "text/javascript")):
        wrong = [f"{name}: {response.get(name)}" for name in OF_PAGES if name in response]
        wrong += [name for name in DEMANDED.keys() - OF_PAGES if response.get(name) != DEMANDED[name]]
        return wrong + [name for name in response.headers if name.startswith("Access-Control-")]
    wrong = [f"{name}: {response.get(name)}" for name, value in DEMANDED.items() if response.get(name) != value]
    policy = set(response.get("Content-Security-Policy", "").split("; "))
    is_data = response.get("Content-Type") == "application/json"
    wrong += [f"no {directive}" for directive in (DATA_POLICY if is_data else POLICY) - policy]
    wrong += [directive for directive in policy - DATA_POLICY if is_data]
    wrong += [directive for directive in policy if "unsafe" in directive or "*" in directive]
    if "camera=()" not in response.get("Permissions-Policy", ""):
        wrong.append("no Permissions-Policy")
    wrong += [name for name in response.headers if name.startswith("Access-Control-")]
    return wrong


@pytest.fixture
def rows(sandbox):
    make_webchat(when_closed="message")
    assert VisitorClient().start(ANSWERS).status_code == 201
    return make_user("root", is_superuser=True, is_staff=True)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("superuser", [False, True])
def test_every_address(rows, client, superuser, method):
    if superuser:
        client.force_login(rows)
    wrong = {}
    for address in every_address():
        response = getattr(client, method)(address, headers={"Origin": "https://evil.example"})
        problems = problems_of(response)
        if address.endswith(PREVIEWS) and superuser:
            if response.status_code == 200:
                policy = set(response["Content-Security-Policy"].split("; "))
                assert {"frame-ancestors 'self'", "form-action 'none'"} <= policy
            problems = sorted(set(problems) - PREVIEW_MAY)
        if problems:
            wrong[address] = problems
        assert response.status_code < 500, address
        if superuser and "logout" in address:
            client.force_login(rows)
    assert wrong == {}


def statuses(client: Client, visitor: VisitorClient):
    form = "application/x-www-form-urlencoded"
    return {
        200: client.get("/"),
        301: client.get("/support"),
        302: client.get("/admin/"),
        400: client.get("/", headers={"Host": "evil.example"}),
        403: Client(enforce_csrf_checks=True).post("/webchat/support/"),
        404: client.get("/nope/"),
        405: client.put("/"),
        406: client.get("/api/webchat/support/sessions/current/", headers={"Accept": "text/html"}),
        413: client.post("/api/webchat/support/sessions/", "x" * 40_000, content_type=form),
        415: client.post("/api/webchat/support/sessions/", "x", content_type="text/plain"),
        500: client.get("/bug/"),
        503: visitor.start(ANSWERS),
    }


def test_every_status(rows, settings):
    client, visitor = Client(raise_request_exception=False), VisitorClient()
    settings.ROOT_URLCONF = "tests.security.buggy_urls"
    settings.TWILIO_API_KEY_SECRET = ""
    for status, response in statuses(client, visitor).items():
        assert response.status_code == status
        assert problems_of(response) == [], status


def test_a_foreign_host_and_plain_http_get_them_too(settings, client):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 63_072_000
    redirected = Client().get("/")
    assert (redirected.status_code, problems_of(redirected)) == (301, [])
    refused = Client().get("/", headers={"Host": "evil.example"})
    assert (refused.status_code, problems_of(refused)) == (400, [])
    secure = Client().get("/", headers={"Host": "evil.example"}, secure=True)
    assert secure["Strict-Transport-Security"].startswith("max-age=63072000")


def test_a_nonce_is_used_once(client):
    make_webchat()
    nonces = set()
    for path in ("/", "/webchat/support/") * 10:
        response = client.get(path)
        [nonce] = re.findall(r"'nonce-([A-Za-z0-9+/=]+)'", response["Content-Security-Policy"])
        assert f'nonce="{nonce}"' in response.content.decode()
        nonces.add(nonce)
    assert len(nonces) == 20


def test_a_page_without_a_script_may_run_none(client):
    for path in ("/", "/support/nope/", "/nope/"):
        assert "script-src 'none'" in client.get(path)["Content-Security-Policy"].split("; "), path


def answer_of(request, **attributes) -> HttpResponse:
    """What the middleware makes of the answer of a site's own view, which has these attributes."""
    response = HttpResponse()
    vars(response).update(attributes)
    return PolicyMiddleware(lambda request: response)(request)


def test_what_a_site_asks_of_the_policy_is_done(rf, settings):
    usual = answer_of(rf.get("/"))["Content-Security-Policy"]
    assert "script-src 'none'" in usual
    more = answer_of(rf.get("/"), _csp_update={"img-src": ["https://cdn.example"]})["Content-Security-Policy"]
    assert set(more.replace(";", "").split()) - set(usual.replace(";", "").split()) == {"https://cdn.example"}
    assert not answer_of(rf.get("/"), _csp_exempt=True).has_header("Content-Security-Policy")
    with override_settings(CONTENT_SECURITY_POLICY_REPORT_ONLY={"DIRECTIVES": {"default-src": ["'none'"]}}):
        assert "default-src 'none'" in answer_of(rf.get("/"))["Content-Security-Policy-Report-Only"]
    with override_settings(
        CONTENT_SECURITY_POLICY=settings.CONTENT_SECURITY_POLICY | {"EXCLUDE_URL_PREFIXES": ["/x/"]}
    ):
        assert not answer_of(rf.get("/x/")).has_header("Content-Security-Policy")
        assert answer_of(rf.get("/y/")).has_header("Content-Security-Policy")
    with override_settings(CONTENT_SECURITY_POLICY=None):
        assert not answer_of(rf.get("/")).has_header("Content-Security-Policy")
    with override_settings(DEBUG=True):  # Django's own page of an error has scripts
        assert not answer_of(rf.get("/"), status_code=404).has_header("Content-Security-Policy")


def test_the_answer_to_head_says_how_long_the_body_is_and_has_none(rf):
    answer = HeadersMiddleware(lambda request: HttpResponse("four"))(rf.head("/"))
    assert (answer.content, answer["Content-Length"]) == (b"", "4")
    answer = HeadersMiddleware(lambda request: HttpResponse("four"))(rf.get("/"))
    assert answer.content == b"four"


def test_a_nonce_that_comes_too_late_is_an_error(rf):
    request = rf.get("/")
    answer_of(request)
    with pytest.raises(CSPNonceError):
        str(request.csp_nonce)


def test_what_caches_may_keep_has_no_nonce_no_cookie_and_no_token(client):
    webchat = make_webchat()
    for path in (f"/webchat/{webchat.slug}/launcher.css", "/theme.css"):
        response = client.get(path)
        assert "public" in response["Cache-Control"]
        assert problems_of(response) == []
        assert "Content-Language" not in response
        assert set(response.get("Vary", "").split(", ")) <= {"Accept-Encoding", ""}
        assert not response.cookies


def test_what_has_a_token_or_a_cookie_is_never_stored(rows, sandbox):
    visitor = VisitorClient()
    started = visitor.start(ANSWERS)
    session_id = started.json()["session_id"]
    panel = visitor.client.get("/webchat/support/panel/")
    answers = [started, panel, visitor.current(), visitor.renew(session_id), visitor.end(session_id)]
    for response in [*answers, visitor.client.get("/webchat/support/"), visitor.renew(session_id)]:
        assert "no-store" in response["Cache-Control"], response.request["PATH_INFO"]


def test_a_page_of_a_user_is_kept_by_no_browser_and_a_sign_out_clears_what_was(client):
    make_webchat()
    assert "no-store" not in client.get("/").get("Cache-Control", "")
    root = make_user("root", is_superuser=True, is_staff=True)
    client.force_login(root)
    for path in ("/", "/support/", "/accounts/password_change/", "/webchat/support/", "/admin/", "/nope/"):
        assert "no-store" in client.get(path)["Cache-Control"], path
    assert "public" in client.get("/theme.css")["Cache-Control"]
    assert "Clear-Site-Data" not in client.get("/")
    assert client.post("/accounts/logout/")["Clear-Site-Data"] == '"cache"'
    client.force_login(root)
    assert client.post("/admin/logout/")["Clear-Site-Data"] == '"cache"'


def test_a_page_is_told_who_sits_there(client):
    make_webchat()
    who = "/api/webchat/visitor/"
    assert client.get(who).json() == {"user": ""}
    assert "data-user" not in client.get("/").content.decode().partition("<header")[0]
    marks = set()
    for name in ("ada", "bob"):
        client.force_login(make_user(name))
        mark = client.get(who).json()["user"]
        marks.add(mark)
        assert client.get(who)["Cache-Control"] == "no-store"
        assert f'<body data-user="{mark}"' in client.get("/").content.decode()
        assert f'data-user="{mark}"' in client.get("/webchat/support/panel/").content.decode()
    assert len(marks) == 2


def test_the_admin_runs_its_own_scripts_only(client):
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    for path in ("/admin/", "/admin/webchat/webchat/add/", "/admin/accounts/user/"):
        assert "script-src 'self'" in client.get(path)["Content-Security-Policy"].split("; ")


# --- Behind TLS ------------------------------------------------------------------------------------------------------

BEHIND_TLS = """
import django, json
django.setup()
from django.test import Client
client = Client(SERVER_NAME="www.example.com")
pages = [client.get(path, secure=True) for path in ("/webchat/support/panel/", "/accounts/login/", "/")]
plain = client.get("/support/")
cookies = {name: dict(morsel) for page in pages for name, morsel in page.cookies.items()}
login = client.post("/accounts/login/", {"username": "x", "password": "y"}, secure=True)
signed_in = client.post("/accounts/login/", {"username": "ada", "password": "sandbox"}, secure=True)
cookies |= {name: dict(morsel) for name, morsel in signed_in.cookies.items()}
print(json.dumps({"cookies": cookies, "location": plain["Location"], "hsts": pages[0]["Strict-Transport-Security"],
                  "policy": pages[2]["Content-Security-Policy"]}))
"""

TLS = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "PUBLIC_BASE_URL": "https://www.example.com",
    "DATABASE_URL": "sqlite://:memory:",
    "DJANGO_SECRET_KEY": "Zq3" * 20 + "0123456789",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "0123456789abcdef",
    "TWILIO_API_KEY_SID": "SK" + "0" * 32,
    "TWILIO_API_KEY_SECRET": "0123456789abcdef",
}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"]} | TLS | environment
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_behind_tls_cookies_are_bound_to_the_host_and_hsts_is_on(tmp_path):
    import json

    shutil.copy(demo_database(), tmp_path / "db.sqlite3")
    database = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    done = run("-c", BEHIND_TLS, STATIC_ROOT=str(collected_static()), DATABASE_URL=database, DJANGO_DEBUG="0")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert set(seen["cookies"]) == {"__Host-webchat", "__Host-csrftoken", "__Host-sessionid"}
    for cookie in seen["cookies"].values():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (
            True, True, "Lax", "/", "",
        )  # fmt: skip
    assert seen["location"] == "https://www.example.com/support/"
    assert seen["hsts"] == "max-age=63072000; includeSubDomains; preload"
    assert "upgrade-insecure-requests" in seen["policy"].split("; ")


def test_the_deployment_check_finds_nothing():
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", TRUSTED_PROXY_COUNT="1")
    assert done.returncode == 0, done.stderr


def test_the_previous_secret_key_still_counts_while_it_is_rotated():
    code = (
        "import django; django.setup(); from django.core import signing; from django.conf import settings; "
        "old = signing.dumps('x', key='the-old-key'); print(signing.loads(old), settings.SECRET_KEY_FALLBACKS)"
    )
    assert run("-c", code, DJANGO_SECRET_KEY_FALLBACKS="the-old-key,the-older-key").stdout.startswith(
        "x ['the-old-key'"
    )
    assert "BadSignature" in run("-c", code).stderr


def test_an_answer_to_head_has_no_body_and_the_length_of_one():
    """Asked without Django's test client, which takes the body away itself."""
    answers = {}

    def start_response(status, headers):
        answers[method] = (status, dict(headers))

    bodies = {}
    for method in ("GET", "HEAD"):
        environ = RequestFactory().generic(method, "/health/live").environ
        bodies[method] = b"".join(WSGIHandler()(environ, start_response))
    assert bodies["GET"]
    assert bodies["HEAD"] == b""
    assert answers["HEAD"][0] == answers["GET"][0] == "200 OK"
    assert answers["HEAD"][1]["Content-Length"] == str(len(bodies["GET"]))

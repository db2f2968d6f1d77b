"""What a site adds: context of a page, signed; rules and data of its own before a channel is opened."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.test import RequestFactory

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession

pytestmark = pytest.mark.django_db


def render(source, user=None, visitor=None, **context):
    """A page of the site, as this visitor's browser asked for it."""
    request = RequestFactory().get("/")
    if visitor:
        request.META["CSRF_COOKIE"] = visitor.client.cookies["csrftoken"].value
    request.user = user or AnonymousUser()
    request.csp_nonce = "nonce"
    return Template("{% load webchat %}" + source).render(RequestContext(request, context))


def context_of(html):
    panel = re.search(r'\bsrc="([^"]+/panel/[^"]*)"', html)[1]
    return parse_qs(urlsplit(unescape(panel)).query).get("context", [""])[0]


# --- The tag ---------------------------------------------------------------------------------------------------------


def test_the_context_travels_signed_to_the_agent(sandbox):
    make_webchat()
    visitor = VisitorClient()
    order = {"order": "A-17", "total": 12.5, "vip": True}
    signed = context_of(render("{% webchat context=order %}", visitor=visitor, order=order))
    html = visitor.client.get("/webchat/support/panel/", {"context": signed}).content.decode()
    assert f'name="context" value="{signed}"' in html
    assert visitor.start({**ANSWERS, "context": signed}).status_code == 201
    assert ChatSession.objects.get().answers["context"] == {"order": "A-17", "total": 12.5, "vip": True}


def test_a_context_that_the_browser_changed_is_refused_and_the_answers_are_kept(sandbox):
    make_webchat()
    visitor = VisitorClient()
    signed = context_of(render("{% webchat context=order %}", visitor=visitor, order={"discount": 5}))
    for forged in (signed[:-1], "x" + signed):
        response = visitor.start({**ANSWERS, "context": forged})
        assert response.status_code == 400
        assert "reload" in response.json()["detail"]
    page = visitor.client.post(
        "/webchat/support/",
        {**ANSWERS, "context": signed[:-1], "csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key},
    )
    assert ANSWERS["question"] in page.content.decode()
    assert not ChatSession.objects.exists()


def test_one_users_context_is_no_other_users(sandbox):
    make_webchat()
    ada, bob = make_user(), make_user("bob")
    visitor = VisitorClient()
    signed = context_of(render("{% webchat context=order %}", user=ada, visitor=visitor, order={"order": "A-17"}))
    visitor.client.force_login(bob)
    visitor.open_panel()
    assert visitor.start({**ANSWERS, "context": signed}).status_code == 400
    visitor.client.force_login(ada)
    visitor.open_panel()
    assert visitor.start({**ANSWERS, "context": signed}).status_code == 201


def test_one_visitors_context_is_no_other_browsers_nor_any_other_webchats(sandbox):
    make_webchat()
    make_webchat(slug="sales", name="Sales")
    visitor, stranger = VisitorClient(), VisitorClient()
    signed = context_of(render("{% webchat context=order %}", visitor=visitor, order={"discount": 50}))
    refused = [stranger.start({**ANSWERS, "context": signed})]
    stranger.client.cookies["webchat"] = visitor.client.cookies["webchat"].value
    refused.append(stranger.start({**ANSWERS, "context": signed}))
    refused.append(VisitorClient("sales", visitor.client).start({**ANSWERS, "context": signed}))
    assert [answer.status_code for answer in refused] == [400] * 3
    assert not ChatSession.objects.exists()
    assert visitor.start({**ANSWERS, "context": signed}).status_code == 201


def test_a_page_with_a_context_gives_the_browser_its_secret():
    """Without a cookie that the browser brings, the first page would be of no use."""
    make_webchat()
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request.csp_nonce = "nonce"
    page = Template("{% load webchat %}{% webchat context=order %}").render(
        RequestContext(request, {"order": {"a": 1}})
    )
    assert context_of(page)
    assert len(request.META["CSRF_COOKIE"]) == 32


def test_a_context_that_is_no_plain_mapping_is_the_template_authors_error():
    make_webchat()
    for order in ({"user": object()}, {"items": [1]}, {"nested": {}}, "text", [("a", 1)]):
        with pytest.raises(ValueError, match="context= is a mapping of names"):
            render("{% webchat context=order %}", order=order)
    with pytest.raises(ValueError, match="too long"):
        render("{% webchat context=order %}", order={str(number): hash(str(number)) for number in range(900)})


def test_a_template_without_a_request_is_told_what_it_needs():
    make_webchat()
    with pytest.raises(ImproperlyConfigured, match="request=request"):
        Template("{% load webchat %}{% webchat %}").render(Context())


def test_a_slug_that_no_webchat_has_shows_nothing_and_tells_the_developer(settings, caplog):
    assert render('{% webchat "suport" %}') == ""
    assert not caplog.records
    settings.DEBUG = True
    assert render('{% webchat "suport" %}') == ""
    assert "suport" in caplog.text


def test_no_context_adds_nothing_to_the_page():
    make_webchat()
    assert "?" not in re.search(r'\bsrc="([^"]+/panel/[^"]*)"', render("{% webchat %}"))[1]


@pytest.mark.parametrize("source", ['{% webchat mode="popup" %}', '{% webchat "support" colour="red" %}'])
def test_a_mistake_in_the_tag_is_said(source):
    make_webchat()
    with pytest.raises(TemplateSyntaxError):
        render(source)


# --- The hook --------------------------------------------------------------------------------------------------------


def only_customers(*, webchat, user, answers):
    if answers["email"].endswith("@spam.example"):
        raise ValidationError("We do not answer this address.")
    if answers["name"] == "José Müller":
        return {"loyalty": "gold", "webchat": webchat.slug, "signed_in": user is not None}
    return None


@pytest.fixture
def hook(settings):
    settings.WEBCHAT_BEFORE_START = "tests.forms.test_integration.only_customers"


def test_the_sites_own_rule_refuses_before_anything_is_opened(sandbox, hook):
    make_webchat()
    response = VisitorClient().start({**ANSWERS, "email": "a@spam.example"})
    assert response.status_code == 400
    assert response.json()["detail"] == "We do not answer this address."
    assert not ChatSession.objects.exists()
    assert not [call for call in sandbox.log() if call["method"] == "POST"]


def test_the_sites_own_data_reaches_the_agent_beside_the_pages(sandbox, hook):
    make_webchat()
    visitor = VisitorClient()
    signed = context_of(render("{% webchat context=order %}", visitor=visitor, order={"order": "A-17"}))
    visitor.start({**ANSWERS, "context": signed})
    assert ChatSession.objects.get().answers["context"] == {
        "order": "A-17",
        "loyalty": "gold",
        "webchat": "support",
        "signed_in": False,
    }


def test_the_hook_is_checked_before_it_is_needed(settings):
    from django.core.checks import run_checks

    settings.WEBCHAT_BEFORE_START = "tests.forms.test_integration.no_such_function"
    assert [message.id for message in run_checks() if message.id.startswith("webchat.")] == ["webchat.E008"]

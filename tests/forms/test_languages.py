"""A visitor reads the form and the webchat's texts in the language of the page; Flex gets the same in each."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db.models import JSONField, Value
from django.utils import timezone
from django.utils.translation import override

from tests.support.factories import ANSWERS, Type, change, make_field, make_hours, make_webchat
from tests.support.visitor import VisitorClient
from webchat.forms.form import PreEngagementForm
from webchat.models import ChatSession, PreEngagementField, SpecialDay, Webchat

pytestmark = pytest.mark.django_db

WORDS = {
    "title": "Reden wir",
    "subtitle": "Werktags bis 18 Uhr",
    "intro": "Womit können wir helfen?",
    "submit_label": "Los",
    "launcher_label": "Fragen?",
    "waiting_text": "Gleich ist jemand da.",
    "waiting_longer_text": "Danke fürs Warten.",
    "waiting_long_text": "Es dauert heute.",
    "ended_text": "Das war es.",
}
ENGLISH = {name: f"Our {name}" for name in WORDS}


@pytest.fixture
def webchat(sandbox):
    webchat = make_webchat(**ENGLISH, translations={"de": WORDS})
    make_field(
        webchat,
        "topic",
        type=Type.SELECT,
        choices="bill | A bill\nparcel | A parcel",
        help_text="Choose well.",
        placeholder="One of these",
        translations={
            "de": {
                "label": "Thema",
                "help_text": "Bitte wählen.",
                "placeholder": "Eines davon",
                "choices": {"bill": "Eine Rechnung", "parcel": "Ein Paket"},
            }
        },
    )
    make_field(
        webchat,
        "ref",
        required=False,
        pattern="[A-Z]-\\d+",
        pattern_message="Like A-1.",
        translations={"de": {"label": "Zeichen", "pattern_message": "Wie A-1."}},
    )
    make_field(
        webchat,
        "terms",
        type=Type.CONSENT,
        label="I agree.",
        translations={"de": {"label": "Ich stimme zu."}},
    )
    return webchat


def read(visitor: VisitorClient, language: str, path: str = "/webchat/support/panel/") -> str:
    return visitor.client.get(path, headers={"Accept-Language": language}).content.decode()


def consent_in(html: str) -> str:
    return re.search(r'value="(text:\w+)"', html)[1]


IN_FORM = ["Thema", "Bitte wählen.", "Eines davon", "Eine Rechnung", "Zeichen", "Ich stimme zu."]


@pytest.mark.parametrize("path", ["/webchat/support/panel/", "/webchat/support/"])
def test_form_and_texts_are_those_of_the_pages_language(webchat, path):
    visitor = VisitorClient()
    german, english, french = (read(visitor, each, path) for each in ("de", "en", "fr"))
    elsewhere = {"launcher_label"} if path.endswith("/support/") else {"launcher_label", "title", "subtitle"}
    for text in [*IN_FORM, *(WORDS[name] for name in WORDS.keys() - elsewhere)]:
        assert text in german
        assert text not in english + french
    for text in ("Topic", "Choose well.", "One of these", "A bill", "I agree.", "Our intro", "Our waiting_text"):
        assert text not in german
        assert text in english
        assert text in french, "the site's language is the fallback"
    assert german.count('value="bill"') == english.count('value="bill"') == 1


def test_the_launcher_of_each_language_is_kept_apart(webchat, django_assert_num_queries):
    client = VisitorClient().client
    for language, words in (("de", WORDS), ("fr", ENGLISH), ("de", WORDS), ("en", ENGLISH)):
        html = client.get("/", headers={"Accept-Language": language}).content.decode()
        assert words["launcher_label"] in html
        assert f'aria-label="{words["title"]}"' in html
    with django_assert_num_queries(0):
        assert WORDS["title"] in client.get("/", headers={"Accept-Language": "de"}).content.decode()


def test_what_is_wrong_is_said_with_the_words_of_the_language(webchat):
    visitor = VisitorClient()
    headers = {"Accept-Language": "de"}
    wrong = {**ANSWERS, "topic": "bill", "terms": "on", "ref": "none"}
    assert visitor.start(wrong, **headers).json()["fields"] == {"ref": ["Wie A-1."]}
    page = visitor.client.post(
        "/webchat/support/",
        {**wrong, "csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key},
        headers=headers,
    )
    assert "Zeichen" in page.content.decode()
    assert "Wie A-1." in page.content.decode()


def test_flex_gets_the_same_in_each_language(webchat, sandbox):
    told = []
    for language in ("en", "de", "ar"):
        visitor = VisitorClient()
        read(visitor, language)
        answer = visitor.start(
            {**ANSWERS, "topic": "parcel", "ref": "A-7", "terms": "on"}, **{"Accept-Language": language}
        )
        assert answer.status_code == 201
        sent = ChatSession.objects.get(pk=answer.json()["session_id"]).answers
        assert sent.pop("locale") == language
        told.append(sent)
    assert told[0]["topic"] == "parcel"
    assert told[0] == told[1] == told[2]


def test_a_form_that_was_opened_in_another_language_is_taken(webchat):
    """The visitor chose another language in another tab meanwhile. The consent is to the text that was read."""
    visitor = VisitorClient()
    german = read(visitor, "de")
    visitor.key = re.search(r'name="idempotency_key" value="([^"]+)"', german)[1]
    answers = {**ANSWERS, "topic": "bill", "terms": consent_in(german)}
    answer = visitor.start(answers, as_json=False, **{"Accept-Language": "fr"})
    assert answer.status_code == 201
    [consent] = ChatSession.objects.get().consents
    assert consent["text"] == "Ich stimme zu."


def test_a_consent_that_was_reworded_in_the_language_that_was_read_is_asked_for_again(webchat):
    visitor = VisitorClient()
    german, english = consent_in(read(visitor, "de")), consent_in(read(visitor, "en"))
    assert german != english
    change(webchat.fields.get(name="terms"), translations={"de": {"label": "Ich stimme allem zu."}})
    visitor = VisitorClient()
    answers = {**ANSWERS, "topic": "bill"}
    refused = visitor.start({**answers, "terms": german}, as_json=False)
    assert list(refused.json()["fields"]) == ["terms"]
    assert visitor.start({**answers, "terms": english}, as_json=False).status_code == 201


def test_texts_without_a_chat_are_translated_too(webchat):
    change(
        webchat,
        hours=make_hours(),
        closed_text="Closed, sorry.",
        translations={"de": {"closed_text": "Leider geschlossen.", "unavailable_text": "Rufen Sie an."}},
    )
    today = timezone.now().date()
    SpecialDay.objects.create(
        hours=webchat.hours,
        first=today - timedelta(days=1),
        last=today + timedelta(days=1),
        note="Stocktaking",
        translations={"de": {"note": "Inventur"}},
    )
    visitor = VisitorClient()
    german, french = read(visitor, "de"), read(visitor, "fr")
    assert "Leider geschlossen." in german
    assert "Inventur" in german
    assert "Closed, sorry." in french
    assert "Stocktaking" in french
    refused = visitor.start(ANSWERS, key="0123456789", **{"Accept-Language": "de"}).json()
    assert refused["detail"].startswith("Leider geschlossen. Inventur")
    change(webchat, hours=None, api="none")
    assert "Rufen Sie an." in read(visitor, "de")


def test_the_question_of_a_rating_is_translated(webchat):
    change(webchat, ask_rating=True, translations={"de": {"rating_question": "Wie war es?"}})
    visitor = VisitorClient()
    answers = {**ANSWERS, "topic": "bill", "terms": "on"}
    visitor.end(visitor.start(answers).json()["session_id"])
    session = change(ChatSession.objects.get(), answered=True)
    page = f"/webchat/support/rating/{session.pk}/"
    assert "Wie war es?" in read(visitor, "de", page)
    assert "How was this chat?" in read(visitor, "en", page)


def test_a_message_that_was_opened_in_another_language_is_taken(webchat):
    change(webchat, hours=make_hours(), when_closed="message")
    visitor = VisitorClient()
    german = read(visitor, "de")
    visitor.key = re.search(r'name="idempotency_key" value="([^"]+)"', german)[1]
    answers = {**ANSWERS, "topic": "bill", "terms": consent_in(german)}
    assert visitor.leave(answers, as_json=False, **{"Accept-Language": "fr"}).status_code == 201


def test_the_labels_of_what_the_account_answers_are_translated(webchat, django_user_model):
    change(
        webchat.fields.get(name="email"), match="account", user_lookup="email", translations={"de": {"label": "Post"}}
    )
    user = django_user_model.objects.create_user("ada", "ada@example.com")
    with override("de"):
        form = PreEngagementForm(webchat, user=user)
        assert [(row["label"], row["value"]) for row in form.account_rows] == [("Post", "ada@example.com")]


def test_a_right_to_left_page_shows_a_fallback_in_its_own_direction(webchat):
    html = read(VisitorClient(), "ar", "/webchat/support/")
    assert 'dir="rtl"' in html
    assert "<bdi>Our intro</bdi>" in html
    assert "<bdi>Topic</bdi>" in html


@pytest.mark.parametrize(
    "stored",
    [
        *[None, [], 3, "Thema", {"de": None}, {"de": ["Thema"]}],
        *[{"de": {"label": 5, "title": {}}}, {"de": {"choices": ["Rechnung"]}}, {"de": {"choices": {"bill": 5}}}],
    ],
    ids=str,
)
def test_what_is_stored_in_another_shape_costs_visitors_nothing(webchat, client, stored):
    """As a fixture or SQL may have written it."""
    for model in (Webchat, PreEngagementField):
        model.objects.update(translations=Value(stored, JSONField()))
    page = client.get(f"/webchat/{webchat.slug}/", headers={"accept-language": "de"})
    assert page.status_code == 200
    html = page.content.decode()
    assert "Our title" in html
    assert "A bill" in html


def test_what_can_be_read_beside_another_shape_is_read(webchat):
    given = {"fr": [], "de": {"label": "Thema", "help_text": 1, "choices": {"bill": "Rechnung", "parcel": None}}}
    webchat.fields.update(translations=given)
    row = webchat.fields.get(name="topic")
    assert row.translations == {"de": {"label": "Thema", "choices": {"bill": "Rechnung"}}}

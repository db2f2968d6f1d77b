"""Addresses in what staff write are links: in the introduction, labels, help and consents."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from tests.support.factories import ANSWERS, Type, change, make_field, make_webchat
from tests.support.visitor import VisitorClient
from webchat.forms.form import PreEngagementForm
from webchat.legacy.fields import pre_engagement_config
from webchat.links import Piece, pieces, spelled_out
from webchat.models import ChatSession

# As in messages: tests/js/timeline.test.mjs reads the same cases.
CASES = json.loads((Path(__file__).parents[1] / "support/links.json").read_text())
NOTICE = "https://www.example.com/privacy"
OPENS = "(opens in a new tab)"


@pytest.mark.parametrize("text", CASES)
def test_an_address_ends_before_what_belongs_to_the_sentence_and_no_character_is_lost(text):
    found = pieces(text)
    assert [piece.text for piece in found if piece.href] == CASES[text]
    assert "".join(piece.text for piece in found) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"the [notice]({NOTICE}).", [Piece("the "), Piece("notice", NOTICE), Piece(".")]),
        (f"[a b]({NOTICE})[c]({NOTICE})", [Piece("a b", NOTICE), Piece("c", NOTICE)]),
        ("[x](javascript:alert(1))", [Piece("[x](javascript:alert(1))")]),
        ("[x](//example.com/)", [Piece("[x](//example.com/)")]),
        ("[x] (https://a.b)", [Piece("[x] ("), Piece("https://a.b", "https://a.b"), Piece(")")]),
        ("www.example.org", [Piece("www.example.org", "https://www.example.org")]),
    ],
)
def test_words_can_stand_for_an_address(text, found):
    assert pieces(text) == found


def test_where_no_link_can_be_the_address_is_spelled_out():
    assert spelled_out(f"The [notice]({NOTICE}), or www.example.org") == f"The notice ({NOTICE}), or www.example.org"


def panel(**row):
    webchat = make_webchat(intro=f"Read {NOTICE} first.")
    make_field(webchat, "more", **{"label": "More", **row})
    return VisitorClient().open_panel()


def link(words):
    return f'<a href="{NOTICE}" target="_blank" rel="noopener noreferrer">{words}<span class="webchat-hidden"> {OPENS}</span></a>'


@pytest.mark.django_db
def test_the_introduction_and_the_help_have_links(sandbox):
    html = panel(help_text=f"As in the [notice]({NOTICE}).")
    assert f"<bdi>Read {link(NOTICE)} first.</bdi>" in html
    assert f"<bdi>As in the {link('notice')}.</bdi>" in html


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [Type.CONSENT, Type.TEXT])
def test_a_link_in_a_label_is_beside_its_click_area_and_a_part_of_its_name(sandbox, kind):
    html = panel(type=kind, label=f"I have read the [notice]({NOTICE}) & agree")
    target = "webchat-support-more"
    words = f'<label for="{target}">I have read the </label>{link("notice")}<label for="{target}"> &amp; agree</label>'
    assert f'id="{target}_label"><bdi>{words}</bdi>' in html
    assert f'aria-labelledby="{target}_label"' in html
    assert 'data-webchat-name="I have read the notice &amp; agree"' in html
    # A box stands before its text, any other field after it.
    box, text = html.index('name="more"'), html.index(f'id="{target}_label"')
    assert (box < text) is (kind == Type.CONSENT)
    for label in re.findall(r"<label.*?</label>", html, re.DOTALL):
        assert "<a " not in label


@pytest.mark.django_db
def test_a_consent_may_have_paragraphs_and_a_question_may_not(sandbox):
    webchat = make_webchat()
    text = "We keep what you write.\n\n" + "Word " * 700 + "end."
    consent = make_field(webchat, "consent", type=Type.CONSENT, label=text)
    assert 3500 < len(text) <= 4000
    visitor = VisitorClient()
    [value] = re.findall(r'name="consent" value="([^"]+)"', visitor.open_panel())
    data = {"csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key, **ANSWERS}
    refused = visitor.client.post("/webchat/support/", data)
    summary = re.search(r'<a href="#webchat-support-consent">(.*?)</a>', refused.content.decode(), re.DOTALL)
    assert summary
    assert len(summary[1]) < 200
    assert visitor.start({**ANSWERS, "consent": value}).status_code == 201
    assert ChatSession.objects.get().consents[0]["text"] == text
    for values in ({"label": "x" * 4001}, {"type": Type.TEXT}, {"type": Type.TEXT, "label": "x" * 501}):
        with pytest.raises(ValidationError) as wrong:
            make_field(webchat, "other", **{"type": Type.CONSENT, "label": text, **values})
        assert set(wrong.value.message_dict) == {"label"}
    assert len(str(consent)) == 80


@pytest.mark.django_db
def test_twilios_own_widget_knows_no_links(sandbox):
    webchat = make_webchat(intro=f"The [notice]({NOTICE})")
    change(webchat.fields.get(name="email"), label=f"Mail, see [notice]({NOTICE})")
    config = pre_engagement_config(PreEngagementForm(webchat, user=None))
    assert config["description"] == f"The notice ({NOTICE})"
    assert f"Mail, see notice ({NOTICE})" in [one["label"] for one in config["fields"]]

"""Texts in other languages in the admin: inputs for each, what is missing, and what two people write at once."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from urllib.parse import quote, urlencode

import pytest
from django.utils.translation import override

from config.admin import MOST_FORMS
from tests.admin.test_concurrent_edits import Staff
from tests.support.factories import Type, change, make_field, make_hours, make_user, make_webchat
from tests.support.page_form import form_of
from webchat.admin.sessions import answers_of
from webchat.api.parsers import FORM
from webchat.forms.form import PreEngagementForm
from webchat.models import ChatSession, PreEngagementField, SpecialDay, Webchat

pytestmark = pytest.mark.django_db


@pytest.fixture
def webchat():
    webchat = make_webchat(title="Talk to us")
    make_field(webchat, "topic", type=Type.SELECT, choices="bill | A bill\nparcel | A parcel")
    return webchat


@pytest.fixture
def ada(webchat):
    return Staff(webchat, "ada")


def translations(webchat, name):
    return webchat.fields.get(name=name).translated_texts


def test_each_text_is_written_in_each_language(webchat, ada):
    topic = ada.row("topic")
    ada.write("title__de", "Reden wir")
    ada.write(f"{topic}-label__ar", "الموضوع")
    ada.write(f"{topic}-choices__de", "bill | Rechnung\r\nparcel | Paket")
    assert ada.save()
    webchat.refresh_from_db()
    assert webchat.translated_texts == {"de": {"title": "Reden wir"}}
    expected = {"ar": {"label": "الموضوع"}, "de": {"choices": {"bill": "Rechnung", "parcel": "Paket"}}}
    assert translations(webchat, "topic") == expected
    again = Staff(webchat, "ben")
    assert again.form["title__de"] == ["Reden wir"]
    assert again.form[f"{topic}-choices__de"] == ["bill | Rechnung\nparcel | Paket"]
    again.write("title__de", "")
    assert again.save()
    webchat.refresh_from_db()
    assert webchat.translated_texts == {}
    assert translations(webchat, "topic") == expected


def test_inputs_have_the_language_and_its_direction(webchat, ada):
    inputs = dict(re.findall(r'<(?:input|textarea)[^>]*name="(title__\w+)"([^>]*)>', ada.html))
    assert inputs.keys() == {"title__ar", "title__de", "title__es", "title__fr"}
    assert 'dir="rtl"' in inputs["title__ar"]
    assert 'lang="ar"' in inputs["title__ar"]
    assert 'dir="ltr"' in inputs["title__de"]
    assert 'placeholder="Talk to us"' in inputs["title__de"], "what visitors read without it"
    assert 'maxlength="60"' in re.search(r'<input[^>]*name="title__de"[^>]*>', ada.html)[0]
    submit = re.search(r'<input[^>]*name="submit_label__de"[^>]*>', ada.html)[0]
    assert 'placeholder="Chat starten"' in submit, "it comes translated"
    assert "Title (Deutsch)" in ada.html


def missing_of(html):
    """By language, as the list above the form says it."""
    found = re.search(r'<nav class="webchat-language-list".*?</nav>', html, re.DOTALL)[0]
    links = re.findall(r'data-language="(\w+)"(.*?)</a>', found, re.DOTALL)
    return {code: int(re.search(r"(\d+) missing", text)[1]) if "missing" in text else 0 for code, text in links}


def test_what_is_missing_is_counted_by_language(webchat):
    """The title, four labels and the choices; what is as it came is translated with the page."""
    change(webchat, translations={"de": {"title": "Reden wir"}})
    change(webchat.fields.get(name="topic"), translations={"de": {"label": "Thema"}, "ar": {"label": "الموضوع"}})
    assert missing_of(Staff(webchat, "ada").html) == {"de": 4, "fr": 6, "es": 6, "ar": 5}
    change(webchat, title="Chat with us")
    assert missing_of(Staff(webchat, "ben").html) == {"de": 4, "fr": 5, "es": 5, "ar": 4}


def test_a_language_opens_by_the_address_alone(webchat, admin_client):
    """Without JavaScript the list of languages loads the page again."""
    page = f"/admin/webchat/webchat/{webchat.pk}/change/"
    is_open = re.compile(r'<details class="webchat-language" data-language="de"[^>]* open>')
    assert not is_open.search(admin_client.get(page).content.decode())
    html = admin_client.get(f"{page}?language=de").content.decode()
    assert len(is_open.findall(html)) == len(re.findall(r'<details class="webchat-language" data-language="de"', html))
    assert 'data-language="de" aria-current="true"' in html
    assert admin_client.get(f"{page}?language=xx").status_code == 200


def test_whoever_saves_and_goes_on_writes_in_the_same_language(webchat, ada):
    ada.form["_continue"] = ["1"]
    saved = ada.client.post(f"{ada.url}?language=de", ada.form)
    assert saved["Location"] == f"{ada.url}?language=de"


REFUSED = {
    "too long": ("title__de", "x" * 61, "at most 60 characters"),
    "a choice that is none": ("topic-choices__de", "letter | Brief", "“letter” is the value of no choice"),
    "a choice without words": ("topic-choices__fr", "bill", "“bill” has no words"),
    "two lines": ("topic-label__es", "a\nb", "line break"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_not_be_read_is_refused_at_its_input(webchat, ada, case):
    name, value, words = REFUSED[case]
    name = name.replace("topic-", f"{ada.row('topic')}-")
    ada.write(name, value)
    ada.write("intro", "Ada's introduction")
    assert not ada.save()
    [found] = re.findall(
        rf'<div class="webchat-translation errors" data-text="\w+">(.*?)name="{name}"', ada.html, re.DOTALL
    )
    assert words in found.rpartition("<div")[2]
    language = name[-2:]
    assert re.search(rf'data-language="{language}"[^>]* open>', ada.html)
    assert ada.form["intro"] == ["Ada's introduction"]
    webchat.refresh_from_db()
    assert webchat.translated_texts == {}
    assert translations(webchat, "topic") == {}
    assert 'class="has-errors"' in ada.html


def test_a_choice_that_is_removed_takes_its_words_along(webchat):
    words = {"bill": "Rechnung", "parcel": "Paket"}
    change(webchat.fields.get(name="topic"), translations={"de": {"choices": words}, "fr": {"label": "Sujet"}})
    ada = Staff(webchat, "ada")
    ada.write(f"{ada.row('topic')}-choices", "parcel | A parcel")
    assert ada.save()
    assert translations(webchat, "topic") == {"de": {"choices": {"parcel": "Paket"}}, "fr": {"label": "Sujet"}}


def test_a_language_that_the_site_no_longer_has_is_kept(webchat, settings):
    change(webchat, translations={"fr": {"title": "Parlons"}})
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    ada = Staff(webchat, "ada")
    assert "title__fr" not in ada.form
    ada.write("title__de", "Reden wir")
    assert ada.save()
    webchat.refresh_from_db()
    assert webchat.translated_texts == {"fr": {"title": "Parlons"}, "de": {"title": "Reden wir"}}


def test_two_people_write_two_languages_and_both_stay(webchat, ada):
    ben = Staff(webchat, "ben")
    topic = ada.row("topic")
    ada.write("title__de", "Reden wir")
    ada.write(f"{topic}-label__de", "Thema")
    assert ada.save()
    ben.write("title__fr", "Parlons")
    ben.write(f"{topic}-label__fr", "Sujet")
    ben.write("title__de", "Sprechen wir")
    assert not ben.save()
    _who, *what, _last = ben.said
    assert sorted(what) == [
        "“Title (Deutsch)” was saved as: Reden wir. You have changed it too, and yours stands below.",
        "“Topic: Label (Deutsch)” is now: Thema",
    ]
    assert ben.save()
    webchat.refresh_from_db()
    assert webchat.translated_texts == {"de": {"title": "Sprechen wir"}, "fr": {"title": "Parlons"}}
    assert translations(webchat, "topic") == {"de": {"label": "Thema"}, "fr": {"label": "Sujet"}}


def test_a_new_webchat_begins_with_fields_in_all_languages(sandbox, admin_client):
    page = admin_client.get("/admin/webchat/webchat/add/").content.decode()
    form = form_of(page)
    assert form["fields-0-label__de"] == ["Ihr Name"]
    form |= {"name": ["New"], "slug": ["new"], "chat_service_sid": ["IS" + "0" * 32], "address_sid": ["IG" + "0" * 32]}
    assert admin_client.post("/admin/webchat/webchat/add/", form).status_code == 302
    made = Webchat.objects.get(slug="new")
    assert next(row.translations["ar"]["label"] for row in made.fields.all()) == "اسمك"
    assert missing_of(admin_client.get(f"/admin/webchat/webchat/{made.pk}/change/").content.decode()) == {
        "de": 0, "fr": 0, "es": 0, "ar": 0
    }  # fmt: skip


def test_the_note_of_a_special_day_is_translated_below_it(admin_client):
    plan = make_hours()
    SpecialDay.objects.create(hours=plan, first=date(2030, 1, 2), last=date(2030, 1, 2), note="Stocktaking")
    ada, ben = Staff(plan, "ada"), Staff(plan, "ben")
    ada.write("special_days-0-note__de", "Inventur")
    assert ada.save()
    ben.write("special_days-0-note__fr", "Inventaire")
    assert not ben.save()
    assert any("Note for visitors (Deutsch)” is now: Inventur" in text for text in ben.said)
    assert ben.save()
    day = plan.special_days.get()
    assert day.translated_texts == {"de": {"note": "Inventur"}, "fr": {"note": "Inventaire"}}
    with override("fr"):
        assert day.texts["note"] == "Inventaire"


def test_whoever_may_only_look_sees_them(webchat, client):
    change(webchat, translations={"de": {"title": "Reden wir"}})
    change(webchat.fields.get(name="topic"), translations={"de": {"choices": {"bill": "Rechnung"}}})
    user = make_user("zoe", is_staff=True)
    user.user_permissions.set(
        user.user_permissions.model.objects.filter(codename__in=["view_webchat", "view_preengagementfield"])
    )
    client.force_login(user)
    html = client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()
    assert "Reden wir" in html
    assert "bill | Rechnung" in html
    assert "title__de" not in html


def test_staff_read_labels_in_their_language(webchat, admin_client):
    """In the list of answers; what agents get is in the site's."""
    change(webchat.fields.get(name="topic"), translations={"de": {"label": "Thema"}})
    session = ChatSession(webchat=webchat, answers={"topic": "bill"})
    with override("de"):
        assert answers_of(session)[0]["label"] == "Thema"
    assert answers_of(session)[0]["label"] == "Topic"


def test_long_consents_in_five_languages_can_be_saved(webchat, settings):
    words = "أوافق على ذلك. " * 260
    for number in range(3):
        make_field(webchat, f"consent_{number}", type=Type.CONSENT, label=words.strip())
    ada = Staff(webchat, "ada")
    for number in range(3):
        for language in ("de", "fr", "es", "ar"):
            ada.write(f"{ada.row(f'consent_{number}')}-label__{language}", words)
    assert len(urlencode(ada.form, doseq=True)) > settings.PAGE_BODY_MAX_BYTES
    assert ada.save()
    assert translations(webchat, "consent_2")["ar"]["label"] == words.strip()


def test_the_admin_takes_the_largest_form_that_a_webchat_can_have(settings):
    """All texts as long as their columns take, in each language, of letters that are nine bytes in a form: %E4%BD%A0."""
    texts = [*PreEngagementField.TEXTS, "choices"]
    # A consent is as long as a list of choices, and has none.
    lengths = [PreEngagementField._meta.get_field(name).max_length for name in texts if name != "label"]
    largest = MOST_FORMS * sum(lengths) * len(settings.LANGUAGES) * len(quote("你"))
    assert largest < settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_what_is_larger_is_refused_with_what_to_do(webchat, ada, client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 300_000
    ada.write("intro", "x" * 310_000)
    refused = ada.client.post(ada.url, urlencode(ada.form, doseq=True), content_type=FORM)
    assert refused.status_code == 413
    assert "Go back in your browser" in refused.content.decode()
    assert "signed out" not in refused.content.decode()
    ada.write("intro", "x" * 270_000)
    assert "at most" in ada.client.post(ada.url, ada.form).content.decode(), "read, and refused at its input"
    guest = client.post(ada.url, "x" * 270_000, content_type=FORM)
    assert guest.status_code == 413, "only staff may send so much"
    assert "sign in in another tab" in guest.content.decode()


def test_a_text_that_is_empty_has_no_inputs_until_it_is_written(webchat, ada):
    topic = ada.row("topic")
    assert f"{topic}-label__de" in ada.form
    assert f"{topic}-help_text__de" not in ada.form
    assert "An empty text has no translations" in ada.html
    ada.write(f"{topic}-help_text", "What is it about?")
    assert ada.save()
    assert f"{topic}-help_text__de" in Staff(webchat, "ben").form
    new = "fields-__prefix__"
    assert f"{new}-help_text__de" in ada.form, "a new row is not written yet"


def test_the_translation_of_a_text_that_is_emptied_can_be_taken_away(webchat):
    change(webchat.fields.get(name="topic"), translations={"de": {"help_text": "Worum geht es?"}})
    ada = Staff(webchat, "ada")
    assert ada.form[f"{ada.row('topic')}-help_text__de"] == ["Worum geht es?"]
    ada.write(f"{ada.row('topic')}-help_text__de", "")
    assert ada.save()
    assert translations(webchat, "topic") == {}


def test_a_text_and_its_translation_that_another_adds_meanwhile_stay(webchat, ada):
    """Ada's page had no input for the translation of an empty text."""
    ben = Staff(webchat, "ben")
    ben.write(f"{ben.row('topic')}-help_text", "What is it about?")
    assert ben.save()
    again = Staff(webchat, "cyd")
    again.write(f"{again.row('topic')}-help_text__de", "Worum geht es?")
    assert again.save()
    ada.write("title__de", "Reden wir")
    assert not ada.save()
    assert "“Topic: Help” is now: What is it about?" in unescape(ada.html)
    assert ada.form[f"{ada.row('topic')}-help_text__de"] == ["Worum geht es?"]
    assert ada.save()
    assert translations(webchat, "topic") == {"de": {"help_text": "Worum geht es?"}}
    webchat.refresh_from_db()
    assert webchat.translated_texts == {"de": {"title": "Reden wir"}}


@pytest.mark.parametrize("length", ["abc", "9" * 5_000])
@pytest.mark.parametrize("path", ["/admin/login/", "/accounts/login/", "/language/"])
def test_a_length_that_is_no_number_is_refused(client, path, length):
    """A server may pass it on."""
    assert client.post(path, {}, CONTENT_LENGTH=length).status_code == 400


OUTDATED = "The text has changed since it was translated"


def outdated_of(html):
    """By language, as the list above the form counts them."""
    found = re.search(r'<nav class="webchat-language-list".*?</nav>', html, re.DOTALL)[0]
    return {
        code: int(count) for code, count in re.findall(r'data-language="(\w+)"(?:(?!</a>).)*?(\d+) out of date', found)
    }


def test_a_text_that_changes_after_it_was_translated_is_marked(webchat, ada):
    topic = ada.row("topic")
    ada.write("title__de", "Reden wir")
    ada.write(f"{topic}-label__fr", "Sujet")
    assert ada.save()
    assert OUTDATED not in Staff(webchat, "ben").html
    ben = Staff(webchat, "cyd")
    ben.write("title", "Ask us")
    ben.write(f"{topic}-label", "Subject")
    assert ben.save()
    again = Staff(webchat, "dan")
    assert outdated_of(again.html) == {"de": 1, "fr": 1}
    assert again.html.count(OUTDATED) == 2
    [marked] = re.findall(rf'data-text="title">((?:(?!data-text).)*){OUTDATED}', again.html, re.DOTALL)
    assert 'for="id_title__de"' in marked
    again.write("title__de", "Fragen Sie uns")
    again.form[f"{topic}-label__fr__fits"] = ["on"]
    assert again.save()
    assert OUTDATED not in Staff(webchat, "eve").html
    assert translations(webchat, "topic")["fr"]["label"] == "Sujet", "it still fits"
    webchat.refresh_from_db()
    assert webchat.translated_texts == {"de": {"title": "Fragen Sie uns"}}


def test_a_translation_of_before_is_of_the_text_that_stood_there(webchat):
    """Versions that remembered no text wrote it."""
    change(webchat, translations={"de": {"title": "Reden wir"}})
    ada = Staff(webchat, "ada")
    assert OUTDATED not in ada.html
    ada.write("title", "Ask us")
    assert ada.save()
    ben = Staff(webchat, "ben")
    assert outdated_of(ben.html) == {"de": 1}
    ben.write("title", "  Talk to  us ")
    assert ben.save()
    assert OUTDATED not in Staff(webchat, "cyd").html, "the text is the old one again"


def test_of_choices_the_words_of_one_that_changed_are_marked(webchat):
    ada = Staff(webchat, "ada")
    topic = ada.row("topic")
    ada.write(f"{topic}-choices__de", "bill | Rechnung\nparcel | Paket")
    assert ada.save()
    for choices, count in {
        "parcel | A parcel\nbill | A bill": {},
        "parcel | A parcel": {},
        "parcel | A letter or a parcel": {"de": 1},
    }.items():
        each = Staff(webchat, f"staff{len(choices)}")
        each.write(f"{topic}-choices", choices)
        assert each.save()
        assert outdated_of(Staff(webchat, f"reader{len(choices)}").html) == count


def test_a_new_webchats_first_field_with_another_label_is_marked(sandbox, admin_client):
    form = form_of(admin_client.get("/admin/webchat/webchat/add/").content.decode())
    form |= {"name": ["New"], "slug": ["new"], "chat_service_sid": ["IS" + "0" * 32], "address_sid": ["IG" + "0" * 32]}
    form["fields-0-label"] = ["Company"]
    assert admin_client.post("/admin/webchat/webchat/add/", form).status_code == 302
    made = Webchat.objects.get(slug="new")
    html = admin_client.get(f"/admin/webchat/webchat/{made.pk}/change/").content.decode()
    assert outdated_of(html) == {"de": 1, "fr": 1, "es": 1, "ar": 1}


def test_whoever_may_only_look_reads_that_a_text_has_changed(webchat, client):
    change(webchat, translations={"de": {"title": "Reden wir", "made_from": {"title": "of another"}}})
    user = make_user("zoe", is_staff=True)
    user.user_permissions.set(user.user_permissions.model.objects.filter(codename="view_webchat"))
    client.force_login(user)
    assert OUTDATED in client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()


def test_visitors_forms_do_not_change_with_what_staff_confirm(webchat):
    """Else an open form would be asked for anew."""
    row = webchat.fields.get(name="topic")
    shapes = set()
    for made_from in ({}, {"made_from": {"label": "one"}}, {"made_from": {"label": "another"}}):
        change(row, translations={"de": {"label": "Thema", **made_from}})
        shapes.add(PreEngagementForm(Webchat.objects.get(), user=None).shape)
    assert len(shapes) == 1

"""Texts of a row in the languages of the site: which one is read, and what may stand there."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.utils.translation import override

from tests.support.factories import Type
from webchat.chats.setup import first_fields
from webchat.models import PreEngagementField, SpecialDay, Webchat

CHOICES = "bill | A bill\nparcel | A parcel"


def label_in(row: PreEngagementField, language: str | None) -> str:
    with override(language):
        return row.texts["label"]


def test_a_text_is_read_in_the_active_language_else_in_the_sites():
    row = PreEngagementField(label="Topic", translations={"de": {"label": "Thema"}, "fr": {"help_text": "Aide"}})
    assert {each: label_in(row, each) for each in ("en", "de", "fr", "ar")} == {
        "en": "Topic", "de": "Thema", "fr": "Topic", "ar": "Topic"
    }  # fmt: skip
    assert label_in(row, None) == "Topic"


def test_a_variant_of_a_language_reads_that_language(settings):
    row = PreEngagementField(label="Topic", translations={"de": {"label": "Thema"}, "en-gb": {"label": "Subject"}})
    assert label_in(row, "de-ch") == "Thema"
    assert label_in(row, "en-gb") == "Subject"
    settings.LANGUAGE_CODE = "de"
    assert label_in(row, "de-ch") == "Topic", "the columns are in the site's language"


def test_a_text_that_nobody_edited_is_translated_with_the_page():
    webchat = Webchat(translations={"fr": {"title": "Parlons"}})
    with override("de"):
        assert webchat.texts["title"] == "Chatten Sie mit uns"
    with override("fr"):
        assert webchat.texts["title"] == "Parlons"
    webchat.title = "Talk to us"
    with override("de"):
        assert webchat.texts["title"] == "Talk to us"


def test_a_text_that_is_empty_in_the_sites_language_is_empty_in_all():
    webchat = Webchat(intro="", translations={"de": {"intro": "Hallo"}})
    with override("de"):
        assert webchat.texts["intro"] == ""
    assert webchat.missing_texts("fr") == []


def test_choices_keep_their_values_and_each_has_its_words():
    row = PreEngagementField(type=Type.SELECT, choices=CHOICES, translations={"de": {"choices": {"bill": "Rechnung"}}})
    with override("de"):
        assert row.choices_to_show() == [("bill", "Rechnung"), ("parcel", "A parcel")]
    assert row.choice_pairs() == [("bill", "A bill"), ("parcel", "A parcel")]


def test_what_is_missing_are_texts_that_staff_wrote_and_that_have_an_effect():
    webchat = Webchat(title="Talk to us", intro="", translations={"de": {"title": "Reden wir"}})
    assert webchat.missing_texts("de") == []
    assert webchat.missing_texts("fr") == ["title"]
    row = PreEngagementField(type=Type.RADIO, label="Topic", placeholder="Unused", choices=CHOICES)
    assert row.missing_texts("de") == ["label", "choices"]
    row.translations = {"de": {"label": "Thema", "choices": {"bill": "Rechnung"}}}
    assert row.missing_texts("de") == ["choices"], "one of them is"
    row.translations["de"]["choices"]["parcel"] = "Paket"
    assert row.missing_texts("de") == []
    assert PreEngagementField(type=Type.HIDDEN, label="Campaign", initial="spring").missing_texts("de") == []


REFUSED = {
    "no object": ([], "are an object"),
    "the site's language": ({"en": {"label": "Topic"}}, "“en” is none of the languages"),
    "an unknown language": ({"xx": {"label": "Topic"}}, "“xx” is none of the languages"),
    "a text alone": ({"de": "Thema"}, "no object of texts"),
    "no text of visitors": ({"de": {"name": "thema"}}, "de, name: There is no text of this name."),
    "a number": ({"de": {"label": 1}}, "de, label: It is no text."),
    "two lines in a label": ({"de": {"label": "Das\nThema"}}, "de, label: Character 4 is a line break"),
    "NUL": ({"de": {"help_text": "\0"}}, "cannot be shown"),
    "a text longer than the column": ({"ar": {"placeholder": "x" * 81}}, "ar, placeholder: Ensure"),
    "a label longer than a question": ({"de": {"label": "x" * 501}}, "de, label: Ensure"),
    "no words of choices": ({"de": {"choices": ["Rechnung"]}}, "are an object like"),
    "words that are none": ({"de": {"choices": {"bill": 1}}}, "are an object like"),
    "words of no choice": ({"de": {"choices": {"letter": "Brief"}}}, "“letter” is the value of no choice"),
    "two lines in a choice": ({"de": {"choices": {"bill": "Rech\nnung"}}}, "line break"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_not_be_read_is_refused_in_words(case):
    translations, words = REFUSED[case]
    row = PreEngagementField(name="topic", label="Topic", type=Type.SELECT, choices=CHOICES, translations=translations)
    with pytest.raises(ValidationError) as refused:
        row.full_clean(exclude=["webchat"], validate_constraints=False)
    assert words in " ".join(refused.value.message_dict["translations"])


def test_all_that_is_wrong_is_said_at_once():
    row = PreEngagementField(label="Topic", translations={"xx": {}, "de": {"label": 1}, "fr": {"help_text": "a\nb"}})
    with pytest.raises(ValidationError) as refused:
        row.clean_fields(exclude=["webchat"])
    assert len(refused.value.message_dict["translations"]) == 3


def test_a_consent_may_have_paragraphs_in_each_language():
    PreEngagementField(
        name="terms",
        label="I agree.",
        type=Type.CONSENT,
        translations={"de": {"label": "Ich bin\n\neinverstanden." * 99}},
    ).clean_fields(exclude=["webchat"])


def test_a_note_of_a_special_day_has_one_line():
    day = SpecialDay(translations={"de": {"note": "Inventur\n"}})
    with pytest.raises(ValidationError, match="line break"):
        day.validate_translations(day.translations)


def test_first_fields_come_in_all_languages():
    for values in first_fields():
        row = PreEngagementField(**values)
        row.clean_fields(exclude=["webchat"])
        assert {language: row.missing_texts(language) for language in ("ar", "de", "es", "fr")} == {
            "ar": [], "de": [], "es": [], "fr": []
        }  # fmt: skip
        assert len({label_in(row, language) for language in ("en", "ar", "de", "es", "fr")}) == 5

"""Names of persons in many scripts, and what only looks like one."""

from __future__ import annotations

import unicodedata

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from webchat.names import validate_person_name, validate_text

REAL = [
    "José", "Müller", "Anne-Marie", "O’Brien", "O'Brien", "St. John", "山田太郎", "김민수", "李小龍", "Владимир Иванов",
    "Ελένη Παπαδοπούλου", "محمد الأحمد", "یاس\u200cمن", "דָּוִד כהן", "अमिताभ बच्चन", "சுந்தர் பிச்சை", "สมชาย ใจดี",
    "Nguyễn Văn Ánh", "Łukasz Żółć", "Þórdís Ævarsdóttir", "Gökçe Yıldız", "Tomáš Dvořák", "Ioan Țăran", "Sørensen",
    "გიორგი", "Արամ", "አበበ ቢቂላ", "John Smith 3rd", "María José Carreño Quiñones", "D’Angelo, Jr.", "ｱﾘｽ", "Jean‐Luc",
]  # fmt: skip
FALSE = [
    "", " ", "<b>Ada</b>", "{{7*7}}", "${x}", "Ada\x00", "Ada\nBcc: x", "\u202eadA", "\u2066Ada\u2069", "\u3164", "\u2800", "\u115f\u1160",
    "\U000e0041\U000e0042", "\ud800", "\ue000", "a" + "\u0301" * 9, "=1+1", "@ada", "12345", "---", "Ada\u2028B", "\ufeffAda", "\x1b[31mAda",
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_a_real_name_is_accepted_composed_or_not(name):
    validate_person_name(name)
    validate_person_name(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize("name", FALSE)
def test_what_an_agent_could_not_read_is_refused(name):
    with pytest.raises(ValidationError):
        validate_person_name(name)


@given(st.text(max_size=60))
def test_an_accepted_name_has_nothing_invisible_in_it(name):
    try:
        validate_person_name(name)
    except ValidationError:
        return
    assert not [c for c in name if unicodedata.category(c) in ("Cc", "Co", "Cs", "Cn", "Zl", "Zp")]
    assert not set(name) & set("<>{}\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u3164")


def test_free_text_keeps_what_people_type():
    validate_text("if (a < b) { return `x`; }\n\tпривет 👨‍👩‍👧 🏴\U000e0067\U000e0062\U000e007f = +1")


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[0m", "\u202eabc", "\ud800"])
def test_free_text_has_no_control_characters(text):
    with pytest.raises(ValidationError):
        validate_text(text)

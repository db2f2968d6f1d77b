"""Names of persons in many scripts, and what only looks like one."""

from __future__ import annotations

import unicodedata

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from webchat.fields.person_names import clean_person_name, validate_line, validate_person_name, validate_text

REAL = [
    # Latin, with every apostrophe that keyboards have
    "José", "Müller", "Anne-Marie", "O’Brien", "O'Brien", "O‘Brien", "OʼBrien", "O`Brien", "O´Brien", "O＇Brien", "St. John", "'t Hooft",
    "ʻOkina Kamehameha", "‘Abd al-Rahmān", "Nguyễn Văn Ánh", "Łukasz Żółć", "Þórdís Ævarsdóttir", "Gökçe Yıldız", "Tomáš Dvořák",
    "Ioan Țăran", "Sørensen", "María José Carreño Quiñones", "D’Angelo, Jr.", "John Smith 3rd", "Jean‐Luc", "Ọláyínká", "Montserrat Gal·la",
    # Other alphabets
    "Владимир Иванов", "Ελένη Παπαδοπούλου", "გიორგი", "Արամ Խաչատրյան", "አበበ ቢቂላ", "דָּוִד כהן", "צ׳רלי", "משה־דוד", "محمد الأحمد", "یاس\u200cمن",
    # The scripts of India and its neighbours, with the joiners that they are spelled with
    "अमिताभ बच्चन", "சுந்தர் பிச்சை", "മനോജ്\u200cകുമാർ", "രാജന്\u200d", "র\u200d্যান্ডি", "ශ්\u200dරී ලංකා", "ਗੁਰਪ੍ਰੀਤ", "ಕನ್ನಡ", "తెలుగు",
    "สมชาย ใจดี", "မြွှေး", "បុប្ផា", "བསྟན་འཛིན་", "ລາວ",
    # East Asia, with ideographs that are newer than Python, and one in a chosen shape
    "山田太郎", "山田　太郎", "김민수", "李小龍", "ｱﾘｽ", "ジョン・スミス", "𠮷野家", "\U000323b0田", "辻\U000e0100",
]  # fmt: skip
FALSE = [
    "", " ", "12345", "---", "Ⅷ",
    # Markup, templates, formulas
    "<b>Ada</b>", "{{7*7}}", "${x}", "[Ada](http://x)", "a\\b", "=1+1", "+Ada", "-Ada", "‐Ada", "@ada", "＝Ada", "Ada;x", "Ada & Co", "“Ada”",
    # Control characters, line breaks and directions
    "Ada\x00", "Ada\nBcc: x", "Ada\tB", "\x1b[31mAda", "Ada\x85", "Ada\u2028B", "\u202eadA", "Ada\u200f", "\u2066Ada\u2069", "Ada\u061c",
    # Nothing to see
    "\u3164", "\u2800", "\u115f\u1160", "\uffa0", "Ada\u3164", "Ada\u034f", "Ada\u17b5", "\ufeffAda", "Ada\u200b", "Ad\u00ada", "A\u2060da",
    # Joiners and variation selectors that no script needs there
    "Ad\u200cmin", "Mariam\u200dAli", "\u200cAda", "علی\u200c", "က\u200d\u200dက", "Ada\ufe0f", "Ada\U000e0100",
    # Tags, surrogates, private use, noncharacters, unassigned, symbols, stacks
    "\U000e0041\U000e0042", "\ud800", "\ue000", "\U000f0000", "Ada\ufffe", "Ada\U0001ffff", "\U0001fae8", "1\u20e3Ada", "\u0301Ada", "a" + "\u0301" * 9,
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_a_real_name_is_accepted_composed_or_not(name):
    validate_person_name(name)
    validate_person_name(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize("name", FALSE)
def test_what_an_agent_could_not_read_is_refused(name):
    with pytest.raises(ValidationError):
        validate_person_name(name)


ODD = st.sampled_from([character for name in [*REAL, *FALSE] for character in name])
LETTERS = st.characters(categories=["L", "M"], max_codepoint=0x1FFF)


@settings(max_examples=2_000, deadline=None)
@given(st.text(max_size=60) | st.lists(ODD | LETTERS, max_size=20).map("".join) | st.text(LETTERS, max_size=20))
def test_an_accepted_name_is_clean_and_shows_all_that_it_holds(name):
    cleaned = clean_person_name(name)
    assert clean_person_name(cleaned) == cleaned
    assert unicodedata.normalize("NFC", cleaned) == cleaned
    try:
        validate_person_name(name)
    except ValidationError:
        with pytest.raises(ValidationError):
            validate_person_name(cleaned)
        return
    validate_person_name(cleaned)
    assert any(unicodedata.category(c) == "Lo" or unicodedata.category(c)[0] in "LC" for c in cleaned)
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Co", "Cs", "Zl", "Zp", "Sm", "Sc", "So", "Me")]
    assert not [c for c in cleaned if unicodedata.category(c) == "Cn" and not 0x20000 <= ord(c) < 0x3FFFE]
    assert not [c for c in cleaned if unicodedata.category(c) == "Cf" and c not in "\u200c\u200d\u180e"]
    assert not set(cleaned) & set("<>{}[]$\\`=+@|\u3164\u2800\u115f\u1160\uffa0")
    assert cleaned[0] not in "-‐‑–.,\u200c\u200d"
    assert all(character == " " for character in cleaned if character.isspace())


@pytest.mark.parametrize(
    ("typed", "kept"), [("  Ada   Lovelace ", "Ada Lovelace"), ("山田　太郎", "山田 太郎"), ("O´Brien", "O'Brien")]
)
def test_a_name_is_tidied_before_an_agent_reads_it(typed, kept):
    assert clean_person_name(typed) == kept


def test_an_emoji_of_a_later_unicode_may_stand_in_text():
    validate_line("Hello \U0001fae8")  # of Unicode 15, when Python 3.11 knows 14
    validate_text("Ciao \U0001fadf\nשלום\u200f (א) 🏴\U000e0067\U000e007f")


@pytest.mark.parametrize("line", ["a\nb", "a\rb", "a\tb", "a\u2029b"])
def test_a_line_is_one_line(line):
    with pytest.raises(ValidationError):
        validate_line(line)


def test_free_text_keeps_what_people_type():
    validate_text("if (a < b) { return `x`; }\n\tпривет 👨‍👩‍👧 🏴\U000e0067\U000e0062\U000e007f = +1")


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[0m", "\u202eabc", "\ud800"])
def test_free_text_has_no_control_characters(text):
    with pytest.raises(ValidationError):
        validate_text(text)

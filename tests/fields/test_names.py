"""Names, lines and texts that people type and paste: what is kept, what is mended, what is refused."""

from __future__ import annotations

import unicodedata

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from webchat.fields.person_names import (
    clean_line,
    clean_person_name,
    clean_text,
    validate_line,
    validate_person_name,
    validate_text,
)
from webchat.models import PreEngagementField

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
    # What people write beside their names
    "Anna & Ben Müller", "Alex (they/them)", "Nuñez/García", '"Jane" Doe', "“Jane” Doe", "Jane Doe 😀", "Ada, Countess of Lovelace", "Ⅷ. Heinrich",
    "Zoë 👩\u200d💻", "X Æ A-12", "a" + "\u0301" * 9,
]  # fmt: skip
FALSE = [
    "", " ", "12345", "---", "😀", "?",
    # Markup, templates, formulas
    "<b>Ada</b>", "{{7*7}}", "${x}", "[Ada](http://x)", "a\\b", "=1+1", "+Ada", "-Ada", "‐Ada", "@ada", "＝Ada", "Ada | Bob",
    # Nothing to see
    "\u3164", "\u2800", "\u115f\u1160", "\uffa0", "\u200b", "\u202e", "\U000e0041\U000e0042", "\u200d \u200c",
    # Nothing that can be shown or stored
    "Ada\x00", "\ud800", "\ue000", "\U000f0000", "Ada\ufffe", "Ada\U0001ffff",
]  # fmt: skip
# As they come from contacts, documents and chats, and as an agent reads them.
MENDED = [
    ("  Ada   Lovelace ", "Ada Lovelace"), ("山田　太郎", "山田 太郎"), ("O´Brien", "O'Brien"), ("Ada\tLovelace", "Ada Lovelace"),
    ("Ada\nBcc: x", "Ada Bcc: x"), ("\x1b[31mAda"[:1] + "Ada", "Ada"), ("Ada\u2028B", "Ada B"), ("\u202eadA", "adA"), ("Ada\u200f", "Ada"),
    ("\u2066Ada\u2069", "Ada"), ("Ada\u061c", "Ada"), ("\ufeffAda", "Ada"), ("Ada\u200b", "Ada"), ("Ad\u00ada", "Ada"), ("A\u2060da", "Ada"),
    ("Ada\u3164", "Ada"), ("\u200b\u200cAda", "Ada"), ("e\u200b\u0301", "é"), ("Ada\x85", "Ada"),
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_a_real_name_is_accepted_composed_or_not(name):
    for form in ("NFC", "NFD"):
        cleaned = clean_person_name(unicodedata.normalize(form, name))
        validate_person_name(cleaned)
        # Nothing is lost but the shape of apostrophes and spaces.
        assert len(cleaned) == len(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize("name", FALSE)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValidationError):
        validate_person_name(clean_person_name(name))


@pytest.mark.parametrize(("typed", "kept"), MENDED)
def test_a_name_is_mended_before_an_agent_reads_it(typed, kept):
    assert clean_person_name(typed) == kept
    validate_person_name(kept)


ODD = st.sampled_from(
    [character for name in [*REAL, *FALSE, *(typed for typed, _kept in MENDED)] for character in name]
)
LETTERS = st.characters(categories=["L", "M"], max_codepoint=0x1FFF)


@settings(deadline=None)
@given(st.text(max_size=60) | st.lists(ODD | LETTERS, max_size=20).map("".join) | st.text(LETTERS, max_size=20))
def test_an_accepted_name_is_clean_and_shows_all_that_it_holds(name):
    cleaned = clean_person_name(name)
    assert clean_person_name(cleaned) == cleaned
    assert unicodedata.normalize("NFC", cleaned) == cleaned
    try:
        validate_person_name(cleaned)
    except ValidationError:
        return
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Co", "Cs", "Zl", "Zp")]
    assert not set(cleaned) & set("<>{}[]$\\=|\u3164\u2800\u115f\u1160\uffa0\u200b\u200e\u202e\u2066\u00ad")
    assert cleaned[0] not in "-+@‐‑–\u200c\u200d\ufe0f"
    assert all(character == " " for character in cleaned if character.isspace())


# --- Lines and texts -------------------------------------------------------------------------------------------------


def test_an_emoji_of_a_later_unicode_may_stand_in_text():
    validate_line("Hello \U0001fae8")  # of Unicode 15, when Python 3.11 knows 14
    validate_text("Ciao \U0001fadf\nשלום\u200f (א) 🏴\U000e0067\U000e007f")


@pytest.mark.parametrize(
    "text",
    ["if (a < b) { return `x`; }\n\tпривет 👨‍👩‍👧 🏴\U000e0067\U000e0062\U000e007f = +1", "שלום\u200f (א)", "یاس\u200cمن", "soft\u00adly"],
)  # fmt: skip
def test_free_text_keeps_what_people_type(text):
    validate_text(text)
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        ("a\r\nb\rc", "a\nb\nc"),  # Windows, and a Mac of old
        ("a\x0bb\x0cc", "a\nb\nc"),  # PowerPoint, a page break
        ("a\u2028b\u2029c\x85d", "a\nb\nc\nd"),
        ("\uf0b7 one\n\uf0a7\ttwo\n\uf0fc three", "• one\n•\ttwo\n• three"),  # Word's bullets
        ("\u202aSKU 12\u202c and \u202eabc", "SKU 12 and abc"),
        ("\ufeffa\x1b[0mb\x07\x9f", "a[0mb"),
        ("a\ufffcb", "a\ufffcb"),  # an object that stood there
        ("\u200b \u2060", ""),
    ],
)
def test_what_documents_leave_in_a_text_is_mended(pasted, kept):
    assert clean_text(pasted) == kept
    validate_text(kept)


def test_a_line_is_one_line():
    assert clean_line(" a\nb\tc\u2029d\r\n") == "a b c d"
    for line in ("a\nb", "a\rb", "a\tb", "a\u2029b"):
        with pytest.raises(ValidationError, match="Character 2 is a line break or a tab"):
            validate_line(line)


@pytest.mark.parametrize(("text", "place"), [("abc\ue000", r"4 \(U\+E000\)"), ("\ud800", r"1 \(U\+D800\)"), ("a\x00b", r"2 \(U\+0000\)"), ("ab\uffff", r"3 \(U\+FFFF\)")])  # fmt: skip
def test_what_is_refused_is_named_with_its_place(text, place):
    with pytest.raises(ValidationError, match=f"Character {place} cannot be shown"):
        validate_text(clean_text(text))


@settings(deadline=None)
@given(st.text(max_size=60) | st.lists(ODD, max_size=20).map("".join))
def test_mending_twice_changes_nothing_more(text):
    for clean in (clean_text, clean_line, clean_person_name):
        assert clean(clean(text)) == clean(text)
    assert clean_line(text) == "" or clean_line(text).strip() != ""


@pytest.mark.parametrize("type_", ["text", "textarea", "name"])
def test_an_answer_of_nothing_to_see_is_no_answer(type_):
    field = PreEngagementField(name="a", label="A", type=type_, required=True).formfield()
    with pytest.raises(ValidationError) as refused:
        field.clean("\u200b\u2060")
    assert [error.code for error in refused.value.error_list] == ["required"]

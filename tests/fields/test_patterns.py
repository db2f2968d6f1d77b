"""What a pattern of staff accepts, what staff read about one that is wrong, and how long an answer can take."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from webchat.fields import patterns


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        (r"[A-Z]-\d{4,6}", ["C-1001", "Z-123456"], ["c-1001", "C-12", "C-1001 ", "C-١٢٣٤", "xC-1001"]),
        (r"^\d{5}(-\d{4})?$", ["12345", "12345-6789"], ["1234", "12345-", "12345\n"]),
        (r"(\d{4} ?){4}", ["1234123412341234", "1234 1234 1234 1234"], ["1234"]),
        (r"cat|dog", ["cat", "dog"], ["cats", "hotdog"]),
        (r"[^@\s]+\.pdf", ["a.pdf"], ["a@b.pdf", "a b.pdf", "apdf"]),
        (r"[-+]?[0-9]+[.,][0-9]{2}", ["-1,50", "2.00"], ["1.5"]),
        (r"[\w&&-]+", ["a&-b_9"], ["ä"]),
        (r"a.c?", ["ab", "abc", "a😀c"], ["a"]),
        (r"\(\d\)\/\$", ["(1)/$"], ["1"]),
        (r"x*?y+?", ["y", "xxyy"], ["x"]),
        (r"[]a]+", ["]a]"], ["b"]),
        (r"\pL+", ["Ünal", "山田"], ["a1"]),
        (r"(?i)ab", ["AB"], ["ac"]),
        (r"(a+)+b", ["aaab"], ["a" * 99]),
        ("", [""], ["a"]),
    ],
)
def test_a_pattern_judges_the_whole_answer(pattern, fitting, other):
    assert [answer for answer in fitting if not patterns.matches(pattern, answer)] == []
    assert [answer for answer in other if patterns.matches(pattern, answer)] == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "“(” in the pattern: A “)” is missing"), ("(a", "“(a” in the pattern: A “)” is missing"), ("a)", "without a “(”"),
        ("[a", "A “]” is missing"), ("[]", "A “]” is missing"), ("x[z-a]", "“z-a” in the pattern: This is no range"),
        ("*a", "“*” in the pattern: There is nothing before it to repeat"), ("{2}", "“{2}” in the pattern: There is nothing before"),
        ("a**", "“**” in the pattern: A repetition cannot be repeated"), ("a++", "“++”"), ("a{3,1}", "“{3,1}” in the pattern: The smaller"),
        ("a{1001}", "1000 is the most"), ("(a{500}){500}", "1000 is the most"), ("a\\", "A sign is missing after the last “\\”"),
        (r"\1", r"“\1” in the pattern: This is not supported"), (r"(a)\1", r"“\1” in"), ("x(?=a)", "“(?=” in the pattern: This is not"),
        ("(?!a)", "“(?!” in"), (r"\q", r"“\q” in"), ("(?<n", "“(?<n” in"), (r"\p{Nobody}", "Nobody"),
        (r"[^a]{0,1000}.{0,1000}", "It is too large"),
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused_with_words_about_the_place(pattern, words):
    with pytest.raises(ValidationError) as caught:
        patterns.compile_pattern(pattern)
    assert words in caught.value.messages[0]


# The shapes that make a backtracking matcher take forever, https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service_-_ReDoS,
# and the largest programs that RE2 takes in its memory here. With such a matcher this test hangs until faulthandler_timeout ends it.
@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "([a-zA-Z]+)*", "(a|aa)+", r"(\w+\s?)+!", "(a*)*", ".*.*.*.*x", "(a?){40}b", "(.*a){12}", "((.?){30}){30}x", "(.{1,9}){100}"],
)  # fmt: skip
def test_no_pattern_takes_forever(pattern):
    patterns.compile_pattern(pattern)
    for answer in ("a" * 99 + "!", "ab" * 50, "ä😀" * 50):
        patterns.matches(pattern, answer)


def test_an_answer_beyond_the_bound_or_no_unicode_has_no_match():
    assert patterns.matches(".*", "a" * patterns.ANSWER_MAX)
    assert not patterns.matches(".*", "a" * (patterns.ANSWER_MAX + 1))
    assert not patterns.matches(".*", "\ud800")


_ATOMS = st.sampled_from(["a", "b", ".", r"\d", r"\w", "[ab]", "[^b]", "-"])
_REPEATS = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,3}", "{2,}", "*?"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: (
        st.tuples(inner, _REPEATS).map(lambda pair: f"({pair[0]}){pair[1]}")
        | st.lists(inner, min_size=1, max_size=4).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map("|".join)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(_PATTERNS, st.text("ab1-", max_size=7))
def test_a_pattern_means_what_regular_expressions_mean_elsewhere(pattern, answer):
    """Python's own matcher is the judge: for a few characters it is quick enough."""
    assert patterns.matches(pattern, answer) == bool(re.fullmatch(pattern, answer, re.ASCII))


@settings(deadline=None)
@given(st.text("ab()[]{}|*+?\\-^$d1,:=<P", max_size=200) | st.text(max_size=50), st.text(max_size=120))
def test_any_text_is_a_pattern_or_is_refused_with_words(pattern, answer):
    refused = ["a word"]
    try:
        patterns.compile_pattern(pattern)
        patterns.matches(pattern, answer)
    except ValidationError as error:
        refused = error.messages
    assert min(map(len, refused)) > 5

"""The words of what visitors told, by which staff find a chat: docs/decisions/search-by-words.md."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, QuerySet

# Chats that a search finds by one word, the latest first.
MOST_FOUND = 10_001
# Words that are kept of one chat, and that a search looks at.
MOST_WORDS = 80
MOST_ASKED = 6
LONGEST = 64
# What the site adds to the answers, and nobody would search by.
NOT_TOLD = {"location", "referrer", "locale", "verified", "context"}
# Letters and digits, with what stands within an e-mail address or a number: ada@example.com, C-1001.
_WHOLE = re.compile(r"[\w@.+#&'-]+")
_PART = re.compile(r"\w+")
_PHONE = re.compile(r"\+?[\d\s()./-]{6,}")


class ChatWord(models.Model):
    """One word of one chat. It goes with the answers: ChatSessionQuerySet.forget_answers()."""

    session = models.ForeignKey("ChatSession", related_name="words", on_delete=models.CASCADE, db_index=False)
    word = models.CharField(max_length=LONGEST)
    # The time of the chat.
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["session", "word"], name="webchat_word_once")]
        indexes = [models.Index(fields=["word", "-created_at"], name="webchat_word_latest")]

    def __str__(self) -> str:
        return self.word


def normal(text: str) -> str:
    """Without upper case and accents: Zoë is found by zoe."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(each for each in plain if not unicodedata.combining(each)).casefold()


def _wholes(text: str) -> list[str]:
    found = (whole.strip("@.+&'-_") if not whole.startswith("+") else whole for whole in _WHOLE.findall(normal(text)))
    return [whole[:LONGEST] for whole in found if whole]


def words_told(answers: Mapping[str, Any]) -> list[str]:
    """The words of all answers, the short answers first: a long question does not push an e-mail address out."""
    values = [str(value) for name, value in answers.items() if name not in NOT_TOLD and _is_told(value)]
    found: dict[str, None] = {}
    for value in sorted(values, key=len):
        for whole in _wholes(value):
            found |= dict.fromkeys([whole, *(part for part in _PART.findall(whole) if len(part) > 1)])
    return list(found)[:MOST_WORDS]


def _is_told(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def words_asked(text: str) -> list[str]:
    if _PHONE.fullmatch(text.strip()):  # answers hold +41446681800
        return [re.sub(r"[^\d+]", "", text)]
    return list(dict.fromkeys(_wholes(text)))[:MOST_ASKED]


def chats_that_told(text: str) -> QuerySet[ChatWord, Any]:
    """The keys of the latest chats, at most MOST_FOUND, in which each of these words was told, as `session`."""
    rows = ChatWord.objects.all()
    asked = words_asked(text)
    if not asked:
        return rows.none().values("session")
    # The rarest word leads, and what many chats tell is looked up for its few.
    rarest, *others = sorted(asked, key=lambda word: rows.filter(word=word)[:MOST_FOUND].count())
    found = rows.filter(word=rarest)
    for other in others:
        found = found.filter(Exists(rows.filter(session=OuterRef("session"), word=other)))
    return found.order_by("-created_at").values("session")[:MOST_FOUND]

"""What a visitor thought of a chat."""

from __future__ import annotations

from datetime import timedelta

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from webchat.clock import database_now
from webchat.models.session import ChatSession

COMMENT_MAX = 500
# After the end of the chat.
MAY_RATE = timedelta(hours=24)
# After the first rating.
MAY_CHANGE = timedelta(minutes=10)


class Rating(models.Model):
    """One for each chat. The comment is blanked with the answers of old chats; the score stays as long as the chat."""

    class Score(models.IntegerChoices):
        VERY_BAD = 1, _("Very bad")
        BAD = 2, _("Bad")
        FAIR = 3, _("Fair")
        GOOD = 4, _("Good")
        VERY_GOOD = 5, _("Very good")

    session = models.OneToOneField(
        ChatSession, verbose_name=_("chat session"), primary_key=True, on_delete=models.CASCADE
    )
    score = models.PositiveSmallIntegerField(_("score"), choices=Score.choices)
    comment = models.TextField(_("comment"), blank=True, validators=[MaxLengthValidator(COMMENT_MAX)])
    rated_at = models.DateTimeField(_("rated"), default=database_now, editable=False)

    class Meta:
        verbose_name = _("rating")
        verbose_name_plural = _("ratings")
        # Visitors write it. Staff may be allowed to read it.
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(score__gte=1, score__lte=5), name="webchat_rating_score"),
        ]
        indexes = [
            models.Index(fields=["rated_at"], condition=~Q(comment=""), name="webchat_rating_told"),
        ]

    def __str__(self) -> str:
        return f"{self.score}: {self.get_score_display()}"

    @property
    def may_change(self) -> bool:
        return self.rated_at > database_now() - MAY_CHANGE

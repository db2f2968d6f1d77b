"""The form of a rating."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from webchat.models import Rating
from webchat.models.rating import COMMENT_MAX


class _Comment(forms.CharField):
    def to_python(self, value: Any) -> Any:
        """A line that was broken in a form has two characters, and the visitor counted one."""
        return super().to_python(str(value or "").replace("\r\n", "\n"))


class RatingForm(forms.Form):
    score = forms.TypedChoiceField(
        choices=Rating.Score.choices,
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one.")},
    )
    comment = _Comment(
        required=False,
        max_length=COMMENT_MAX,
        label=_("Would you like to add something?"),
        widget=forms.Textarea(attrs={"class": "webchat-input", "rows": 2, "dir": "auto"}),
    )

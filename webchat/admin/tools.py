"""Helpers of several pages of the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet, UniqueConstraint
from django.forms import BaseInlineFormSet
from django.forms.formsets import DELETION_FIELD_NAME
from django.http import Http404, HttpRequest
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from webchat.colours import WHITE, contrast
from webchat.forms.advice import Advice, advice
from webchat.models import Webchat

# What has advice on a webchat for staff.
ADVISERS: list[Callable[[Webchat], list[Advice]]] = [advice]


class BoundedPaginator(Paginator):
    """Counts, and pages back to, no more rows than this of a list that may be long."""

    MOST = 10_001

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows[: self.MOST].count()


class UniqueRowsFormSet(BaseInlineFormSet):
    """Says at its field that a row repeats another one. Django says it of the formset, and not where."""

    @property
    def kept_forms(self) -> list[Any]:
        """The forms of the rows that will be there, as far as each is sound by itself."""
        return [
            form
            for form in self.forms
            if (form.has_changed() or form.instance.pk)
            and hasattr(form, "cleaned_data")
            and not form.cleaned_data.get(DELETION_FIELD_NAME)
        ]

    def clean(self) -> None:
        for constraint in self.model._meta.constraints:  # type: ignore[union-attr]
            if isinstance(constraint, UniqueConstraint):
                self._refuse_repeated(constraint)
        super().clean()

    def _refuse_repeated(self, constraint: UniqueConstraint) -> None:
        names = [name for name in constraint.fields if name != self.fk.name]
        seen = set()
        for form in self.kept_forms:
            values = tuple(form.cleaned_data.get(name) for name in names)
            if values in seen and None not in values:
                form.add_error(names[-1], str(constraint.get_violation_error_message()))
            seen.add(values)


def time_with_zone(at: datetime) -> str:
    """In the site's time zone, which it names: staff may sit in several."""
    local = localtime(at)
    return f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"


def advice_on(webchat: Webchat) -> list[Advice]:
    return [given for adviser in ADVISERS for given in adviser(webchat)]


def warn(admin: ModelAdmin, request: HttpRequest, webchat: Webchat) -> None:
    """Says after a save what staff should know about the form."""
    for given in advice_on(webchat):
        if given.is_warning:
            admin.message_user(request, given.text, messages.WARNING)


def webchat_or_404(admin: ModelAdmin, request: HttpRequest, pk: int) -> Webchat:
    webchat = Webchat.objects.filter(pk=pk).first()
    if not admin.has_view_permission(request, webchat):
        raise PermissionDenied
    if webchat is None:
        raise Http404
    return webchat


def contrast_sample(webchat: Webchat) -> str:
    """The brand colour with its text, and their contrast. A drawing: a strict policy allows no inline style."""
    ratio = contrast(webchat.brand_colour, webchat.brand_ink)
    name = _("white") if webchat.brand_ink == WHITE else _("black")
    words = _("%(ink)s, contrast %(ratio).1f : 1") % {"ink": name, "ratio": ratio}
    return format_html(
        '<svg class="webchat-swatch" width="64" height="32" viewBox="0 0 64 32" aria-hidden="true">'
        '<rect width="64" height="32" rx="6" fill="{}"/>'
        '<text x="32" y="21" text-anchor="middle" font-size="15" font-weight="600" fill="{}">Chat</text></svg> {}',
        webchat.brand_colour,
        webchat.brand_ink,
        words,
    )

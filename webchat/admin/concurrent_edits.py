"""Two people on one page of the admin: who saves second sees what was saved meanwhile, and loses nothing of their own.

Optimistic locking. A page carries what it showed, signed. A save compares that with what is stored now. Where it differs,
nothing is saved: the page comes again with both people's edits in it, and says what was changed by whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, QuerySet
from django.forms import BaseForm, BaseInlineFormSet, ModelForm
from django.forms.formsets import INITIAL_FORM_COUNT
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from webchat.admin.merging import Row, SentPage, shown_by

# The hidden input of a page that is such an edit.
AS_SHOWN = "as_shown"
_SALT = "webchat.admin.as_shown"


class Edit:
    """An edit of a row that is stored, by a page with these unbound forms.

    `as_shown` is for the page's hidden input. `said` is what to tell instead of saving, after bring_together().
    """

    def __init__(
        self,
        obj: Any,
        form: BaseForm,
        formsets: Iterable[BaseInlineFormSet] = (),
        unannounced: frozenset[str] = frozenset(),
    ) -> None:
        self.form, self.formsets, self.unannounced = form, list(formsets), unannounced
        self.entries = _entries(type(obj), obj.pk)
        self.stored = shown_by(form, self.formsets)
        self.said: list[str] = []

    @property
    def as_shown(self) -> str:
        latest = self.entries.aggregate(latest=Max("pk"))["latest"] or 0
        return signing.dumps([self.stored, latest], salt=_SALT, compress=True)

    def bring_together(self, data: QueryDict) -> QueryDict:
        """Returns what a page sent, with what others saved since it was made."""
        try:
            shown, latest = signing.loads(data.get(AS_SHOWN, ""), salt=_SALT)
            base = {prefix: {key: Row(*row) for key, row in rows.items()} for prefix, rows in shown.items()}
            begin = list(_in_words(self.entries.filter(pk__gt=latest)))
        except signing.BadSignature:
            base, begin = None, [_("This page is too old to tell what others have saved since it was opened.")]
        if base == self.stored:
            return data
        page = SentPage(data, base, self.stored, self.unannounced)
        if changes := list(page.bring_together(self.form, self.formsets)):
            self.said = [*begin, *changes, _("Nothing of yours is saved yet: look it through, and save again.")]
        return page.data


class ConcurrentEditsMixin(admin.ModelAdmin):
    # Inputs that are brought together without a word, as prefix-name: "-slug" is one of the page's own form.
    unannounced_inputs: frozenset[str] = frozenset()

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if request.method != "POST" or object_id is None or "_saveasnew" in request.POST:
            return super().changeform_view(request, object_id, form_url, extra_context)
        found = self.get_object(request, unquote(object_id))
        if found is None and AS_SHOWN in request.POST and self.has_add_permission(request):
            self._make_new(request, unquote(object_id))
            here = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_add")
            return super().changeform_view(request, None, here, extra_context)
        with transaction.atomic():
            if found is not None:
                # One save at a time: the next one sees what this one saved.
                obj = self.model._default_manager.select_for_update().filter(pk=found.pk).first()
                if obj is not None and self.has_change_permission(request, obj):
                    self._bring_together(request, obj)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        form: type[ModelForm] = super().get_form(request, obj, change=change, **kwargs)
        said: list[str] = getattr(request, "saved_meanwhile", [])
        if not said:
            return form

        class Outdated(form):  # type: ignore[misc,valid-type]
            def clean(self) -> Any:
                super().clean()
                raise ValidationError(said)

        return Outdated

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None and self.has_change_permission(request, obj):
            edit = getattr(request, "edit", None)
            if edit is None:
                formsets = [each.formset for each in context["inline_admin_formsets"] if each.has_change_permission]
                edit = Edit(obj, context["adminform"].form, formsets)
            context[AS_SHOWN] = edit.as_shown
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _bring_together(self, request: HttpRequest, obj: Any) -> None:
        form = self.get_form(request, obj, change=True)(instance=obj)
        formsets = [
            formset(instance=obj, prefix=formset.get_default_prefix(), queryset=inline.get_queryset(request))
            for formset, inline in self.get_formsets_with_inlines(request, obj)
            if inline.has_change_permission(request, obj)
        ]
        edit = Edit(obj, form, formsets, self.unannounced_inputs)
        request.POST = edit.bring_together(request.POST)  # type: ignore[assignment]
        request.edit, request.saved_meanwhile = edit, edit.said  # type: ignore[attr-defined]

    def _make_new(self, request: HttpRequest, object_id: str) -> None:
        """The row is gone. What was written in its page is that of a new one, to be saved once more if it is wanted."""
        data = request.POST.copy()
        for formset, _inline in self.get_formsets_with_inlines(request):
            prefix, keys = formset.get_default_prefix(), (formset.model._meta.pk.name, formset.fk.name)
            data[f"{prefix}-{INITIAL_FORM_COUNT}"] = "0"
            for name in list(data):
                if name.startswith(f"{prefix}-") and name.endswith(tuple(f"-{key}" for key in keys)):
                    data[name] = ""
        request.POST = data  # type: ignore[assignment]
        by_whom = _in_words(_entries(self.model, object_id).filter(action_flag=DELETION))
        last = _("This was deleted. What you wrote stands below: save it to add it anew.")
        request.saved_meanwhile = [*by_whom, last]  # type: ignore[attr-defined]


def _entries(model: Any, object_id: Any) -> QuerySet[LogEntry]:
    content_type = ContentType.objects.get_for_model(model)
    return LogEntry.objects.filter(content_type=content_type, object_id=str(object_id)).order_by("pk")


def _in_words(entries: QuerySet[LogEntry]) -> Iterator[str]:
    for saved in entries.select_related("user"):
        yield _("%(user)s, %(time)s: %(changes)s") % {
            "user": saved.user.get_full_name() or saved.user.get_username(),
            "time": date_format(localtime(saved.action_time), "TIME_FORMAT"),
            "changes": saved.get_change_message() or saved,
        }

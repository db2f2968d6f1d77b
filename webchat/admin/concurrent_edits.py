"""Two people on one change page: who saves second sees what was saved meanwhile, and loses nothing of their own.

Optimistic locking. A page carries what it showed, signed. A save compares that with what is stored now. Where it differs,
nothing is saved: the page comes again with both people's edits in it, and says what was changed by whom.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, QuerySet
from django.forms import BaseForm, BaseInlineFormSet, CheckboxInput, ModelForm, MultiWidget
from django.forms.formsets import INITIAL_FORM_COUNT, TOTAL_FORM_COUNT
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

# The hidden input of the page, as in change_form.html.
AS_SHOWN = "as_shown"
_SALT = "webchat.admin.as_shown"

# What the inputs of a form send, by name without prefix.
Inputs = dict[str, list[str]]


class Row(NamedTuple):
    title: str
    inputs: Inputs


# By the prefix of a formset, "" for the page's own form: the rows by primary key.
Shown = dict[str, dict[str, Row]]


class Merge(NamedTuple):
    """`theirs` and `both` are names of inputs: changed by the others alone, and by the others and this person."""

    inputs: Inputs
    theirs: list[str]
    both: list[str]


def inputs_of(form: BaseForm) -> Inputs:
    inputs: Inputs = {}
    for bound in form:
        widget, value = bound.field.widget, bound.value()
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget = widget.widget
        if bound.field.disabled:  # it sends nothing, and its value may be a password's hash
            continue
        if isinstance(widget, MultiWidget):
            # As Django names the inputs of a date with a time: name_0 and name_1.
            for number, (part, each) in enumerate(zip(widget.widgets, widget.decompress(value) or (), strict=True)):
                inputs[f"{bound.name}_{number}"] = _sent(part, each)
        else:
            inputs[bound.name] = _sent(widget, value)
    return inputs


def label_of(form: BaseForm, name: str) -> str:
    """That of an input's field: a date with a time has two inputs, name_0 and name_1."""
    field = form.fields.get(name) or form.fields[name.rpartition("_")[0]]
    return str(field.label or name)


def _sent(widget: Any, value: Any) -> list[str]:
    if isinstance(widget, CheckboxInput):
        return ["on"] if widget.check_test(value) else []
    shown = widget.format_value(value)
    if isinstance(shown, list | tuple):
        return [str(each) for each in shown]
    return ["" if shown is None else str(shown)]


def same(one: list[str], other: list[str]) -> bool:
    """Whether two inputs say the same: an empty one may be sent or left out, several are in any order, and browsers send
    \\r\\n."""
    left, right = (
        sorted([text.replace("\r\n", "\n").strip() for text in texts if text.strip()]) for texts in (one, other)
    )
    return left == right


def merge(mine: Inputs, base: Inputs, theirs: Inputs) -> Merge:
    """Three-way: what this person sends, with what others changed in inputs that this person left alone."""
    merged = Merge(dict(mine), [], [])
    for name, value in theirs.items():
        sent, shown = mine.get(name, []), base.get(name, value)
        if same(value, shown) or same(value, sent):
            continue
        if same(sent, shown):
            merged.inputs[name] = value
            merged.theirs.append(name)
        else:
            merged.both.append(name)
    return merged


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
            shown = getattr(request, "stored", None)
            if shown is None:
                formsets = [each.formset for each in context["inline_admin_formsets"] if each.has_change_permission]
                shown = _shown(context["adminform"].form, formsets)
            context[AS_SHOWN] = signing.dumps([shown, self._latest_entry(obj)], salt=_SALT, compress=True)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _bring_together(self, request: HttpRequest, obj: Any) -> None:
        """Where the page is out of date: puts what others saved into what was sent, and says so."""
        form, formsets = self.get_form(request, obj, change=True)(instance=obj), self._formsets(request, obj)
        stored = _shown(form, formsets)
        request.stored = stored  # type: ignore[attr-defined]
        try:
            base, entry = signing.loads(request.POST.get(AS_SHOWN, ""), salt=_SALT)
        except signing.BadSignature:
            return  # not sent by a page of ours
        base = {prefix: {key: Row(*row) for key, row in rows.items()} for prefix, rows in base.items()}
        if base == stored:
            return
        page = _Page(request.POST, base, stored, self.unannounced_inputs)
        said = list(page.bring_together(form, formsets))
        request.POST = page.data  # type: ignore[assignment]
        if said:
            by_whom = list(self._said_by(self._entries(obj.pk).filter(pk__gt=entry)))
            last = _("Nothing of yours is saved yet: look it through, and save again.")
            request.saved_meanwhile = [*by_whom, *said, last]  # type: ignore[attr-defined]

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
        by_whom = list(self._said_by(self._entries(object_id).filter(action_flag=DELETION)))
        last = _("This was deleted. What you wrote stands below: save it to add it anew.")
        request.saved_meanwhile = [*by_whom, last]  # type: ignore[attr-defined]

    def _formsets(self, request: HttpRequest, obj: Any) -> list[BaseInlineFormSet]:
        return [
            formset(instance=obj, prefix=formset.get_default_prefix(), queryset=inline.get_queryset(request))
            for formset, inline in self.get_formsets_with_inlines(request, obj)
            if inline.has_change_permission(request, obj)
        ]

    def _entries(self, object_id: Any) -> QuerySet[LogEntry]:
        content_type = ContentType.objects.get_for_model(self.model)
        return LogEntry.objects.filter(content_type=content_type, object_id=str(object_id)).order_by("pk")

    def _latest_entry(self, obj: Any) -> int:
        return self._entries(obj.pk).aggregate(latest=Max("pk"))["latest"] or 0

    def _said_by(self, entries: QuerySet[LogEntry]) -> Iterator[str]:
        for saved in entries.select_related("user"):
            yield _("%(user)s, %(time)s: %(changes)s") % {
                "user": saved.user.get_full_name() or saved.user.get_username(),
                "time": date_format(localtime(saved.action_time), "TIME_FORMAT"),
                "changes": saved.get_change_message() or saved,
            }


def _shown(form: BaseForm, formsets: Iterable[BaseInlineFormSet]) -> Shown:
    shown: Shown = {"": {"": Row("", inputs_of(form))}}
    for formset in formsets:
        shown[str(formset.prefix)] = {
            str(row.instance.pk): Row(str(row.instance), inputs_of(row)) for row in formset.initial_forms
        }
    return shown


class _Page:
    """What was sent by a page that is out of date."""

    def __init__(self, data: QueryDict, base: Shown, stored: Shown, unannounced: frozenset[str]) -> None:
        self.data, self.base, self.stored, self.unannounced = data.copy(), base, stored, unannounced

    def bring_together(self, form: BaseForm, formsets: Iterable[BaseInlineFormSet]) -> Iterator[str]:
        """Rewrites `data`, and says each change that this person did not make."""
        theirs = self.stored[""][""].inputs
        mine = {name: self.data.getlist(name) for name in theirs}
        merged = merge(mine, self.base[""][""].inputs, theirs)
        for name, values in merged.inputs.items():
            self.data.setlist(name, values) if values else self.data.pop(name, None)
        yield from self._say(merged, form, theirs)
        for formset in formsets:
            yield from self._rows(formset)

    def _rows(self, formset: BaseInlineFormSet) -> Iterator[str]:
        prefix, key_name = str(formset.prefix), str(formset.model._meta.pk.name)  # type: ignore[union-attr]
        base, stored = self.base.get(prefix, {}), self.stored[prefix]
        sent, new = self._take_rows(prefix, key_name)
        kept: list[Inputs] = []
        for key, row in stored.items():
            if key not in sent:
                kept.append(row.inputs)
                yield _("“%(field)s” was added.") % {"field": row.title}
                continue
            merged = merge(sent[key], base.get(key, row).inputs, row.inputs)
            kept.append(merged.inputs)
            yield from self._say(merged, formset.empty_form, row.inputs, prefix, row.title)
        for key, mine in sent.items():
            if key in stored:
                continue
            row = base.get(key, Row("", {}))
            if "DELETE" in mine or all(same(mine.get(name, []), value) for name, value in row.inputs.items()):
                yield _("“%(field)s” was deleted.") % {"field": row.title}
                continue
            new.append({**mine, key_name: [""]})
            text = _("“%(field)s” was deleted. You have changed it, so it stands below as a new field.")
            yield text % {"field": row.title}
        for number, inputs in enumerate([*kept, *new]):
            for name, values in inputs.items():
                if values:
                    self.data.setlist(f"{prefix}-{number}-{name}", values)
        self.data[f"{prefix}-{INITIAL_FORM_COUNT}"] = str(len(kept))
        self.data[f"{prefix}-{TOTAL_FORM_COUNT}"] = str(len(kept) + len(new))

    def _take_rows(self, prefix: str, key_name: str) -> tuple[dict[str, Inputs], list[Inputs]]:
        """Removes the rows of a formset from the data, and returns those that were stored, by key, and new ones."""
        rows: dict[int, Inputs] = {}
        for name in list(self.data):
            if found := re.fullmatch(rf"{re.escape(prefix)}-(\d+)-(.+)", name):
                rows.setdefault(int(found[1]), {})[found[2]] = self.data.pop(name)
        sent = {row[key_name][0]: row for row in rows.values() if row.get(key_name, [""])[0]}
        return sent, [rows[number] for number in sorted(rows) if not rows[number].get(key_name, [""])[0]]

    def _say(self, merged: Merge, form: BaseForm, theirs: Inputs, prefix: str = "", title: str = "") -> Iterator[str]:
        both = _("“%(field)s” was saved as: %(value)s. You have changed it too, and yours stands below.")
        for names, text in ((merged.theirs, _("“%(field)s” is now: %(value)s")), (merged.both, both)):
            for name in names:
                if f"{prefix}-{name}" not in self.unannounced:
                    label = label_of(form, name)
                    value = ", ".join(filter(None, theirs[name])) or "–"
                    yield text % {"field": f"{title}: {label}" if title else label, "value": value[:80]}

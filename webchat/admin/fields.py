"""The rows of a pre-engagement form, on the page of their webchat."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webchat.admin import conditions
from webchat.admin.rendering import FastRenderer
from webchat.admin.tools import UniqueRowsFormSet
from webchat.admin.translations import TranslatedForm, input_name
from webchat.chats.setup import first_fields
from webchat.fields import lookups
from webchat.models import PreEngagementField
from webchat.models.field import POSITION_STEP, name_from_label
from webchat.models.translations import Translated, digest


class PreEngagementFieldForm(TranslatedForm):
    position = forms.IntegerField(
        label=gettext_lazy("Position"),
        required=False,
        min_value=0,
        max_value=32_000,
        help_text=gettext_lazy("The order of the questions: 15 moves it between 10 and 20. Empty: last."),
    )

    def __init__(self, *args: Any, taken: set[str], offered: conditions.Choices, **kwargs: Any) -> None:
        """`taken`: the names of the form's fields so far; `offered`: the answers on which a field can depend."""
        super().__init__(*args, **kwargs)
        self.taken = taken
        if "user_lookup" in self.fields:  # staff who may only look have no fields here
            self.fields["decimal_places"].required = False
            self.fields["label"].widget.attrs["rows"] = 2  # a consent may be longer
            self._offer_lookups()
            cast("conditions.ConditionField", self.fields["shown_if"]).choices = offered
            self.initial["shown_if"] = conditions.sent(self.instance)
        if self.instance._state.adding:
            self.initial["position"] = None

    def _offer_lookups(self) -> None:
        choices = [("", "---------"), *lookups.lookup_choices()]
        now = self.instance.user_lookup
        if now not in dict(choices):
            choices.append((now, now))
        self.fields["user_lookup"].widget = forms.Select(choices=choices)

    def clean_shown_if(self) -> str:
        """Both columns are one input, so that nobody chooses a value of another field."""
        name, self.instance.shown_if_value = conditions.received(self.cleaned_data["shown_if"])
        return name

    def clean_name(self) -> str:
        # Names are made before the formset looks for duplicates: it would take two empty names for one.
        name: str = self.cleaned_data["name"] or name_from_label(self.cleaned_data.get("label", ""), self.taken)
        self.taken.add(name)
        return name

    def clean_decimal_places(self) -> int:
        return self.cleaned_data["decimal_places"] or 0

    def made_from(self, row: Translated, text: str, language: str) -> Any:
        """The words of a first field that nobody changed are of the text that it came with."""
        words = self.cleaned_data[input_name(text, language)]
        if self.instance.pk is None and words:
            for first in first_fields():
                if first["translations"].get(language, {}).get(text) == words:
                    return digest(first[text])
        return super().made_from(row, text, language)

    @property
    def first_label(self) -> str:
        """The label of a field that a new webchat begins with; "" for any other."""
        return str(self.initial.get("label", "")) if self.instance._state.adding else ""

    @property
    def summary(self) -> list[str]:
        """The field in a few words, for its line in the list."""
        row = self.instance
        words = [
            row.name,
            row.get_type_display(),
            _("required") if row.required or row.type == row.Type.CONSENT else _("optional"),
            {row.Role.CUSTOMER_NAME: _("the visitor's name"), row.Role.QUESTION: _("the question")}.get(row.role, ""),
            {
                row.Match.ACCOUNT: _("from account"),
                row.Match.ANNOTATE: _("compared with accounts"),
                row.Match.REQUIRE: _("members only"),
            }.get(row.match, ""),
            row.get_audience_display() if row.audience else "",
            _("only sometimes") if row.shown_if else "",
        ]
        return [str(word) for word in words if word]


class PreEngagementFieldFormSet(UniqueRowsFormSet):
    @cached_property
    def _saved(self) -> list[PreEngagementField]:
        return list(self.get_queryset())

    @cached_property
    def _taken(self) -> set[str]:
        return {row.name for row in self._saved}

    @cached_property
    def offered_conditions(self) -> conditions.Choices:
        return conditions.choices(self._saved)

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "taken": self._taken, "offered": self.offered_conditions}

    def clean(self) -> None:
        kept = self.kept_forms
        self._number_the_last(kept)
        self._refuse_two_of_a_role(kept)
        conditions.refuse_unsound(kept)
        super().clean()

    def _number_the_last(self, kept: list[Any]) -> None:
        last = max((form.cleaned_data.get("position") or 0 for form in kept), default=0)
        for form in kept:
            if form.cleaned_data.get("position") is None:
                last += POSITION_STEP
                form.instance.position = form.cleaned_data["position"] = last

    def _refuse_two_of_a_role(self, kept: list[Any]) -> None:
        first: dict[str, str] = {}
        for form in kept:
            role = form.cleaned_data.get("role")
            if role and role in first:
                text = _("“%(label)s” has this role already, and only one field can have it.")
                form.add_error("role", text % {"label": first[role]})
            elif role:
                first[role] = form.cleaned_data.get("label", "")


class PreEngagementFieldInline(admin.StackedInline):
    model = PreEngagementField
    form = PreEngagementFieldForm
    formset = PreEngagementFieldFormSet
    template = "admin/webchat/preengagementfield/stacked.html"
    extra = 0
    # On the row's own line, in the template.
    in_line: ClassVar[list[str]] = ["required"]

    fieldsets = [
        (
            None,
            {
                "fields": [
                    "label",
                    ("type", "name", "position"),
                    "choices",
                    "role",
                    "audience",
                    "shown_if",
                ]
            },
        ),
        (
            gettext_lazy("Look"),
            {"classes": ["collapse"], "fields": ["help_text", "placeholder", "initial", "autocomplete"]},
        ),
        (
            gettext_lazy("What is accepted"),
            {
                "classes": ["collapse", "webchat-accepted"],
                # One a line: Django leaves a collapsed fieldset closed over an error in a line of several.
                "fields": [
                    "min_length",
                    "max_length",
                    "minimum",
                    "maximum",
                    "decimal_places",
                    "pattern",
                    "pattern_message",
                ],
            },
        ),
        (
            gettext_lazy("The site's users"),
            {"classes": ["collapse", "webchat-users"], "fields": ["match", "user_lookup", "show_account_value"]},
        ),
    ]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "shown_if":
            label = capfirst(db_field.verbose_name)
            return conditions.ConditionField(label=label, help_text=db_field.help_text, required=False)
        if db_field.choices:
            kwargs["widget"] = forms.Select
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        shown = [*self._shown(request, obj), *self.in_line]
        return super().get_formset(request, obj, **{**kwargs, "fields": shown, "renderer": FastRenderer()})

    def _shown(self, request: HttpRequest, obj: Any) -> list[str]:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        """A new webchat begins with some fields, which staff change or remove."""
        return len(first_fields()) if obj is None else self.extra

"""Plans of opening hours, with a picture of what they lead to."""

from __future__ import annotations

from functools import partial
from typing import Any, cast
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget, AdminTimeWidget
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from webchat.admin.concurrent_edits import ConcurrentEditsMixin
from webchat.admin.tools import UniqueRowsFormSet
from webchat.admin.translations import TranslatedForm
from webchat.clock import database_now
from webchat.hours import public_holidays, state_in_words, state_of
from webchat.hours.picture import MINUTES, next_days
from webchat.models import OpeningHours, Span, SpecialDay, Webchat
from webchat.models.translations import other_languages


class OpeningHoursForm(forms.ModelForm):
    time_zone = forms.ChoiceField(
        label=capfirst(OpeningHours._meta.get_field("time_zone").verbose_name),
        choices=lambda: [(name, name.replace("_", " ")) for name in sorted(available_timezones())],
        initial=lambda: settings.TIME_ZONE,
        help_text=OpeningHours._meta.get_field("time_zone").help_text,
    )


class SpanInline(admin.TabularInline):
    model = Span
    formset = UniqueRowsFormSet
    extra = 0
    formfield_overrides = {models.TimeField: {"widget": AdminTimeWidget(format="%H:%M")}}


class NoteInput(AdminTextInputWidget):
    """With the note in the other languages below it, in the same cell of the table."""

    def __init__(self, form: TranslatedForm) -> None:
        super().__init__(form.fields["note"].widget.attrs)
        self.form = form

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        translations = render_to_string("admin/webchat/languages.html", {"form": self.form, "language": ""})
        return mark_safe(super().render(*args, **kwargs) + translations)  # noqa: S308  (a template of ours)


class SpecialDayForm(TranslatedForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "note" in self.fields:
            self.fields["note"].widget = NoteInput(self)

    def clean(self) -> dict[str, Any] | None:
        """Before the formset looks for rows with the same days."""
        cleaned = super().clean() or {}
        if "last" in cleaned:
            cleaned["last"] = cleaned["last"] or cleaned.get("first")
        return cleaned


class SpecialDayInline(admin.TabularInline):
    model = SpecialDay
    form = SpecialDayForm
    formset = UniqueRowsFormSet
    extra = 0


@admin.register(OpeningHours)
class OpeningHoursAdmin(ConcurrentEditsMixin):
    form = OpeningHoursForm
    list_display = ["name", "time_zone", "now", "used_by"]
    search_fields = ["name"]
    readonly_fields = ["now", "two_weeks"]
    fields = ["name", "time_zone", "now", "two_weeks"]
    inlines = [SpanInline, SpecialDayInline]
    actions = ["add_public_holidays"]
    change_form_template = "admin/webchat/openinghours/change_form.html"

    class Media:
        css = {"all": ["webchat/admin/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[OpeningHours]:
        return super().get_queryset(request).prefetch_related("spans", "special_days", "webchats")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(holidays_page, self))
        return [path("<int:pk>/holidays/", view, name="webchat_openinghours_holidays"), *super().get_urls()]

    @admin.display(description=gettext_lazy("now"))
    def now(self, plan: OpeningHours) -> str:
        if plan.pk is None:
            return "-"
        return state_in_words(state_of(Webchat(hours=plan), database_now()), plan.zone)

    @admin.display(description=gettext_lazy("used by"))
    def used_by(self, plan: OpeningHours) -> str:
        return ", ".join(map(str, plan.webchats.all()))

    @admin.display(description=gettext_lazy("the next two weeks"))
    def two_weeks(self, plan: OpeningHours) -> str:
        """As saved. A drawing by attributes: a strict policy allows no inline style."""
        if plan.pk is None:
            return "-"
        context = {"days": next_days(plan, database_now()), "minutes": MINUTES, "plan": plan}
        return render_to_string("admin/webchat/openinghours/two_weeks.html", context)

    def has_add_holidays_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request) and request.user.has_perm("webchat.add_specialday")

    @admin.action(description=gettext_lazy("Add public holidays of a country"), permissions=["add_holidays"])
    def add_public_holidays(self, request: HttpRequest, plans: QuerySet[OpeningHours]) -> HttpResponse | None:
        if len(plans) == 1:
            return redirect("admin:webchat_openinghours_holidays", plans[0].pk)
        self.message_user(request, _("Choose one plan."), messages.ERROR)
        return None


class HolidaysForm(forms.Form):
    """Which holidays to look at. The regions and languages are those of the country."""

    country = forms.ChoiceField(label=gettext_lazy("Country"), choices=public_holidays.countries)
    region = forms.ChoiceField(label=gettext_lazy("Region"), required=False)
    year = forms.IntegerField(
        label=gettext_lazy("Year"), min_value=public_holidays.YEARS[0], max_value=public_holidays.YEARS[1]
    )
    language = forms.ChoiceField(label=gettext_lazy("Names in"), required=False)

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        data = data and data.dict()
        country = str((data or {}).get("country", ""))
        is_known = country in dict(public_holidays.countries())
        regions = public_holidays.regions(country) if is_known else []
        languages = public_holidays.languages(country) if is_known else []
        if data:  # those of another country are not kept
            data |= {
                name: ""
                for name, known in (("region", dict(regions)), ("language", languages))
                if data.get(name) not in known
            }
        super().__init__(data, **kwargs)
        region, language = (cast("forms.ChoiceField", self.fields[name]) for name in ("region", "language"))
        region.choices = [("", _("the whole country")), *regions]
        language.choices = [(code, code) for code in languages] or [("", "-")]


def _notes(names: dict[str, str]) -> dict[str, dict[str, str]]:
    return {language: {"note": name[:120]} for language, name in names.items()}


def holidays_page(model_admin: OpeningHoursAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Shows the holidays of a country and year, and adds those that staff leave ticked."""
    plan = get_object_or_404(OpeningHours, pk=pk)
    if not model_admin.has_add_holidays_permission(request):
        raise PermissionDenied
    form = HolidaysForm(request.GET or None, initial={"year": database_now().astimezone(plan.zone).year})
    found = public_holidays.holidays_of(**form.cleaned_data) if form.is_valid() else []
    taken = set(plan.special_days.values_list("first", "last"))
    if request.method == "POST" and found:
        wanted = set(request.POST.getlist("day"))
        asked = {name: form.cleaned_data[name] for name in ("country", "region", "year")}
        names = public_holidays.names_in(**asked, codes=other_languages())
        days = [
            SpecialDay(hours=plan, first=day, last=day, note=name[:120], translations=_notes(names.get(day, {})))
            for day, name in found
            if day.isoformat() in wanted and (day, day) not in taken
        ]
        for day in days:
            day.full_clean()
            day.save()
        text = ngettext("%(count)d public holiday was added.", "%(count)d public holidays were added.", len(days))
        text %= {"count": len(days)}
        model_admin.log_change(request, plan, text)
        model_admin.message_user(request, text, messages.SUCCESS)
        return redirect("admin:webchat_openinghours_change", pk)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "original": plan,
        "title": _("Add public holidays"),
        "subtitle": plan.name,
        "form": form,
        "found": [(day, name, (day, day) in taken) for day, name in found],
        "media": model_admin.media,
    }
    return render(request, "admin/webchat/openinghours/holidays.html", context)

"""Webchats: what staff configure, with its fields and what to know about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet, TextField
from django.forms import CheckboxSelectMultiple, ColorInput, ModelForm, MultipleChoiceField, Script, Select
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.timezone import make_naive
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS, country_code_for_region

from webchat import attachments
from webchat.admin import builder, exchange, going_live, preview, routing, setup
from webchat.admin.archive import ArchiveFilter, archive, take_out
from webchat.admin.concurrent_edits import ConcurrentEditsMixin
from webchat.admin.fields import PreEngagementFieldInline
from webchat.admin.rendering import FastRenderer
from webchat.admin.tools import advice_on, contrast_sample, warn, webchat_or_404
from webchat.admin.translations import TranslatedForm, chosen_language, to_do_by_language
from webchat.chats.going_live import run_test
from webchat.chats.setup import first_fields
from webchat.clock import database_now
from webchat.conf import conf
from webchat.flex import GATEWAYS
from webchat.hours import state_in_words, state_of, zone_of
from webchat.models import ChatSession, Message, Webchat
from webchat.models.field import POSITION_STEP

# What Twilio has to know: a save that changes it tests the connection.
TESTED = {"api", "chat_service_sid", "address_sid", "flex_flow_sid"}


class WebchatForm(TranslatedForm):
    default_renderer = FastRenderer
    attachment_kinds = MultipleChoiceField(
        label=Webchat._meta.get_field("attachment_kinds").verbose_name,
        choices=attachments.CHOICES,
        widget=CheckboxSelectMultiple,
        required=False,
    )

    class Meta:
        widgets: ClassVar = {
            "brand_colour": ColorInput(),
            "phone_region": Select(
                choices=[
                    ("", "---------"),
                    *((each, f"{each} +{country_code_for_region(each)}") for each in sorted(SUPPORTED_REGIONS)),
                ]
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.closed_until:
            self.initial["closed_until"] = make_naive(self.instance.closed_until, zone_of(self.instance))

    def clean(self) -> dict[str, Any] | None:
        if {"closure", "closed_until"} & set(self.changed_data):
            self.instance.closed_since = database_now()
        if until := self.cleaned_data.get("closed_until"):
            # What staff write is a time by the clock of the opening hours, and not by the server's.
            zone = zone_of(Webchat(hours=self.cleaned_data.get("hours")))
            try:
                self.cleaned_data["closed_until"] = until.replace(tzinfo=zone).astimezone(UTC)
            except OverflowError:
                self.add_error("closed_until", _("Say until when."))
        return super().clean()


@admin.register(Webchat)
class WebchatAdmin(ConcurrentEditsMixin):
    form = WebchatForm
    list_display = ["name", "slug", "enabled", "now", "api", "site"]
    list_filter = [ArchiveFilter, "enabled", "api"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [PreEngagementFieldInline]
    actions = ["test_connection", archive, take_out]
    # Each save numbers the fields anew.
    unannounced_inputs = frozenset({"fields-position"})
    # What the legacy wing adds while it is switched on: pages by their last part, and fields of "Twilio Flex".
    more_pages: ClassVar[dict[str, Callable[..., HttpResponse]]] = {}
    more_fields: ClassVar[list[str]] = []
    readonly_fields = ["environment", "colour_contrast", "now", "queue_and_tasks"]
    change_form_template = "admin/webchat/webchat/change_form.html"
    # Each belongs to the tab that its class names; those without are above the tabs.
    fieldsets = [
        (None, {"fields": [("name", "slug"), ("enabled", "site")]}),
        (_("More of the form"), {"classes": ["tab-form"], "fields": ["phone_region"]}),
        (
            _("While a visitor chats"),
            {
                "classes": ["tab-texts"],
                "fields": ["waiting_text", "waiting_longer_text", "waiting_long_text", "ended_text"],
            },
        ),
        (
            _("Before the chat"),
            {"classes": ["tab-texts"], "fields": ["launcher_label", "title", "subtitle", "intro", "submit_label"]},
        ),
        (_("When there is no chat"), {"classes": ["tab-texts"], "fields": ["closed_text", "unavailable_text"]}),
        (_("Rating"), {"classes": ["tab-texts"], "fields": ["ask_rating", "rating_question"]}),
        (
            None,
            {
                "classes": ["tab-look"],
                "fields": ["brand_colour", "colour_contrast", "logo", "colour_scheme", "position", "formatting"],
            },
        ),
        (
            None,
            {
                "classes": ["tab-hours"],
                "fields": ["now", "closure", "closed_until", "hours", "when_closed", "stop_before_close"],
            },
        ),
        (_("Messages"), {"classes": ["tab-hours"], "fields": ["message_recipients"]}),
        (
            None,
            {
                "classes": ["tab-twilio"],
                "fields": [
                    "environment",
                    "chat_service_sid",
                    "address_sid",
                    "queue_and_tasks",
                    "chat_friendly_name",
                    "customer_friendly_name",
                    "forget_at_twilio",
                    "api",
                ],
            },
        ),
        (None, {"classes": ["tab-limits"], "fields": ["daily_cap", "require_form", "proof_after"]}),
        (
            _("Attachments"),
            {"classes": ["tab-limits"], "fields": ["attachments", "attachment_kinds", "attachment_max_mb"]},
        ),
    ]

    class Media:
        css = {"all": ["webchat/admin/admin.css"]}
        js = [
            Script(f"webchat/admin/{name}.js", type="module")
            for name in ("tabs", "conditions", "fields", "grip", "languages", "builder")
        ]

    def get_urls(self) -> list[URLPattern]:
        views = {
            "preview": preview.page,
            "preview/panel": preview.panel,
            "builder": builder.frame,
            "import": exchange.import_page,
            "export": exchange.export,
            "routing": routing.page,
            "setup": setup.page,
            "switch": switch,
            "going-live": going_live.page,
            **self.more_pages,
        }
        urls = [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(partial(view, self)),
                name=f"webchat_webchat_{name.replace('/', '_').replace('-', '_')}",
            )
            for name, view in views.items()
        ]
        of_new = [
            path("setup/", self.admin_site.admin_view(partial(setup.page_of_new, self)), name="webchat_webchat_new"),
            path(
                "add/builder/",
                self.admin_site.admin_view(partial(builder.frame, self)),
                name="webchat_webchat_new_builder",
            ),
        ]
        return [*of_new, *urls, *super().get_urls()]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        colour = _("The text on it is black or white, whichever reads better: always 4.5 : 1 or more.")
        return super().get_form(request, obj, change, **{"help_texts": {"brand_colour": colour}, **kwargs})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Most sites have one account at Twilio: a new webchat begins with the SIDs of the latest."""
        latest = Webchat.objects.filter(api=Webchat.Api.CONVERSATIONS).order_by("-pk").first()
        sids = {name: getattr(latest, name) for name in ("chat_service_sid", "address_sid")} if latest else {}
        return {**sids, **super().get_changeform_initial_data(request)}

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """Only shown: what is sent is compared with an empty row, so that first fields that nobody touched are saved."""
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if request.method == "GET" and obj.pk is None:
            kwargs["initial"] = first_fields()
        return kwargs

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webchat]:
        return super().get_queryset(request).prefetch_related("hours__spans", "hours__special_days")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Names what keeps a webchat, without loading it: that may be a million chats."""
        *found, protected = super().get_deleted_objects(objs, request)
        kinds = " · ".join(str(model._meta.verbose_name_plural) for model in (ChatSession, Message))
        return *found, [*protected, *(f"{webchat}: {kinds}" for webchat in objs if webchat.is_used)]

    @admin.display(description=_("now"))
    def now(self, webchat: Webchat) -> str:
        if webchat.draft:
            return str(_("A draft: visitors see nothing of it yet."))
        return state_in_words(state_of(webchat, database_now()), zone_of(webchat))

    @admin.display(description=_("text on it"))
    def colour_contrast(self, webchat: Webchat) -> str:
        return contrast_sample(webchat)

    @admin.display(description=_("queue and tasks"))
    def queue_and_tasks(self, webchat: Webchat) -> str:
        return routing.summary(webchat)

    @admin.display(description=_("credentials in the environment"))
    def environment(self, webchat: Webchat) -> str:
        """Which are set, by their last four characters: enough to tell two keys apart, and no secret."""
        names = ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET"]
        parts = [f"{name}: {_shown(getattr(conf, name))}" for name in names]
        if conf.TWILIO_SANDBOX_URL:
            parts.append(f"TWILIO_SANDBOX_URL: {conf.TWILIO_SANDBOX_URL}")
        return " · ".join(parts)

    @admin.action(description=_("Test the connection to Twilio"), permissions=["change"])
    def test_connection(self, request: HttpRequest, webchats: QuerySet[Webchat]) -> None:
        for webchat in webchats:
            going_live.tell(self, request, webchat, run_test(webchat))

    def save_model(self, request: HttpRequest, obj: Webchat, form: Any, change: bool) -> None:
        """A new one is a draft. What a test is about is tested when it was changed, after the transaction."""
        if not change:
            obj.draft = True
        super().save_model(request, obj, form, change)
        if obj.draft or TESTED & set(form.changed_data) or request.POST.get("_continue") == "test":
            request.to_be_tested = obj  # type: ignore[attr-defined]

    @method_decorator(preview.with_frames)
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().changeform_view(request, *args, **kwargs)
        webchat = getattr(request, "to_be_tested", None)
        if webchat is not None and response.status_code == 302:  # saved
            going_live.tell(self, request, webchat, run_test(webchat))
        return response

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        may_move = request.user.has_perm("webchat.change_preengagementfield")
        for number, row in enumerate(form.instance.fields.all() if may_move else (), 1):
            if row.position != number * POSITION_STEP:
                row.position = number * POSITION_STEP
                row.save(update_fields=["position"])
        warn(self, request, form.instance)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The API is asked where there is a choice, and its fields are shown for the legacy one alone, by the stylesheet."""
        asks_api = len(GATEWAYS) > 1 or (obj is not None and obj.api not in GATEWAYS)
        more = ["api", *self.more_fields] if asks_api else []
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "api"] + more})
            if "api" in options["fields"]
            else (title, options)
            for title, options in super().get_fieldsets(request, obj)
        ]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The legacy API can be chosen while it is switched on."""
        if db_field.name == "api":
            kwargs["choices"] = [choice for choice in db_field.choices if choice[0] in GATEWAYS]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, TextField):
            kwargs["widget"] = AdminTextareaWidget(attrs={"rows": 2})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["builder_choices"] = builder.Choices.at_first()
        context["language"] = chosen_language(request)
        context["languages"] = to_do_by_language(context.get("original"))
        context["show_save_and_add_another"] = False  # nobody adds webchats in a row
        context["above_tabs"], context["tabs"] = _tabs(context["adminform"], context["inline_admin_formsets"])
        if webchat := context.get("original"):
            said = {str(message) for message in messages.get_messages(request)} if request.method == "GET" else set()
            context["advice"] = [given for given in advice_on(webchat) if given.text not in said]
        return super().render_change_form(request, context, *args, **kwargs)


@dataclass(slots=True)
class Tab:
    """A part of the page, with its fieldsets as Django renders them. `inlines` are shown before them."""

    key: str
    title: str
    fieldsets: list[Any] = field(default_factory=list)
    inlines: list[Any] = field(default_factory=list)
    # The form whose texts in other languages are shown below.
    translated: Any = None

    @property
    def has_errors(self) -> bool:
        lines = [line for fieldset in self.fieldsets for line in fieldset]
        formsets = [inline.formset for inline in self.inlines]
        return (
            any(line.errors() for line in lines)
            or any(formset.is_bound and formset.total_error_count() for formset in formsets)
            or (self.translated is not None and any(language.has_errors for language in self.translated.languages()))
        )


def _tabs(adminform: Any, inlines: list[Any]) -> tuple[list[Any], list[Tab]]:
    """The fieldsets above the tabs, and the tabs: what is edited weekly first."""
    tabs = [
        Tab("form", str(_("Form")), inlines=list(inlines)),
        Tab("texts", str(_("Texts")), translated=adminform.form),
        Tab("look", str(_("Look"))),
        Tab("hours", str(_("Hours"))),
        Tab("twilio", str(_("Twilio"))),
        Tab("limits", str(_("Limits"))),
    ]
    above: list[Any] = []
    for fieldset in adminform:
        tab = next((tab for tab in tabs if f"tab-{tab.key}" in fieldset.classes.split()), None)
        (tab.fieldsets if tab else above).append(fieldset)
    return above, tabs


def switch(admin: WebchatAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Switches a webchat off, or on again, from the start page."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    webchat = webchat_or_404(admin, request, pk)
    if not admin.has_change_permission(request, webchat):
        raise PermissionDenied
    if request.POST.get("to") not in ("on", "off"):
        raise BadRequest("switched to what?")
    webchat.enabled = request.POST["to"] == "on" and webchat.archived_at is None
    webchat.save(update_fields=["enabled"])
    text = _("Switched on.") if webchat.enabled else _("Switched off: no new chat can start. Running chats go on.")
    admin.log_change(request, webchat, str(text))
    admin.message_user(request, f"{webchat}: {text}", messages.SUCCESS)
    return redirect("admin:index")


def _shown(value: str) -> str:
    return f"…{value[-4:]}" if len(value) >= 16 else str(_("set") if value else _("not set"))

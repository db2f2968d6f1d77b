"""The live builder: the visitors' own widget with what a webchat's page in the admin holds now, saved or not.

A page sends its form as a save would. The answer is a document for a frame that can send nothing. Nothing is stored, and
Twilio is not called.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID

from csp.constants import NONE, SELF
from csp.decorators import csp
from django import forms
from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.forms.formsets import DELETION_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils.text import Truncator
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from webchat.admin.tools import webchat_or_404
from webchat.clock import database_now
from webchat.fields import conditions
from webchat.fields.kinds import Type
from webchat.forms.form import PreEngagementForm
from webchat.forms.message_form import MessageForm
from webchat.forms.rating_form import RatingForm
from webchat.hours import State, state_of
from webchat.models import PreEngagementField, Webchat, WhenClosed
from webchat.stylesheet import SOURCES

View = TypeVar("View", bound=Callable[..., HttpResponse])

# What a visitor may find, by the name of the state. "waiting" goes on by minutes.
STATES = {
    "launcher": gettext_lazy("Button"),
    "form": gettext_lazy("Form"),
    "errors": gettext_lazy("Errors"),
    "waiting": gettext_lazy("Waiting"),
    "waiting-1": gettext_lazy("1 minute"),
    "waiting-5": gettext_lazy("5 minutes"),
    "chat": gettext_lazy("Chat"),
    "ended": gettext_lazy("Ended"),
    "closed": gettext_lazy("Closed"),
    "message": gettext_lazy("Message"),
    "unavailable": gettext_lazy("Unavailable"),
}
# The states with a conversation, which the browser draws.
CHATS = ("waiting", "waiting-1", "waiting-5", "chat", "ended")
# The tabs with what visitors see of it.
SEEN = {"tab-form", "tab-texts", "tab-look"}
# A new webchat has no name in addresses yet. Nothing is asked of this one.
NEW = "new"
# Answers of which each is wrong, though not every type has a wrong one.
_MISTAKES = {Type.EMAIL: "ada@", Type.PHONE: "12", Type.NUMBER: "1,2,3", Type.DATE: "2026-02-31"}
_NO_SESSION = SimpleNamespace(pk=UUID(int=0))


class Choices(forms.Form):
    """What of the webchat to look at, and how."""

    state = forms.ChoiceField(label=gettext_lazy("What visitors find"), choices=STATES, widget=forms.RadioSelect)
    visitor = forms.ChoiceField(
        label=gettext_lazy("Visitor"),
        choices={"guest": gettext_lazy("Not signed in"), "user": gettext_lazy("Signed in")},
        widget=forms.RadioSelect,
    )
    device = forms.ChoiceField(
        label=gettext_lazy("Device"),
        choices={"phone": gettext_lazy("Phone"), "desktop": gettext_lazy("Desktop")},
        widget=forms.RadioSelect,
    )
    look = forms.ChoiceField(
        label=gettext_lazy("Device's colours"),
        choices={"light": gettext_lazy("Light"), "dark": gettext_lazy("Dark")},
        widget=forms.RadioSelect,
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=settings.LANGUAGES)

    @classmethod
    def at_first(cls) -> Choices:
        language = get_language() or settings.LANGUAGE_CODE
        first = {"state": "form", "visitor": "guest", "device": "phone", "look": "light", "language": language}
        return cls(initial=first, prefix="builder", auto_id="%s", label_suffix="")

    @classmethod
    def made(cls, request: HttpRequest) -> dict[str, str]:
        """The choices of a request; the first one where it names none that there is."""
        form, first = cls(request.POST, prefix="builder"), cls.at_first()
        form.is_valid()
        return {**first.initial, **form.cleaned_data}


class _UnsavedForm(PreEngagementForm):
    """A form of rows that the database may not have."""

    def __init__(self, webchat: Webchat, rows: list[PreEngagementField], **kwargs: Any) -> None:
        self.unsaved = rows
        super().__init__(webchat, **kwargs)

    def choose_rows(self) -> list[PreEngagementField]:
        return [row for row in self.unsaved if row.is_asked_of(signed_in=self.user is not None)]


class _UnsavedMessageForm(MessageForm, _UnsavedForm):
    pass


class Unsaved:
    """A webchat and its fields as a page of the admin has them. What is wrong there stays as it is saved, and is named in
    `kept`."""

    def __init__(self, admin: ModelAdmin, request: HttpRequest, webchat: Webchat) -> None:
        self.webchat, self.kept = webchat, list[str]()
        self.rows = list(webchat.fields.all()) if webchat.pk else []
        slug = webchat.slug
        self._read_own(admin, request)
        self._read_fields(admin, request)
        # Neither is for visitors to see. Off, or as a draft, there would be nothing to look at.
        webchat.slug, webchat.enabled, webchat.draft = slug or NEW, True, False

    def _read_own(self, admin: ModelAdmin, request: HttpRequest) -> None:
        names = {field.name: field.attname for field in Webchat._meta.concrete_fields}
        saved = {name: getattr(self.webchat, name) for name in names.values()}
        is_there = self.webchat.pk is not None
        form = admin.get_form(request, self.webchat if is_there else None, change=is_there)(
            request.POST, instance=self.webchat
        )
        form.is_valid()
        for name in names.keys() & form.errors.keys():
            setattr(self.webchat, names[name], saved[names[name]])
        fieldsets = admin.get_fieldsets(request, self.webchat if is_there else None)
        seen = flatten_fieldsets([fieldset for fieldset in fieldsets if SEEN & set(fieldset[1].get("classes", ()))])
        # The inputs of other languages are named after their text: title__de.
        wrong = [name for name in form.fields if name in form.errors and name.partition("__")[0] in seen]
        self.kept += [str(form.fields[name].label) for name in wrong]

    def _read_fields(self, admin: ModelAdmin, request: HttpRequest) -> None:
        saved = {row.pk: row for row in self.rows}
        for kind, inline in admin.get_formsets_with_inlines(request, self.webchat if self.webchat.pk else None):
            prefix = kind.get_default_prefix()
            formset = kind(**admin.get_formset_kwargs(request, self.webchat, inline, prefix))
            if not formset.management_form.is_valid():
                continue
            rows = [row for form in formset.forms if (row := self._row(form, saved))]
            self.rows = self._one_of_each(sorted(rows, key=lambda row: (row.position is None, row.position)))
            # It is not asked then.
            self.kept += [_quoted(row.label) for row in self.rows if conditions.problem(row, self.rows)]

    def _one_of_each(self, rows: list[PreEngagementField]) -> list[PreEngagementField]:
        """Two fields of a name would be one, so the second is left out; of a role, the first has it."""
        names, roles, found = set[str](), set[str](), list[PreEngagementField]()
        for row in rows:
            if row.name in names or row.role in roles:
                self.kept.append(_quoted(row.label))
            if row.name in names:
                continue
            if row.role in roles:
                row.role = ""
            names.add(row.name)
            roles |= {row.role} - {""}
            found.append(row)
        return found

    def _row(self, form: Any, saved: dict[int, PreEngagementField]) -> PreEngagementField | None:
        """None for a row that is removed, or new and not sound yet. What nobody touched is not looked at: many fields
        would take long."""
        row: PreEngagementField = form.instance
        if not form.has_changed():
            return row if row.pk else None
        is_sound = form.is_valid()
        if form.cleaned_data.get(DELETION_FIELD_NAME):
            return None
        if is_sound:
            return row
        known = saved.get(row.pk)
        name = known.label if known else form.data.get(form.add_prefix("label"), "")
        self.kept.append(_quoted(name) if name else _("New field"))
        return known


def _quoted(label: str) -> str:
    return f"“{Truncator(label).chars(40)}”"


@xframe_options_sameorigin
def frame(admin: ModelAdmin, request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """The widget with what the page sends, in the state, colours and language that it names."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if pk is None and not admin.has_add_permission(request):
        raise PermissionDenied
    unsaved = Unsaved(admin, request, Webchat() if pk is None else webchat_or_404(admin, request, pk))
    chosen = Choices.made(request)
    notes = _notes(unsaved, chosen["state"])
    user = request.user if chosen["visitor"] == "user" and request.user.is_authenticated else None
    if unsaved.webchat.colour_scheme == Webchat.ColourScheme.SYSTEM:
        unsaved.webchat.colour_scheme = chosen["look"]
    with override(chosen["language"]):
        context = {
            **_panel(unsaved, chosen["state"], user),
            "styles": SOURCES,
            "look": chosen["look"],
            "shown": chosen["state"],
            "notes": notes,
        }
        response = render(request, "admin/webchat/webchat/builder_frame.html", context)
    return _in_a_frame(request)(lambda _request: response)(request)


def _in_a_frame(request: HttpRequest) -> Callable[[View], View]:
    """The site's policy, for a frame of the admin's that reads the site's static files and sends nothing."""
    alone = {
        "frame-ancestors": [SELF],
        "form-action": [NONE],
        "connect-src": [request.build_absolute_uri(settings.STATIC_URL)],
    }
    return cast("Callable[[View], View]", csp({**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], **alone}))


def _notes(unsaved: Unsaved, state: str) -> list[str]:
    """What staff should know of what they look at, in their language."""
    notes = []
    if unsaved.kept:
        notes.append(_("Shown once it is correct: %(names)s.") % {"names": ", ".join(unsaved.kept)})
    if state in CHATS:
        notes.append(_("A sample conversation."))
    webchat = unsaved.webchat
    if webchat.carries_flex_ui:
        notes.append(_("On the site's pages visitors find Twilio's own widget instead."))
    if state == "closed" and webchat.when_closed == WhenClosed.HIDE:
        notes.append(_("Outside of the opening hours visitors find no launcher; this is what an open page says then."))
    elif state == "closed" and webchat.when_closed == WhenClosed.MESSAGE:
        notes.append(_("Outside of the opening hours visitors find the form to leave a message instead."))
    if state == "message" and not webchat.takes_messages:
        notes.append(_("Visitors do not find this form: messages are switched off under Hours."))
    return notes


def _panel(unsaved: Unsaved, shown: str, user: AbstractBaseUser | None) -> dict[str, Any]:
    """What the templates of the panel read."""
    webchat, rows = unsaved.webchat, unsaved.rows
    context: dict[str, Any] = {
        "webchat": webchat,
        "state": shown,
        "mode": "launcher",
        "form": None,
        "availability": None,
        "error": "",
        "session": None,
        "idempotency_key": "",
    }
    if shown in ("form", "errors"):
        context["state"] = "form"
        asked = [row for row in rows if row.is_asked_of(signed_in=user is not None)]
        mistakes = {row.name: _MISTAKES.get(Type(row.type), "") for row in asked} if shown == "errors" else None
        context["form"] = _UnsavedForm(webchat, rows, user=user, data=mistakes)
    elif shown == "message":
        context["form"] = _UnsavedMessageForm(webchat, rows, user=user)
    if shown in ("message", "closed"):
        context["hours"] = _closed(webchat)
    if shown in CHATS:
        context["state"] = "sample"
    if shown == "ended" and webchat.ask_rating:
        context["session"] = _NO_SESSION
        context["rating"] = RatingForm(auto_id=f"webchat-{webchat.slug}-rating-%s")
    return context


def _closed(webchat: Webchat) -> State:
    """As it is now, or will be at the end of the opening hours."""
    state = state_of(webchat, database_now())
    if state.is_open and state.until:
        state = state_of(webchat, state.until)
    return State(is_open=False) if state.is_open else state

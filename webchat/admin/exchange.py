"""Forms from and to the configuration of Twilio's own webchats."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from webchat.admin.tools import warn, webchat_or_404
from webchat.forms import exchange
from webchat.models import PreEngagementField, Webchat

ADD, REPLACE = "add", "replace"


class ImportForm(forms.Form):
    config = forms.CharField(
        label=gettext_lazy("Configuration"),
        widget=forms.Textarea(attrs={"rows": 14, "cols": 80, "spellcheck": "false", "class": "vLargeTextField"}),
        help_text=gettext_lazy(
            "The preEngagementConfig of Flex Webchat 2.x or 3.x, as it stands in a script, a page or JSON."
        ),
    )
    how = forms.ChoiceField(
        label=gettext_lazy("Fields that are there"),
        choices=[
            (ADD, gettext_lazy("Keep them, and add what is new")),
            (REPLACE, gettext_lazy("Replace the whole form")),
        ],
        widget=forms.RadioSelect,
        initial=ADD,
    )
    texts = forms.BooleanField(
        label=gettext_lazy("Take the title, the introduction, the start button's text and the default name too"),
        required=False,
    )
    # The digest of what staff looked at: a text or choice that was changed since is shown again before it is saved.
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, webchat: Webchat, data: Any = None) -> None:
        super().__init__(data)
        self.webchat = webchat
        self.plan: exchange.Plan | None = None

    def clean_config(self) -> dict[str, Any]:
        config = exchange.read(self.cleaned_data["config"])
        if not all(map(_is_text, _texts_in(config))):
            raise ValidationError(_("The JSON has characters that no text may have."))
        return config

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            self.plan = exchange.plan(cleaned["config"], self.webchat, replace=cleaned["how"] == REPLACE)
        return cleaned

    @property
    def fingerprint(self) -> str:
        """A digest of what was sent and of the form as it is: somebody else may save it meanwhile."""
        sent = [self.data.get(name, "") for name in ("config", "how", "texts")]
        stored: list[Any] = [list(row) for row in self.webchat.fields.order_by("pk").values_list()]
        stored += [getattr(self.webchat, column) for column in (self.plan.texts if self.plan else ())]
        return hashlib.sha256(json.dumps([sent, stored], default=str).encode()).hexdigest()

    @property
    def was_seen(self) -> bool:
        return bool(self.cleaned_data["seen"] == self.fingerprint)

    @property
    def lost(self) -> list[PreEngagementField]:
        """The fields that are replaced by nothing."""
        if self.plan is None or self.cleaned_data["how"] == ADD:
            return []
        return list(self.webchat.fields.exclude(name__in=self.plan.names()))

    @property
    def new_texts(self) -> list[tuple[str, str]]:
        """The label of each text of the webchat, and its new wording."""
        texts = self.plan.texts if self.plan else {}
        return [(str(label_for_field(column, Webchat)), text) for column, text in texts.items()]

    def missing_permissions(self, user: Any) -> list[str]:
        """What the user would need besides, to save this."""
        if self.plan is None:
            return []
        saved = set(self.webchat.fields.values_list("name", flat=True))
        names = self.plan.names()
        model = PreEngagementField._meta.model_name
        needed = {
            f"webchat.add_{model}": names - saved,
            f"webchat.change_{model}": names & saved,
            f"webchat.delete_{model}": self.lost,
            f"webchat.change_{Webchat._meta.model_name}": self.cleaned_data["texts"] and self.new_texts,
        }
        return [permission for permission, what in needed.items() if what and not user.has_perm(permission)]

    def save(self) -> int:
        """Returns how many fields there are more, or anew."""
        if self.plan is None:
            raise ValidationError("There is nothing to save.")
        exchange.save(
            self.plan,
            self.webchat,
            replace=self.cleaned_data["how"] == REPLACE,
            texts=self.cleaned_data["texts"],
        )
        return len(self.plan.found)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for each in value.items() for text in _texts_in(each))
    elif isinstance(value, list | tuple):
        yield from (text for each in value for text in _texts_in(each))


def _is_text(text: str) -> bool:
    """Whether a database stores it: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def import_page(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Shows what a pasted configuration leads to, and saves it when it is sent again as it was shown."""
    webchat = webchat_or_404(admin, request, pk)
    if not admin.has_change_permission(request, webchat):
        raise PermissionDenied
    form = ImportForm(webchat, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid() and (missing := form.missing_permissions(request.user)):
        text = _("Your account may not do all of this. It needs the permission %(permissions)s.")
        form.add_error(None, text % {"permissions": ", ".join(missing)})
    if form.is_bound and form.is_valid() and "save" in request.POST and form.was_seen:
        count = form.save()
        text = ngettext("%(count)d field was imported.", "%(count)d fields were imported.", count) % {"count": count}
        admin.log_change(request, webchat, text)
        admin.message_user(request, text, messages.SUCCESS)
        warn(admin, request, webchat)
        return redirect("admin:webchat_webchat_change", pk)
    if form.is_bound and form.is_valid() and "save" in request.POST:
        admin.message_user(request, _("This is not what you looked at: look again, and save."), messages.WARNING)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "original": webchat,
        "title": _("Import a form"),
        "subtitle": webchat.name,
        "form": form,
        "plan": form.plan,
        "media": admin.media,
    }
    return render(request, "admin/webchat/webchat/import.html", context)


def export(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """The form as a file, in the shape of Flex Webchat 3.x."""
    webchat = webchat_or_404(admin, request, pk)
    response = JsonResponse(exchange.config_of(webchat), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{webchat.slug}-pre-engagement.json"'
    return response

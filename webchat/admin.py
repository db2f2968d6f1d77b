"""Webchats and their forms for staff to compose; chat sessions for them to read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from webchat.models import ChatSession, PreEngagementField, Webchat
from webchat.models.field import name_from_label


class PreEngagementFieldForm(forms.ModelForm):
    def clean_name(self) -> str:
        # Before the formset looks for two rows of one name: it would take two empty ones for that.
        name: str = self.cleaned_data["name"]
        return name or name_from_label(self.cleaned_data.get("label", ""))


class PreEngagementFieldInline(admin.StackedInline):
    model = PreEngagementField
    form = PreEngagementFieldForm
    extra = 0
    fieldsets = [
        (None, {"fields": [("position", "label", "name"), ("type", "required", "role"), "choices", "audience"]}),
        (
            _("Look and limits"),
            {
                "classes": ["collapse"],
                "fields": ["help_text", ("placeholder", "initial"), ("min_length", "max_length"), "autocomplete"],
            },
        ),
        (_("The site's users"), {"classes": ["collapse"], "fields": [("match", "user_lookup")]}),
    ]


@admin.register(Webchat)
class WebchatAdmin(admin.ModelAdmin):
    list_display = ["name", "slug", "enabled", "api", "site"]
    list_filter = ["enabled", "api"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [PreEngagementFieldInline]
    actions = ["test_connection"]
    readonly_fields = ["environment"]
    save_on_top = True
    fieldsets = [
        (None, {"fields": ["name", "slug", "site", "enabled", "daily_cap"]}),
        (
            _("Twilio Flex"),
            {
                "fields": [
                    "api",
                    "address_sid",
                    "flex_flow_sid",
                    "chat_service_sid",
                    "chat_friendly_name",
                    "customer_friendly_name",
                    "environment",
                ]
            },
        ),
        (_("Look"), {"fields": ["brand_colour", "position"]}),
        (
            _("Texts"),
            {
                "fields": [
                    "launcher_label",
                    "title",
                    "intro",
                    "submit_label",
                    "waiting_text",
                    "ended_text",
                    "closed_text",
                    "unavailable_text",
                ]
            },
        ),
    ]

    @admin.display(description=_("credentials in the environment"))
    def environment(self, webchat: Webchat) -> str:
        """Which are set, by their last four characters: enough to tell two keys apart, and no secret."""
        names = ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET"]
        parts = [f"{name}: {_shown(getattr(settings, name))}" for name in names]
        if settings.TWILIO_SANDBOX_URL:
            parts.append(f"TWILIO_SANDBOX_URL: {settings.TWILIO_SANDBOX_URL}")
        return " · ".join(parts)

    @admin.action(description=_("Test the connection to Twilio"))
    def test_connection(self, request: HttpRequest, webchats: QuerySet[Webchat]) -> None:
        for webchat in webchats:
            problems = webchat.gateway(webchat.api).diagnose()
            for problem in problems:
                self.message_user(request, f"{webchat}: {problem}", messages.ERROR)
            if not problems:
                text = _("%(webchat)s: everything that a chat needs is there.") % {"webchat": webchat}
                self.message_user(request, text, messages.SUCCESS)


def _shown(value: str) -> str:
    return f"…{value[-4:]}" if len(value) >= 16 else str(_("set") if value else _("not set"))


@admin.register(ChatSession)
class ChatSessionAdmin(admin.ModelAdmin):
    list_display = ["created_at", "webchat", "customer_friendly_name", "user", "status", "ended_by"]
    list_filter = ["status", "webchat", "api", "created_at"]
    list_select_related = ["webchat", "user"]
    search_fields = ["=channel_sid", "=identity", "customer_friendly_name", "=user__email"]
    date_hierarchy = "created_at"
    exclude = ["owner", "key", "answers_digest"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

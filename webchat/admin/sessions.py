"""Chat sessions, for reading."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from webchat.models import ChatSession


@admin.register(ChatSession)
class ChatSessionAdmin(admin.ModelAdmin):
    list_display = ["created_at", "webchat", "customer_friendly_name", "user", "status", "ended_by"]
    list_filter = ["status", "webchat", "api", "created_at"]
    list_select_related = ["webchat", "user"]
    search_fields = ["=channel_sid", "=identity", "customer_friendly_name", "=user__email"]
    date_hierarchy = "created_at"
    exclude = ["account", "browser", "owner", "key", "answers_digest"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

"""Users in the admin: Django's own pages, with the company's two fields."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.utils.translation import gettext_lazy as _

from config.accounts.models import User


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    list_display = ["username", "email", "first_name", "last_name", "customer_number", "is_active", "is_staff"]
    search_fields = [*DjangoUserAdmin.search_fields, "phone", "customer_number"]
    fieldsets = [*(DjangoUserAdmin.fieldsets or ()), (_("Customer"), {"fields": ["phone", "customer_number"]})]
    add_fieldsets = [
        *DjangoUserAdmin.add_fieldsets,
        (_("Customer"), {"classes": ["wide"], "fields": ["email", "phone", "customer_number"]}),
    ]

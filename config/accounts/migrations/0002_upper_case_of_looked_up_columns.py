from __future__ import annotations

import django.db.models.functions.text
from django.db import migrations, models

from webchat.concurrent_indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("accounts", "0001_user_with_customer_number"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(django.db.models.functions.text.Upper("username"), name="accounts_username_upper"),
        ),
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(django.db.models.functions.text.Upper("first_name"), name="accounts_first_name_upper"),
        ),
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(django.db.models.functions.text.Upper("last_name"), name="accounts_last_name_upper"),
        ),
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(django.db.models.functions.text.Upper("phone"), name="accounts_phone_upper"),
        ),
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(
                django.db.models.functions.text.Upper("customer_number"), name="accounts_customer_number_upper"
            ),
        ),
    ]

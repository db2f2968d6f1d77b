from __future__ import annotations

from django.db import migrations, models

from webchat.concurrent_indexes import AddIndexConcurrently
from webchat.models.beginnings import UpperByCodePoint


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("accounts", "0002_upper_case_of_looked_up_columns"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(UpperByCodePoint(column), name=f"accounts_{name}_begins"),
        )
        for column, name in (
            ("username", "username"),
            ("email", "email"),
            ("first_name", "first_name"),
            ("last_name", "last_name"),
            ("phone", "phone"),
            ("customer_number", "number"),
        )
    ]

"""Who can sign in to the website. A company replaces this model with its own: the webchat knows only
`get_user_model()`, and names the columns that it compares in its configuration."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from webchat.models.beginnings import UpperByCodePoint


class User(AbstractUser):
    """A customer or a member of staff.

    `phone` is stored as E.164 ("+41446681800"), "" when unknown. `customer_number` is the company's own reference
    ("C-1001"), None when there is none; two users never share one.
    """

    phone = PhoneNumberField(_("phone number"), blank=True, db_index=True, help_text=_("With the country's code: +41…"))
    customer_number = models.CharField(_("customer number"), max_length=32, unique=True, null=True, blank=True)

    class Meta(AbstractUser.Meta):
        # Visitors' answers are looked up in these columns (WEBCHAT_USER_LOOKUPS), so no look-up may read the whole table.
        indexes = [
            models.Index(Upper("email"), name="accounts_user_email_upper"),
            models.Index(Upper("username"), name="accounts_username_upper"),
            models.Index(Upper("first_name"), name="accounts_first_name_upper"),
            models.Index(Upper("last_name"), name="accounts_last_name_upper"),
            models.Index(Upper("phone"), name="accounts_phone_upper"),
            models.Index(Upper("customer_number"), name="accounts_customer_number_upper"),
            # Staff search for how these begin.
            models.Index(UpperByCodePoint("username"), name="accounts_username_begins"),
            models.Index(UpperByCodePoint("email"), name="accounts_email_begins"),
            models.Index(UpperByCodePoint("first_name"), name="accounts_first_name_begins"),
            models.Index(UpperByCodePoint("last_name"), name="accounts_last_name_begins"),
            models.Index(UpperByCodePoint("phone"), name="accounts_phone_begins"),
            models.Index(UpperByCodePoint("customer_number"), name="accounts_number_begins"),
        ]
        constraints = [
            # "" would count as a number that one user may have and the next one may not.
            models.CheckConstraint(
                condition=~models.Q(customer_number=""),
                name="accounts_user_customer_number_not_empty",
                violation_error_message=_("A customer number is either absent or not empty."),
            )
        ]

"""With what of an account staff may have answers compared: it is chosen, in the words of the site's own user model."""

from __future__ import annotations

import pytest

from tests.support.factories import make_field, make_webchat
from webchat.fields.lookups import lookup_choices


def test_the_choices_are_called_as_in_the_sites_user_model(settings):
    settings.WEBCHAT_USER_LOOKUPS = ["email", "customer_number", "shoe_size", "password", ""]
    assert lookup_choices() == [
        ("email", "E-mail address (email)"),
        ("customer_number", "Customer number (customer_number)"),
    ]


def test_another_user_model_has_its_own_also_over_a_relation(settings):
    settings.AUTH_USER_MODEL = "webchat.PreEngagementField"
    settings.WEBCHAT_USER_LOOKUPS = ["email", "name", "webchat__slug", "webchat"]
    assert lookup_choices() == [("name", "Key in Studio (name)"), ("webchat__slug", "Webchat · slug (webchat__slug)")]


@pytest.mark.django_db
def test_staff_choose_among_them_and_keep_what_was_chosen_before(admin_client, settings):
    webchat = make_webchat(fields=False)
    make_field(webchat, "phone", match="annotate", user_lookup="phone")
    settings.WEBCHAT_USER_LOOKUPS = ["email"]
    html = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()
    select = html.partition('<select name="fields-0-user_lookup"')[2].partition("</select>")[0]
    assert '<option value="email">E-mail address (email)</option>' in select
    assert '<option value="phone" selected>phone</option>' in select

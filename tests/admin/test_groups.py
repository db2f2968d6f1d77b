"""Groups of staff that are there from the beginning, and tables that are in nobody's list of permissions."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db.migrations import Migration

from tests.support.factories import make_user, make_webchat
from webchat.groups import CAME_WITH, GROUPS, after_migrate, make_groups
from webchat.models import LimitCounter

pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

PLAN = [(Migration(f"0019_{CAME_WITH}", "webchat"), False)]


@pytest.fixture(autouse=True)
def no_groups():
    Group.objects.all().delete()


def permissions_of(group: str) -> set[str]:
    return set(Group.objects.get(name=group).permissions.values_list("codename", flat=True))


def test_they_come_with_their_migration_once():
    after_migrate(plan=[(Migration("0001_anything", "webchat"), False)])
    after_migrate()
    after_migrate(plan=[(PLAN[0][0], True)])
    assert not Group.objects.exists()
    after_migrate(plan=PLAN)
    assert {group.name for group in Group.objects.all()} == set(GROUPS)
    known = set(Permission.objects.values_list("codename", flat=True))
    for name, codenames in GROUPS.items():
        assert permissions_of(name) == set(codenames) & known


def test_what_staff_made_of_them_stays():
    make_groups()
    Group.objects.get(name="Chat read-only").permissions.clear()
    Group.objects.get(name="Chat supervisor").delete()
    make_groups()
    assert permissions_of("Chat read-only") == set()
    assert "view_chatsession" in permissions_of("Chat supervisor")


@pytest.mark.parametrize(
    ("group", "may_change", "may_see_statistics"),
    [("Chat administrator", True, True), ("Chat supervisor", False, True), ("Chat read-only", False, True)],
)
def test_each_group_opens_what_its_name_says(client, group, may_change, may_see_statistics):
    make_groups()
    webchat = make_webchat()
    staff = make_user(is_staff=True)
    staff.groups.add(Group.objects.get(name=group))
    client.force_login(staff)
    page = client.get(f"/admin/webchat/webchat/{webchat.pk}/change/")
    assert page.status_code == 200
    assert ('name="_save"' in page.content.decode()) == may_change
    assert (client.get("/admin/webchat/statistics/").status_code == 200) == may_see_statistics
    assert client.get("/admin/webchat/chatsession/").status_code == 200
    assert client.get("/admin/accounts/user/").status_code == 403


def test_internal_tables_are_in_nobodys_list():
    old = Permission.objects.create(
        codename="view_limitcounter", name="old", content_type=ContentType.objects.get_for_model(LimitCounter)
    )
    after_migrate(plan=PLAN)
    assert not Permission.objects.filter(pk=old.pk).exists()
    listed = set(
        Permission.objects.filter(content_type__app_label="webchat").values_list("content_type__model", flat=True)
    )
    assert listed == {
        "webchat", "preengagementfield", "openinghours", "span", "specialday", "chatsession", "message", "rating",
    }  # fmt: skip
    assert {model._meta.model_name for model in apps.get_app_config("webchat").get_models()} > listed

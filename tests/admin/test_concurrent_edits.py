"""Two members of staff edit one webchat: nobody undoes what the other saved without having read it, and nothing is lost."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import unquote, urlencode

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.sites.models import Site
from django.core import signing
from django.db import transaction
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client

from config.accounts.models import User
from tests.support.factories import ANSWERS, make_field, make_hours, make_legacy, make_user, make_webchat
from tests.support.page_form import form_of
from tests.support.visitor import VisitorClient
from webchat.admin.concurrent_edits import ConcurrentEditsMixin
from webchat.admin.merging import merge, same
from webchat.models import Message, Webchat
from webchat.sandbox import account

pytestmark = pytest.mark.django_db


@pytest.fixture
def webchat():
    webchat = make_webchat()
    make_field(webchat, "ref")
    return webchat


class Staff:
    """A member of staff with the page of a row open since now."""

    def __init__(self, row: Model, name: str, page: str = "change") -> None:
        self.client = Client()
        self.client.force_login(make_user(name, is_staff=True, is_superuser=True))
        self.url = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{page}/"
        self.read(self.client.get(self.url))

    def read(self, response: HttpResponse) -> None:
        self.html = response.content.decode()
        self.form = form_of(self.html)

    def row(self, name: str) -> str:
        """The prefix of a field's inputs on this page."""
        [prefix] = [
            key.removesuffix("-name") for key, values in self.form.items() if values == [name] and key.endswith("-name")
        ]
        return prefix

    def write(self, key: str, value: str) -> None:
        assert key in self.form or key.endswith("-DELETE")
        self.form[key] = [value]

    def add(self, **values: str) -> None:
        number = int(self.form["fields-TOTAL_FORMS"][0])
        self.form["fields-TOTAL_FORMS"] = [str(number + 1)]
        empty = {key.partition("-__prefix__-")[2]: each for key, each in self.form.items() if "-__prefix__-" in key}
        self.form |= {f"fields-{number}-{key}": each for key, each in empty.items()}
        self.form |= {f"fields-{number}-{key}": [value] for key, value in values.items()}

    def save(self) -> bool:
        """Whether it was saved. Else the page with what is wrong stands there."""
        response = self.client.post(self.url, self.form)
        if response.status_code == 302:
            return True
        assert response.status_code == 200
        self.read(response)
        return False

    @property
    def said(self) -> list[str]:
        found = re.search(r'<ul class="errorlist nonfield"[^>]*>(.*?)</ul>', self.html, re.DOTALL)
        return [unescape(each) for each in re.findall(r"<li>(.*?)</li>", found[1])] if found else []


def labels(webchat: Webchat) -> dict[str, str]:
    return dict(webchat.fields.values_list("name", "label"))


def test_a_page_that_is_up_to_date_is_saved_at_once(webchat):
    ada = Staff(webchat, "ada")
    before = labels(webchat), list(Webchat.objects.values())
    assert ada.save()
    assert (labels(webchat), list(Webchat.objects.values())) == before


def test_an_older_page_undoes_nothing_and_keeps_what_was_written_in_it(webchat):
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    ada.write(ada.row("email") + "-label", "Your e-mail")
    ada.write("intro", "Ada's introduction.")
    assert ada.save()
    ben.write("title", "Ben's title")
    ben.write(ben.row("ref") + "-label", "Reference")
    assert not ben.save()
    webchat.refresh_from_db()
    assert webchat.title == "Chat with us", "nothing is saved unseen"
    who, *what, last = ben.said
    assert who.startswith("Ada Lovelace, ")
    assert "Label for pre-engagement field “Your e-mail”" in who
    assert sorted(what) == ["“Introduction” is now: Ada's introduction.", "“Your e-mail: Label” is now: Your e-mail"]
    assert "save again" in last
    assert ben.save()
    webchat.refresh_from_db()
    assert (webchat.title, webchat.intro) == ("Ben's title", "Ada's introduction.")
    assert labels(webchat) == {"name": "Name", "email": "Your e-mail", "question": "Question", "ref": "Reference"}


def test_what_both_changed_is_the_second_ones_choice(webchat):
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    ada.write(ada.row("ref") + "-label", "Ada's")
    assert ada.save()
    ben.write(ben.row("ref") + "-label", "Ben's")
    assert not ben.save()
    assert any("“Ada's: Label” was saved as: Ada's. You have changed it too" in text for text in ben.said)
    assert labels(webchat)["ref"] == "Ada's"
    assert ben.form[ben.row("ref") + "-label"] == ["Ben's"]
    assert ben.save()
    assert labels(webchat)["ref"] == "Ben's"


def test_a_field_that_was_deleted_is_named_and_the_others_stand_under_their_own_headings(webchat):
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    ada.write(ada.row("email") + "-DELETE", "on")
    assert ada.save()
    ben.write(ben.row("ref") + "-label", "Reference")
    assert not ben.save()
    assert "“Email” was deleted." in ben.said
    headings = re.findall(r'<strong>([^<]*)</strong>\s*<span class="webchat-row-words"><span>(\w+)', ben.html)
    assert headings == [("Name", "name"), ("Question", "question"), ("Reference", "ref")]
    assert ben.save()
    assert labels(webchat) == {"name": "Name", "question": "Question", "ref": "Reference"}


def test_a_field_that_was_deleted_while_it_was_edited_stands_there_as_a_new_one(webchat):
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    ada.write(ada.row("email") + "-DELETE", "on")
    assert ada.save()
    ben.write(ben.row("email") + "-label", "Your e-mail")
    assert not ben.save()
    assert any("“Email” was deleted. You have changed it" in text for text in ben.said)
    assert ben.form[ben.row("email") + "-id"] == [""]
    assert ben.save()
    assert labels(webchat)["email"] == "Your e-mail"


def test_what_was_written_in_the_page_of_a_row_that_is_gone_can_be_added_anew(webchat):
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    ada.client.post(ada.url.replace("change", "delete"), {"post": "yes"})
    assert not Webchat.objects.exists()
    ben.write("title", "Ben's title")
    assert not ben.save()
    who, last = ben.said
    assert who.startswith("Ada Lovelace, ")
    assert "was deleted" in last
    assert ben.form["title"] == ["Ben's title"]
    ben.url = re.findall(r'<form action="([^"]+/add/)"', ben.html)[0]
    assert ben.save()
    anew = Webchat.objects.get()
    assert (anew.title, anew.slug) == ("Ben's title", "support")
    assert list(anew.fields.values_list("name", flat=True)) == ["name", "email", "question", "ref"]


def test_both_delete_a_field(webchat):
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    for each in (ada, ben):
        each.write(each.row("ref") + "-DELETE", "on")
    assert ada.save()
    assert not ben.save()
    assert ben.save()
    assert "ref" not in labels(webchat)


def test_both_add_a_field_of_one_name(webchat):
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    ada.add(label="Postcode")
    ben.add(label="Postcode", help_text="Five digits.")
    assert ada.save()
    assert not ben.save()
    assert "“Postcode” was added." in ben.said
    assert ben.html.count("Another field of this form has that name.") == 1
    [new] = [key for key, values in ben.form.items() if values == ["Five digits."]]
    assert not ben.save(), "for as long as it has that name"
    ben.write(new.replace("help_text", "name"), "zip")
    assert ben.save()
    assert {"postcode", "zip"} <= labels(webchat).keys()


def test_two_edit_opening_hours():
    plan = make_hours(*[(day, "09:00", "18:00") for day in range(3)])
    ada, ben = Staff(plan, "ada"), Staff(plan, "ben")
    ada.write("spans-0-closes", "17:00")
    ada.write("spans-1-DELETE", "on")
    assert ada.save()
    ben.write("spans-2-opens", "10:00")
    assert not ben.save()
    what = " ".join(ben.said)
    for text in ("Closes” is now: 17:00", "“Tuesday 09:00–18:00” was deleted."):
        assert text in what
    assert ben.save()
    times = [(span.weekday, f"{span.opens:%H:%M}", f"{span.closes:%H:%M}") for span in plan.spans.all()]
    assert times == [(0, "09:00", "17:00"), (2, "10:00", "18:00")]


def test_a_row_that_repeats_another_is_refused_at_its_field():
    ada = Staff(make_hours((0, "09:00", "12:00"), (0, "13:00", "18:00")), "ada")
    ada.write("spans-1-opens", "09:00")
    assert not ada.save()
    cell = re.search(r'<td class="field-opens">(?:(?!</td>).)*Another span opens at that time', ada.html, re.DOTALL)
    assert cell
    assert ada.html.count("Another span opens at that time") == 1


# Django's own template of a password has a variable that may be missing.
@pytest.mark.ignore_template_errors
def test_two_edit_a_user_who_signs_in_meanwhile():
    customer = make_user("carl", customer_number="C-1", phone="+41446681800")
    customer.groups.add(*(Group.objects.create(name=name) for name in "ab"))
    ada, ben, zoe = (Staff(customer, name) for name in ("ada", "ben", "zoe"))
    assert customer.password not in unquote(ben.html)
    assert customer.password not in str(signing.loads(ben.form["as_shown"][0], salt="webchat.admin.as_shown"))
    Client().force_login(customer)
    ada.write("email", "new@example.com")
    assert ada.save(), "a sign-in is no news"
    ben.write("first_name", "Charles")
    assert not ben.save()
    assert "“E-mail address” is now: new@example.com" in ben.said
    assert ben.save()
    zoe.write("customer_number", "C-2")
    assert not zoe.save()
    zoe.write("username", "ada")
    assert not zoe.save()
    assert "A user with that username already exists." in zoe.html
    customer.refresh_from_db()
    assert (customer.email, customer.first_name, customer.customer_number) == ("new@example.com", "Charles", "C-1")
    assert customer.last_login is not None
    assert customer.groups.count() == 2


def test_two_edit_a_group():
    group = Group.objects.create(name="Support")
    ada, ben = Staff(group, "ada"), Staff(group, "ben")
    ada.write("name", "Service")
    assert ada.save()
    assert not ben.save()
    assert "“Name” is now: Service" in ben.said
    assert ben.save()
    group.refresh_from_db()
    assert group.name == "Service"


def test_two_choose_queue_and_tasks(sandbox):
    webchat = make_webchat()
    ada, ben, zoe = (Staff(webchat, name, "routing") for name in ("ada", "ben", "zoe"))
    ada.write("queue_sid", account.TASK_QUEUE_SID)
    ada.write("task_days", "3")
    assert ada.save()
    ben.write("task_workflow_sid", account.WORKFLOW_SID)
    ben.write("task_days", "5")
    assert not ben.save()
    webchat.refresh_from_db()
    assert (webchat.task_days, webchat.task_workflow_sid) == (3, "")
    who, *what, last = ben.said
    assert who.startswith("Ada Lovelace, ")
    assert who.endswith(": Address, queue and tasks")
    assert what[0] == "“Task queue” is now: Everyone"
    assert "was saved as: 3. You have changed it too" in what[1]
    assert "save again" in last
    assert ben.save()
    webchat.refresh_from_db()
    assert (webchat.queue_name, webchat.task_workflow_sid) == ("Everyone", account.WORKFLOW_SID)
    assert webchat.task_days == 5
    assert not zoe.save(), "who changed nothing undoes nothing"
    assert zoe.form["task_days"] == ["5"]


def test_two_move_a_webchat(sandbox):
    webchat = make_legacy()
    ada, ben, zoe = (Staff(webchat, name, "move") for name in ("ada", "ben", "zoe"))
    ada.write("address_sid", account.ADDRESS_SID)
    assert ada.save()
    ben.write("address_sid", "IG" + "1" * 32)
    assert not ben.save()
    who, what, _last = ben.said
    assert who.endswith(": Moved to Flex Conversations.")
    assert f"was saved as: {account.ADDRESS_SID}. You have changed it too" in what
    assert ben.form["address_sid"] == ["IG" + "1" * 32]
    assert not ben.save()
    assert "There is no address with this SID" in ben.html, "on the second try, it is asked for at Twilio"
    zoe.write("address_sid", account.ADDRESS_SID)
    assert zoe.save(), "both wanted the same"
    webchat.refresh_from_db()
    assert (webchat.api, webchat.address_sid) == ("conversations", account.ADDRESS_SID)


def test_a_page_that_does_not_say_what_it_showed_undoes_nothing_unread(webchat):
    """It was opened before this site compared, or with another secret key."""
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    for key in ("label", "help_text"):
        ada.write(f"{ada.row('email')}-{key}", f"Ada's {key}")
    assert ada.save()
    ben.form["as_shown"] = ["of another key"]
    ben.write("title", "Ben's title")
    ben.write(ben.row("ref") + "-label", "")
    assert not ben.save()
    first, *what, _last = ben.said
    assert "too old to tell" in first
    assert sorted(what) == [
        "“Ada's label: Help” is saved as: Ada's help_text. Yours stands below.",
        "“Ada's label: Label” is saved as: Ada's label. Yours stands below.",
        "“Ref: Label” is saved as: Ref. Yours stands below.",
        "“Title” is saved as: Chat with us. Yours stands below.",
    ]
    assert "This field is required." in ben.html
    assert labels(webchat) | {"title": Webchat.objects.get().title} == {
        "name": "Name", "email": "Ada's label", "question": "Question", "ref": "Ref", "title": "Chat with us"
    }  # fmt: skip
    ben.write(ben.row("ref") + "-label", "Reference")
    assert ben.form["title"] == ["Ben's title"]
    assert ben.save()
    assert labels(webchat) == {"name": "Name", "email": "Email", "question": "Question", "ref": "Reference"}


def test_nor_does_it_lose_a_field_that_was_deleted(webchat):
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    ada.write(ada.row("ref") + "-DELETE", "on")
    assert ada.save()
    del ben.form["as_shown"]
    assert not ben.save()
    assert any("was deleted. You have changed it, so it stands below" in text for text in ben.said)
    assert ben.form[ben.row("ref") + "-id"] == [""]


def test_what_a_page_had_no_input_for_stays_as_it_is(webchat):
    """It is new in this version of the site, or shown again since."""
    ada = Staff(webchat, "ada")
    shown, latest = signing.loads(ada.form["as_shown"][0], salt="webchat.admin.as_shown")
    del shown[""][""][1]["enabled"], ada.form["enabled"]
    ada.form["as_shown"] = [signing.dumps([shown, latest], salt="webchat.admin.as_shown")]
    ada.write("title", "Ada's title")
    assert ada.save()
    webchat.refresh_from_db()
    assert (webchat.enabled, webchat.title) == (True, "Ada's title")


def test_a_name_that_is_taken_is_an_error_at_its_field(webchat):
    ada = Staff(webchat, "ada")
    ada.add(label="Ref")
    assert not ada.save()
    assert ada.html.count("Another field of this form has that name.") == 1
    assert 'id="id_fields-4-name_error"' in ada.html or "errors field-name" in ada.html


def test_a_unique_value_that_was_taken_between_check_and_write_is_checked_again(admin_user, rf):
    tried = []

    def view(request):
        tried.append(request)
        with transaction.atomic():
            if len(tried) == 1:
                User.objects.create(username=admin_user.username)
        return HttpResponse("the page with the error")

    request = rf.get("/admin/")
    request.user = admin_user
    assert admin.site.admin_view(view)(request).content == b"the page with the error"
    assert len(tried) == 2


def test_the_merge_is_three_way():
    merged = merge(
        {"a": ["mine"], "b": ["old"], "c": ["mine"], "d": ["same"], "e": []},
        {"a": ["old"], "b": ["old"], "c": ["old"], "d": ["old"], "e": ["on"]},
        {"a": ["old"], "b": ["new"], "c": ["new"], "d": ["same"], "e": ["on"]},
    )
    assert merged.inputs == {"a": ["mine"], "b": ["new"], "c": ["mine"], "d": ["same"], "e": []}
    assert (merged.theirs, merged.both) == (["b"], ["c"])
    assert same(["a\r\nb"], ["a\nb"])
    assert same([], [""])


def order_of(webchat: Webchat) -> list[str]:
    return list(webchat.fields.values_list("name", flat=True))


def put_in_order(staff: Staff, *names: str) -> None:
    """As dragging does: it numbers all rows anew."""
    for place, name in enumerate(names, 1):
        staff.write(staff.row(name) + "-position", str(place * 10))


def numbered(webchat: Webchat) -> Webchat:
    Staff(webchat, "first").save()
    return webchat


def test_two_move_fields_and_the_second_reads_of_the_firsts_order(webchat):
    numbered(webchat)
    ada, ben = Staff(webchat, "ada"), Staff(webchat, "ben")
    put_in_order(ada, "ref", "name", "email", "question")
    assert ada.save()
    put_in_order(ben, "email", "name", "question", "ref")
    assert not ben.save()
    assert order_of(webchat) == ["ref", "name", "email", "question"]
    assert any("saved as: Ref, Name, Email, Question. You have changed it too" in text for text in ben.said)
    assert ben.save()
    assert order_of(webchat) == ["email", "name", "question", "ref"], "his own, whole"


def test_an_order_stays_whole_where_one_alone_moved_fields(webchat):
    numbered(webchat)
    ada, ben, cyd = (Staff(webchat, name) for name in ("ada", "ben", "cyd"))
    put_in_order(ada, "ref", "name", "email", "question")
    assert ada.save()
    ben.write("title", "Ben's title")
    assert ben.save(), "numbers alone are no news"
    assert order_of(webchat) == ["ref", "name", "email", "question"]
    ada.read(ada.client.get(ada.url))
    ada.write(ada.row("ref") + "-DELETE", "on")
    assert ada.save(), "which numbers the others anew"
    cyd.read(cyd.client.get(cyd.url))
    dan = Staff(webchat, "dan")
    put_in_order(cyd, "question", "name", "email")
    dan.write(dan.row("name") + "-label", "Who are you?")
    assert dan.save()
    assert not cyd.save()
    assert cyd.save()
    assert order_of(webchat) == ["question", "name", "email"]
    assert labels(webchat)["name"] == "Who are you?"


def test_a_webchat_that_is_archived_or_switched_off_beside_an_edit_stays_so(webchat):
    ada, ben, cyd = (Staff(webchat, name) for name in ("ada", "ben", "cyd"))
    ada.client.post(f"/admin/webchat/webchat/{webchat.pk}/switch/", {"to": "off"})
    ben.write("title", "Ben's title")
    assert not ben.save()
    assert any(text.endswith("Switched off: no new chat can start. Running chats go on.") for text in ben.said)
    assert "“Enabled” is now: –" in ben.said
    assert ben.save()
    ada.client.post("/admin/webchat/webchat/", {"action": "archive", "_selected_action": [webchat.pk]})
    cyd.write("subtitle", "Cyd's subtitle")
    assert not cyd.save()
    assert any(text.endswith(": Archived.") for text in cyd.said)
    assert cyd.save()
    webchat.refresh_from_db()
    assert (webchat.enabled, webchat.archived_at is None) == (False, False)
    assert (webchat.title, webchat.subtitle) == ("Ben's title", "Cyd's subtitle")


def test_public_holidays_that_another_adds_meanwhile_stay():
    plan = make_hours()
    ada, ben = Staff(plan, "ada"), Staff(plan, "ben")
    asked = {"country": "CH", "region": "", "year": "2030", "language": "de"}
    address = f"/admin/webchat/openinghours/{plan.pk}/holidays/?{urlencode(asked)}"
    ada.client.post(address, {"day": ["2030-08-01"]})
    ben.write("name", "Ben's hours")
    assert not ben.save()
    assert any("was added" in text and "2030" in text for text in ben.said)
    assert ben.save()
    assert [day.first.isoformat() for day in plan.special_days.all()] == ["2030-08-01"]


def test_a_message_that_another_answered_meanwhile_stays_answered():
    make_webchat(when_closed="message")
    VisitorClient().leave({**ANSWERS, "question": "Where is my parcel?"})
    message = Message.objects.get()
    ada, ben = Staff(message, "ada"), Staff(message, "ben")
    ada.form["is_answered"] = ["on"]
    assert ada.save()
    assert not ben.save(), "whose page says that it is not"
    assert "“Mark as answered” is now: on" in ben.said
    assert ben.save()
    message.refresh_from_db()
    assert str(message.answered_by) == "ada"


def test_two_edit_a_site():
    site = Site.objects.get()
    ada, ben = Staff(site, "ada"), Staff(site, "ben")
    ada.write("domain", "www.example.com")
    assert ada.save()
    ben.write("name", "Shop")
    assert not ben.save()
    assert "“Domain name” is now: www.example.com" in ben.said
    assert ben.save()
    site.refresh_from_db()
    assert (site.domain, site.name) == ("www.example.com", "Shop")


def test_every_page_of_the_admin_that_can_be_saved_compares_with_what_is_stored(rf):
    request = rf.get("/admin/")
    request.user = make_user("ada", is_staff=True, is_superuser=True)
    others = [
        model._meta.label
        for model, each in (
            (model, admin.site.get_model_admin(model)) for model in apps.get_models() if admin.site.is_registered(model)
        )
        if each.has_change_permission(request) and not isinstance(each, ConcurrentEditsMixin)
    ]
    assert others == []


def test_an_import_does_not_put_its_title_over_one_that_nobody_looked_at(webchat, admin_client):
    address = f"/admin/webchat/webchat/{webchat.pk}/import/"
    config = {"title": "Imported", "fields": [{"label": "PIN", "type": "InputItem", "attributes": {"name": "pin"}}]}
    posted = {"config": json.dumps(config), "how": "add", "texts": "on"}
    shown = form_of(admin_client.post(address, posted).content.decode())
    ada = Staff(webchat, "ada")
    ada.write("title", "Ada's title")
    assert ada.save()
    again = admin_client.post(address, {**posted, "seen": shown["seen"], "save": "1"})
    assert "This is not what you looked at" in again.content.decode()
    webchat.refresh_from_db()
    assert webchat.title == "Ada's title"

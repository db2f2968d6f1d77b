"""Forms that come from elsewhere and go there: Twilio's own configuration, and fixtures between environments."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.factories import change, make_field, make_webchat
from webchat.forms import exchange
from webchat.models import PreEngagementField, Webchat

pytestmark = pytest.mark.django_db

Type, Role, Match = PreEngagementField.Type, PreEngagementField.Role, PreEngagementField.Match

# As in Twilio's documentation of Flex Webchat 2.x.
LEGACY = """
// The configuration of our old chat
const appConfig = {
  accountSid: "AC0", flexFlowSid: 'FO0',
  startEngagementOnInit: false,
  preEngagementConfig: {
    description: "Please provide some information",
    fields: [
      {
        label: "What is your name?",
        type: "InputItem",
        attributes: {name: "friendlyName", type: "text", required: true}
      },
      {
        label: "What is your question?",
        type: "TextareaItem",
        attributes: {name: "question", type: "text", placeholder: "Type your question here", required: false, rows: 5,},
      },
    ],
    footerLabel: "I am a <a href='/'>footer</a>", /* HTML */
    submitLabel: "Ok Let's Go!",
  },
};
"""

MODERN = {
    "title": "Hello",
    "description": "Tell us who you are",
    "submitLabel": "Go",
    "fields": [
        {"label": "Name", "type": "InputItem", "attributes": {"name": "friendlyName", "type": "text", "required": True}},
        {"label": "E-mail", "type": "InputItem", "attributes": {"name": "email", "type": "email", "required": True}},
        {
            "label": "Order",
            "type": "InputItem",
            "attributes": {"name": "orderNumber", "type": "text", "pattern": "^[A-Z]-[0-9]{4}$", "title": "Like A-1234"},
        },
        {"label": "Day", "type": "InputItem", "attributes": {"name": "day", "type": "date", "min": "2026-01-01"}},
        {"label": "Time", "type": "InputItem", "attributes": {"name": "time", "type": "time"}},
        {"label": "Pieces", "type": "InputItem", "attributes": {"name": "pieces", "type": "number", "value": 2}},
        {"label": "Phone", "type": "InputItem", "attributes": {"name": "phone", "type": "tel"}},
        {
            "label": "Topic",
            "type": "SelectItem",
            "attributes": {"name": "topic", "required": True},
            "options": [
                {"value": "", "label": "Choose a topic"},
                {"value": "sales", "label": "Sales"},
                {"value": "help", "label": "Help", "selected": True},
                {"value": "help", "label": "Help"},
            ],
        },
        {"label": "I agree", "type": "CheckboxItem", "attributes": {"name": "terms", "required": True, "refLink": "<a>"}},
        {"label": "News", "type": "CheckboxItem", "attributes": {"name": "news"}},
        {"label": "Plan", "type": "InputItem", "attributes": {"name": "plan", "value": "gold", "readOnly": True}},
        {"label": "Question", "type": "TextareaItem", "attributes": {"name": "query", "required": True}},
    ],
}  # fmt: skip


def imported(config, webchat=None, *, replace=False, texts=False):
    webchat = webchat or make_webchat(fields=False)
    plan = exchange.plan(
        exchange.read(config if isinstance(config, str) else json.dumps(config)), webchat, replace=replace
    )
    exchange.save(plan, webchat, replace=replace, texts=texts)
    return webchat, plan


def notes_of(plan, name):
    return " ".join(next(found.notes for found in plan.found if found.row.name == name))


def one(**item):
    return {"fields": [{"label": "Label", **item}]}


# --- Import ---------------------------------------------------------------------------------------------------------


def test_the_example_of_webchat_2_is_taken_as_it_stands_in_a_script():
    webchat, plan = imported(LEGACY, texts=True)
    name, question = webchat.fields.all()
    assert (name.name, name.type, name.role, name.required) == ("name", Type.NAME, Role.CUSTOMER_NAME, True)
    assert (question.name, question.type, question.role, question.required) == (
        "question",
        Type.TEXTAREA,
        Role.QUESTION,
        False,
    )
    assert question.placeholder == "Type your question here"
    webchat.refresh_from_db()
    assert (webchat.intro, webchat.submit_label) == ("Please provide some information", "Ok Let's Go!")
    assert dict(plan.left_out)["footerLabel"] == "HTML is never taken."
    assert "rows" in notes_of(plan, "question")


def test_each_field_of_webchat_3_becomes_one_of_ours_and_what_changes_is_said():
    webchat, plan = imported(MODERN)
    rows = {row.name: row for row in webchat.fields.all()}
    assert list(rows) == [
        "name", "email", "order_number", "day", "time", "pieces", "phone", "topic", "terms", "news", "plan", "query",
    ]  # fmt: skip
    assert plan.left_out == []
    assert (rows["order_number"].pattern, rows["order_number"].pattern_message) == ("^[A-Z]-[0-9]{4}$", "Like A-1234")
    assert "orderNumber" in notes_of(plan, "order_number")
    assert (rows["day"].type, rows["day"].minimum) == (Type.DATE, "2026-01-01")
    assert (rows["pieces"].type, rows["pieces"].initial) == (Type.NUMBER, "2")
    assert rows["phone"].type == Type.PHONE
    assert rows["time"].formfield().clean("09:30") == "09:30"
    assert (rows["topic"].choice_pairs(), rows["topic"].initial) == ([("sales", "Sales"), ("help", "Help")], "help")
    assert rows["topic"].placeholder == "Choose a topic"
    assert (rows["terms"].type, rows["news"].type) == (Type.CONSENT, Type.CHECKBOX)
    assert "HTML" in notes_of(plan, "terms")
    assert (rows["plan"].type, rows["plan"].initial) == (Type.HIDDEN, "gold")
    assert rows["query"].role == Role.QUESTION
    webchat.refresh_from_db()
    assert webchat.title == "Chat with us", "texts are taken only when asked for"


@pytest.mark.parametrize(
    "text",
    [
        '{"fields": [{"label": "A", "type": "InputItem"}]}',
        "[{label: 'A', type: 'InputItem'}]",
        "preEngagementConfig: {fields: [{label: 'A', type: 'InputItem',},],},",
        '"preEngagementConfig": {fields: [{label: "A", type: "InputItem"}]}',
        "\ufeff/* old */ // chat\nexport default {fields: [{label: 'A', type: 'InputItem'}]}",
        "window.config = {preEngagementConfig: {fields: [{label: 'A', type: 'InputItem'}]}};",
        "Twilio.initWebchat({deploymentKey: 'CV', preEngagementConfig: {fields: [{label: 'A', type: 'InputItem'}]}});\n",
    ],
)
def test_the_config_is_found_however_it_was_copied(text):
    assert imported(text)[0].fields.get().label == "A"


ITEM = "{label: 'A', type: 'InputItem'}"
# As people have it in their files.
FILES = {
    "typed": "import type { PreEngagementConfig } from './types';\nconst x: PreEngagementConfig = {fields: [%s]};",
    "exported": "export const config = {title: 'Hi', fields: [%s] as const} as const;",
    "satisfies": "export default <const>{fields: [%s]} satisfies Config;",
    "callback": """
        const languages = ["en", "de"];
        window.addEventListener("DOMContentLoaded", () => {
            Twilio.initWebchat({deploymentKey: "CV", preEngagementConfig: {fields: [%s]}});
        });""",
    "page": "<!doctype html>\n<p>Text</p>\n<script src='a.js'></script>\n<script>\nlet c = {fields: [%s]}\n</script>\n<p>}",
    "frozen": "module.exports = Object.freeze({fields: [%s]})",
    "commented": "{/* a */ fields: [ // b\n %s, // c\n] /* d */} // e",
    "cut off behind it": "const c = {preEngagementConfig: {fields: [%s]}, theme: {",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_config_is_taken_as_it_stands_in_peoples_files(text):
    assert [row.label for row in imported(text % ITEM)[0].fields.all()] == ["A"]


def test_a_text_may_stand_in_any_quotes_and_escapes():
    text = r"""{fields: [{label: `It's "it"`, type: "InputItem"}, {label: 'A\u00e9\x41\ud83d\ude00\'\
B\u{1F600}', type: 'InputItem'}]}"""
    assert [row.label for row in imported(text)[0].fields.all()] == ['It\'s "it"', "AéA😀'B😀"]


def test_a_type_that_is_calculated_is_said_to_be_so():
    _webchat, plan = imported('{fields: [{label: "A", type: Kind.Text}, {label: "B", type: "InputItem"}]}')
    assert plan.left_out == [("A", "It is calculated in line 1, and nothing is calculated here.")]


def test_a_label_of_several_lines_is_one_line_but_for_a_consent():
    text = """{fields: [{label: `Your
      name`, type: "InputItem"}, {label: `I agree.\n\nSee below.`, type: "CheckboxItem", attributes: {required: true}}]}"""
    labels = [row.label for row in imported(text)[0].fields.all()]
    assert labels == ["Your name", "I agree.\n\nSee below."]


CALCULATED = """const c = {
  title: t("title"),
  fields: [
    {label: "Name", type: "InputItem", attributes: {name: "friendlyName", value: window.name}},
    {label: greeting + "!", type: "InputItem", attributes: {name: "city", placeholder: "Your city"}},
    ...more,
    {label: "Topic", type: "SelectItem", options: [{value: "a", label: `${x}`}, {value: "b", label: "B"}]},
  ],
  context: {
    origin: window.location.origin,
    plan: "gold",
  },
}"""


def test_a_calculation_loses_its_own_entry_and_no_other():
    webchat, plan = imported(CALCULATED, texts=True)
    rows = {row.name: row for row in webchat.fields.all()}
    assert list(rows) == ["name", "city", "topic", "plan"]
    assert (rows["name"].initial, rows["city"].label, rows["plan"].initial) == ("", "Your city", "gold")
    assert rows["topic"].choice_pairs() == [("b", "B")]
    assert "“value” is calculated in line 4" in notes_of(plan, "name")
    assert "“label” is calculated in line 5" in notes_of(plan, "city")
    assert "line 7" in notes_of(plan, "topic")
    left_out = {label: reason[:31] for label, reason in plan.left_out}
    assert left_out == {
        "Field 3": "It is calculated in line 6, and",
        "origin": "It is calculated in line 10, an",
        "title": "It is calculated in line 2, and",
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no list “fields”"),
        ("hello", "no list “fields”"),
        ("{}", "no list “fields”"),
        ('{"fields": "x"}', "no list “fields”"),
        ("const languages = ['en', 'de']", "no list “fields”"),
        ("const a = {\n  fields: [\n    {label: 'a'\n type: 'b'}]}", "Line 3 cannot be read.*: 'a'"),
        ("<script>\n{fields: [{label: 'abc}]}\n</script>", "Line 2 cannot be read"),
        ("const a = {fields: [\n{label: 'A'},\n", "Line 1 cannot be read, or what begins there does not end"),
        ("[" * 16_000 + "]" * 16_000, "nested too deeply"),
        ("[" * 32_000, "cannot be read"),
        ("{a:" * 10_000, "cannot be read"),
        ("[" + "1," * 20_000 + "]", "too long"),
        ("[" + "{type:1}," * 101 + "]", "too many fields: 100 at most"),
        ("{fields: [1], context: {" + "".join(f"a{number}: 1," for number in range(100)) + "}}", "too many fields"),
    ],
    ids=range(14),
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(text, complaint):
    with pytest.raises(ValidationError, match=complaint):
        exchange.read(text)


@given(st.text(alphabet="{}[]()'\"`$\\:,;/*<>-1aé \n", max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text):
    with suppress(ValidationError):
        assert isinstance(exchange.read(text)["fields"], list)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"type": "InputItem", "attributes": {"type": "password"}}, "never asks for a password"),
        ({"type": "InputItem", "attributes": {"type": "file"}}, "“file” are not supported"),
        ({"type": "ThumbsUpOrDownItem"}, "“ThumbsUpOrDownItem” are not supported"),
        ({"type": "SelectItem"}, "at least one choice"),
        ({"type": "InputItem", "label": "", "attributes": {}}, "cannot be blank"),
    ],
)
def test_what_cannot_be_taken_is_left_out_with_its_reason(item, reason):
    webchat, plan = imported(one(**item))
    assert not webchat.fields.exists()
    assert reason in plan.left_out[0][1]


@pytest.mark.parametrize(
    ("attributes", "column", "reason"),
    [
        ({"pattern": "(?=a)b"}, "pattern", "Left out: pattern “(?=a)b”."),
        ({"type": "email", "value": "x"}, "initial", "Left out: pre-filled answer “x”."),
        ({"type": "date", "min": "soon"}, "minimum", "Left out: from “soon”."),
        ({"minlength": 9, "maxlength": 3}, "min_length", "Left out: shortest answer “9”."),
        ({"pattern": "(?=a)b", "value": "x" * 201}, "initial", "Left out: pre-filled answer"),
    ],
)
def test_a_field_is_taken_without_what_it_can_do_without(attributes, column, reason):
    webchat = make_webchat()
    kept = webchat.fields.get(name="email")
    _webchat, plan = imported(one(type="InputItem", attributes={"name": "email", **attributes}), webchat, replace=True)
    [row] = webchat.fields.all()
    assert row.pk == kept.pk, "it is not lost when the form is replaced"
    assert not getattr(row, column)
    assert reason in notes_of(plan, "email")


def test_a_link_is_an_address_in_the_help():
    items = {"a": "https://example.com/privacy", "b": "<a href='https://example.com'>x</a>", "c": "/privacy"}
    fields = [
        {"label": name, "type": "CheckboxItem", "attributes": {"name": name, "refLink": link}}
        for name, link in items.items()
    ]
    webchat, plan = imported({"fields": fields})
    assert list(webchat.fields.values_list("help_text", flat=True)) == ["https://example.com/privacy", "", ""]
    assert "HTML is never taken" in notes_of(plan, "b")


def test_the_name_in_the_context_is_that_of_visitors_who_tell_none():
    config = {"fields": [], "context": {"friendlyName": "Anonymous", "plan": "gold"}}
    webchat, _plan = imported(config, texts=True)
    webchat.refresh_from_db()
    assert webchat.customer_friendly_name == "Anonymous"
    assert list(webchat.fields.values_list("name", flat=True)) == ["plan"]


def test_a_name_in_a_script_that_cannot_be_transliterated_is_a_number():
    fields = [{"label": label, "type": "InputItem"} for label in ("お名前", "الاسم", "Größe", "Όνομα", "名前")]
    webchat, _plan = imported({"fields": fields})
    assert list(webchat.fields.values_list("name", flat=True)) == ["field_1", "field_2", "grosse", "onoma", "field_3"]


def test_names_that_would_clash_are_not_taken_twice():
    webchat = make_webchat()
    config = {
        "fields": [
            {"label": "Mail", "type": "InputItem", "attributes": {"name": "email"}},
            {"label": "City", "type": "InputItem", "attributes": {"name": "city"}},
            {"label": "City again", "type": "InputItem", "attributes": {"name": "city"}},
            {"label": "Where", "type": "InputItem", "attributes": {"name": "location"}},
            {"label": "Query", "type": "TextareaItem", "attributes": {"name": "query"}},
        ]
    }
    _webchat, plan = imported(config, webchat)
    assert [label for label, _reason in plan.left_out] == ["Mail", "City again"]
    assert list(webchat.fields.values_list("name", flat=True)) == [
        "name",
        "email",
        "question",
        "city",
        "location_field",
        "query",
    ]
    assert webchat.fields.get(name="query").role == "", "the question has its role already"


def test_replacing_keeps_what_twilio_has_no_words_for():
    webchat = make_webchat()
    email = webchat.fields.get(name="email")
    email.match, email.user_lookup, email.audience = Match.ACCOUNT, "email", "anonymous"
    email.save()
    imported(MODERN, webchat, replace=True)
    assert webchat.fields.count() == len(MODERN["fields"])
    kept = webchat.fields.get(name="email")
    assert (kept.pk, kept.label, kept.match, kept.user_lookup, kept.audience) == (
        email.pk, "E-mail", Match.ACCOUNT, "email", "anonymous",
    )  # fmt: skip
    imported(MODERN, webchat, replace=True)
    assert webchat.fields.count() == len(MODERN["fields"])


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "label": ANYTHING,
        "type": st.sampled_from(["InputItem", "TextareaItem", "SelectItem", "CheckboxItem", "RadioItem"]) | ANYTHING,
        "attributes": ANYTHING
        | st.dictionaries(
            st.sampled_from(
                ["name", "type", "required", "value", "pattern", "readOnly", "placeholder", "min", "maxlength"]
            ),
            ANYTHING | st.sampled_from(["friendlyName", "query", "email", "number", "date", "checkbox", "5", "tel"]),
        ),
        "options": ANYTHING
        | st.lists(st.dictionaries(st.sampled_from(["value", "label", "selected"]), PLAIN, max_size=3), max_size=3),
    },
)
CONFIGS = st.fixed_dictionaries(
    {"fields": st.lists(ITEMS | ANYTHING, max_size=4)},
    optional={"title": ANYTHING, "description": ANYTHING, "context": ANYTHING, "x": ANYTHING},
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(config=CONFIGS, replace=st.booleans())
def test_any_config_is_taken_or_left_out_field_by_field(config, replace):
    webchat = Webchat.objects.filter(slug="support").first() or make_webchat()
    before = set(webchat.fields.values_list("name", flat=True))
    plan = exchange.plan(config, webchat, replace=replace)
    context = config.get("context")
    texts = len(config.keys() - {"fields", "context"})
    asked = len(config["fields"]) + (len(context) if isinstance(context, dict) else 0)
    assert asked <= len(plan.found) + len(plan.left_out) <= asked + texts
    exchange.save(plan, webchat, replace=replace, texts=True)
    after = set(webchat.fields.values_list("name", flat=True))
    assert after == (plan.names() if replace else before | plan.names())
    for row in webchat.fields.all():
        row.full_clean()


# --- Export ---------------------------------------------------------------------------------------------------------


def test_a_form_is_exported_in_the_shape_of_webchat_3():
    webchat = make_webchat(title="Hello", intro="Hi")
    make_field(webchat, "plan", type=Type.HIDDEN, initial="gold")
    make_field(webchat, "topic", type=Type.RADIO, choices="a | Apple\nb", initial="b", required=False)
    make_field(webchat, "order", pattern="[A-Z]{2}", placeholder="AB")
    make_field(webchat, "terms", type=Type.CONSENT)
    make_field(webchat, "query", required=False)
    config = exchange.config_of(webchat)
    assert config["context"] == {"plan": "gold"}
    form = config["preEngagementConfig"]
    assert (form["title"], form["description"], form["submitLabel"]) == ("Hello", "Hi", "Start chat")
    assert form["fields"] == [
        {"label": "Name", "type": "InputItem", "attributes": {"name": "friendlyName", "required": True, "type": "text"}},
        {"label": "Email", "type": "InputItem", "attributes": {"name": "email", "required": True, "type": "email"}},
        {"label": "Question", "type": "TextareaItem", "attributes": {"name": "query", "required": True}},
        {
            "label": "Topic",
            "type": "SelectItem",
            "attributes": {"name": "topic", "required": False},
            "options": [
                {"value": "a", "label": "Apple", "selected": False},
                {"value": "b", "label": "b", "selected": True},
            ],
        },
        {
            "label": "Order",
            "type": "InputItem",
            "attributes": {"name": "order", "required": True, "type": "text", "placeholder": "AB", "pattern": "[A-Z]{2}"},
        },
        {"label": "Terms", "type": "CheckboxItem", "attributes": {"name": "terms", "required": True}},
        {"label": "Query", "type": "InputItem", "attributes": {"name": "query_field", "required": False, "type": "text"}},
    ]  # fmt: skip


def test_what_is_exported_is_imported_as_the_same_form():
    webchat, _plan = imported(MODERN, make_webchat(fields=False, slug="one"), texts=True)
    copy, plan = imported(exchange.config_of(webchat), make_webchat(fields=False, slug="two"), texts=True)
    assert plan.left_out == []
    columns = ["name", "label", "type", "role", "required", "placeholder", "choices", "initial", "pattern"]
    asked = [list(each.fields.exclude(type=Type.HIDDEN).values(*columns)) for each in (webchat, copy)]
    assert asked[0] == asked[1]
    hidden = [list(each.fields.filter(type=Type.HIDDEN).values("name", "initial")) for each in (webchat, copy)]
    assert hidden[0] == hidden[1]
    assert exchange.config_of(copy) == exchange.config_of(webchat)


TRANSLATED = {
    "title": "Hello",
    "translations": {"de": {"title": "Hallo", "description": "Nicht genommen"}, "fr": {"title": "Bonjour"}},
    "fields": [
        {
            "label": "Topic",
            "type": "SelectItem",
            "attributes": {"name": "topic", "placeholder": "One of these"},
            "options": [{"value": "a", "label": "Apple"}, {"value": "b", "label": "Bean"}],
            "translations": {
                "de": {"label": "Thema", "placeholder": "Eines davon", "choices": {"a": "Apfel"}},
                "ar": {"label": "الموضوع"},
            },
        },
    ],
}


def test_translations_go_with_a_form_and_come_back():
    webchat, plan = imported(TRANSLATED, make_webchat(fields=False, slug="one"), texts=True)
    assert plan.left_out == []
    assert webchat.translations == {"de": {"title": "Hallo"}, "fr": {"title": "Bonjour"}}, (
        "what has no text has no other"
    )
    field = webchat.fields.get()
    assert field.translations == TRANSLATED["fields"][0]["translations"]
    with override("de"):
        config = exchange.config_of(webchat)
    assert config["preEngagementConfig"]["title"] == "Hello", "in the site's language, whoever exports it"
    assert config["preEngagementConfig"]["fields"][0]["label"] == "Topic"
    copy, _plan = imported(config, make_webchat(fields=False, slug="two"), texts=True)
    assert (copy.translations, copy.fields.get().translations) == (webchat.translations, field.translations)
    assert exchange.config_of(copy) == config


def test_what_a_translation_was_made_from_goes_with_it():
    """So that a copy's staff are told, too, that a text has changed since."""
    webchat = make_webchat(slug="one", intro="Ask us.")
    change(webchat, translations={"de": {"intro": "Fragen Sie.", "made_from": {"intro": "of another text"}}})
    topic = make_field(webchat, "topic", type=Type.SELECT, choices="a | Apple")
    made_from = {"label": "of another text", "choices": {"a": "of another text"}}
    change(topic, translations={"fr": {"label": "Sujet", "choices": {"a": "Pomme"}, "made_from": made_from}})
    copy, plan = imported(exchange.config_of(webchat), make_webchat(fields=False, slug="two"), texts=True, replace=True)
    assert (plan.left_out, copy.outdated_texts("de")) == ([], ["intro"])
    assert copy.fields.get(name="topic").outdated_texts("fr") == ["label", "choices"]
    webchat = make_webchat(slug="three")
    for made_from, reason in ((1, "It is no object of digests."), ("a\0b", "Character 2")):
        item = {
            **TRANSLATED["fields"][0],
            "translations": {"fr": {"label": "Sujet", "made_from": {"label": made_from}}},
        }
        plan = exchange.plan({"fields": [item]}, webchat, replace=True)
        assert any(reason in note for note in plan.found[0].notes), "no database stores it"


@pytest.mark.parametrize(
    ("translations", "reason"),
    [
        ({"xx": {"label": "Thema"}}, "“xx” is none of the languages"),
        ({"de": ["Thema"]}, "no object of texts"),
        ({"de": {"label": 1}}, "It is no text"),
        ({"de": {"label": "a\nb"}}, "line break"),
        ({"de": {"choices": {"z": "Zwiebel"}}}, "“z” is the value of no choice"),
    ],
)
def test_a_translation_that_cannot_be_taken_is_left_out_alone(translations, reason):
    item = {**TRANSLATED["fields"][0], "translations": {"fr": {"label": "Sujet"}, **translations}}
    plan = exchange.plan(
        exchange.read(json.dumps({"fields": [item], "translations": translations})), make_webchat(), replace=True
    )
    [found] = plan.found
    assert found.row.translations == {"fr": {"label": "Sujet"}}
    assert any("A translation is left out." in note and reason in note for note in found.notes)
    assert plan.left_out, "nor can the webchat take it"


def test_an_import_keeps_the_translations_of_texts_that_stay():
    webchat, _plan = imported(TRANSLATED, make_webchat(fields=False), texts=True)
    item = {**TRANSLATED["fields"][0], "label": "Reason", "translations": {"es": {"label": "Motivo"}}}
    item["options"] = [{"value": "a", "label": "Apple"}, {"value": "b", "label": "Broccoli"}]
    imported({"title": "Hi", "fields": [item]}, webchat, replace=True, texts=True)
    assert webchat.fields.get().translations == {
        "de": {"placeholder": "Eines davon", "choices": {"a": "Apfel"}},
        "es": {"label": "Motivo"},
    }
    webchat.refresh_from_db()
    assert webchat.translations == {}, "the title is another one"


def test_replacing_keeps_a_field_with_texts_in_a_language_that_the_site_has_no_longer(settings):
    webchat, _plan = imported(TRANSLATED, make_webchat(fields=False))
    kept = webchat.fields.get().translations
    settings.LANGUAGES = [("en", "English")]
    _webchat, plan = imported(exchange.config_of(webchat), webchat, replace=True)
    assert "“de” is none of the languages" in notes_of(plan, webchat.fields.get().name)
    assert webchat.fields.get().translations == kept


# --- Fields that depend on others ---------------------------------------------------------------------------------------


def make_dependent_form():
    webchat = make_webchat(fields=False, slug="one")
    make_field(webchat, "early", shown_if="query")
    make_field(webchat, "name", type=Type.NAME, role=Role.CUSTOMER_NAME)
    make_field(webchat, "query", type=Type.SELECT, choices="a | Apple\nb")
    make_field(webchat, "why", shown_if="query", shown_if_value="a")
    make_field(webchat, "nickname", shown_if="name")
    make_field(webchat, "urgent", type=Type.HIDDEN, initial="yes", shown_if="query", shown_if_value="b")
    make_field(webchat, "question", type=Type.TEXTAREA, role=Role.QUESTION)
    return webchat


def conditions_of(webchat):
    return {
        name: (other, value) for name, other, value in webchat.fields.values_list("name", "shown_if", "shown_if_value")
    }


def test_conditions_are_exported_and_imported():
    webchat = make_dependent_form()
    config = exchange.config_of(webchat)
    assert [item.get("showIf") for item in config["preEngagementConfig"]["fields"]] == [
        {"name": "query_field", "value": ""},
        None,
        None,
        {"name": "query_field", "value": "a"},
        {"name": "friendlyName", "value": ""},
        {"name": "query_field", "value": "b"},
        None,
    ]
    copy, plan = imported(config, make_webchat(fields=False, slug="two"))
    assert plan.left_out == []
    told = conditions_of(copy)
    assert told["why"] == ("query_field", "a")
    assert told["urgent"] == ("query_field", "b")
    assert told["early"] == ("query_field", "")
    assert told["nickname"] == ("name", "")
    assert copy.fields.get(name="urgent").type == Type.HIDDEN
    assert notes_of(plan, "why") == "It is shown only if “Query” has a certain answer."


@pytest.mark.parametrize(
    ("show_if", "words"),
    [
        ({"name": "weather"}, "no field “weather”"),
        ({"name": "topic", "value": "c"}, "“c” is none of the choices of “Topic”"),
        ({"name": "order"}, "depend on itself"),
        ({"name": "later"}, "is itself shown only if"),
    ],
)
def test_a_condition_that_could_not_work_is_left_out_with_its_reason(show_if, words):
    topic = {
        "label": "Topic",
        "type": "SelectItem",
        "attributes": {"name": "topic"},
        "options": [{"value": "a", "label": "a"}],
    }
    order, later = (
        {"label": name, "type": "InputItem", "attributes": {"name": name}, "showIf": told}
        for name, told in (("order", show_if), ("later", {"name": "topic", "value": "a"}))
    )
    webchat, plan = imported({"fields": [order, topic, later]})
    assert conditions_of(webchat)["order"] == ("", "")
    assert "It is always shown." in notes_of(plan, "order")
    assert words in notes_of(plan, "order")


def test_a_calculated_condition_is_not_taken_for_another():
    script = '{fields: [{type: "InputItem", label: "Order", showIf: {name: topic()}, attributes: {name: "order"}}]}'
    plan = exchange.plan(exchange.read(script), make_webchat(fields=False), replace=False)
    assert [reason for _label, reason in plan.left_out] == [
        "It is calculated in line 1, and nothing is calculated here."
    ]


def test_a_field_that_gets_a_role_loses_its_condition_and_not_itself():
    webchat = make_dependent_form()
    webchat.fields.filter(role=Role.QUESTION).delete()
    webchat.fields.filter(name="query").update(name="topic")
    webchat.fields.filter(name="why").update(name="query", shown_if="topic")
    item = {"label": "Question", "type": "TextareaItem", "attributes": {"name": "query", "required": True}}
    _webchat, plan = imported({"fields": [item]}, webchat, replace=True)
    question = webchat.fields.get()
    assert (question.role, question.shown_if, question.shown_if_value) == (Role.QUESTION, "", "")
    assert "A field with a role is always shown." in notes_of(plan, "query")


def test_replacing_keeps_a_condition_unless_the_field_on_which_it_depends_is_gone():
    webchat = make_dependent_form()
    config = exchange.config_of(webchat)
    for item in config["preEngagementConfig"]["fields"]:
        item.pop("showIf", None)
    without = [item for item in config["preEngagementConfig"]["fields"] if item["attributes"]["name"] != "query_field"]
    webchat.fields.filter(name="query").update(name="query_field")
    webchat.fields.filter(shown_if="query").update(shown_if="query_field")
    imported(config, webchat, replace=True)
    assert conditions_of(webchat)["why"] == ("query_field", "a")
    _webchat, plan = imported({"fields": without}, webchat, replace=True)
    assert conditions_of(webchat)["why"] == ("", "")
    assert "It is always shown. This form has no field “query_field”" in notes_of(plan, "why")


# --- Fixtures -------------------------------------------------------------------------------------------------------


def test_a_webchat_goes_to_another_environment_and_comes_again_as_the_same_rows(tmp_path):
    webchat = make_webchat()
    change(webchat, translations={"de": {"title": "Reden wir"}})
    day = {"minimum": "today", "show_account_value": False, "translations": {"ar": {"label": "اليوم"}}}
    make_field(webchat, "day", type=Type.DATE, **day)
    columns = [field.name for field in PreEngagementField._meta.fields if field.name not in ("id", "webchat")]
    before = list(PreEngagementField.objects.order_by("name").values(*columns))
    fixture = tmp_path / "webchats.json"
    call_command(
        "dumpdata", "webchat.webchat", "webchat.preengagementfield",
        natural_foreign=True, natural_primary=True, output=str(fixture), verbosity=0,
    )  # fmt: skip
    assert '"pk"' not in fixture.read_text()
    Webchat.objects.all().delete()
    make_webchat(slug="another")  # takes the number that the row had
    for _again in range(2):
        call_command("loaddata", str(fixture), verbosity=0)
        assert Webchat.objects.count() == 2
        loaded = Webchat.objects.get(slug="support")
        assert loaded.translations == {"de": {"title": "Reden wir"}}
        assert list(loaded.fields.order_by("name").values(*columns)) == before

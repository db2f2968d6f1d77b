"""The inputs of a page with many, as Django's templates make them, by Python: of 40 fields the templates would take most of the
page's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.forms.renderers import TemplatesSetting
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString


def _attributes(attrs: dict[str, Any]) -> SafeString:
    return SafeString(
        "".join(
            f" {name}" if value is True else f' {name}="{conditional_escape(value)}"'
            for name, value in attrs.items()
            if value is not None and value is not False
        )
    )


def _input(context: dict[str, Any]) -> SafeString:
    widget = context["widget"]
    own = {"type": widget["type"], "name": widget["name"], "value": widget["value"]}
    return format_html("<input{}>", _attributes(own | widget["attrs"]))


def _textarea(context: dict[str, Any]) -> SafeString:
    widget = context["widget"]
    attributes = _attributes({"name": widget["name"], **widget["attrs"]})
    return format_html("<textarea{}>\n{}</textarea>", attributes, widget["value"] or "")


def _select(context: dict[str, Any]) -> SafeString:
    """Its options have no attributes of their own, and no groups."""
    widget = context["widget"]
    options = (option for _title, options, _index in widget["optgroups"] for option in options)
    made = format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        ((each["value"], SafeString(" selected") if each["selected"] else "", each["label"]) for each in options),
    )
    return format_html("<select{}>{}</select>", _attributes({"name": widget["name"], **widget["attrs"]}), made)


def _label(context: dict[str, Any]) -> SafeString:
    tag = SafeString(context["tag"])
    if not context["use_tag"]:
        return format_html("{}", context["label"])
    return format_html("<{}{}>{}</{}>", tag, _attributes(context["attrs"]), context["label"], tag)


_MADE: dict[str, Callable[[dict[str, Any]], SafeString]] = {
    "django/forms/widgets/text.html": _input,
    "django/forms/widgets/number.html": _input,
    "django/forms/widgets/hidden.html": _input,
    "django/forms/widgets/checkbox.html": _input,
    "django/forms/widgets/textarea.html": _textarea,
    "django/forms/widgets/select.html": _select,
    "django/forms/label.html": _label,
}


class FastRenderer(TemplatesSetting):
    """For `default_renderer` of a form."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        if make := _MADE.get(template_name):
            return make(context)
        if template_name.startswith("django/forms/errors/") and not context["errors"]:
            return SafeString("")
        return str(super().render(template_name, context, request))

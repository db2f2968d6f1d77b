"""A three-way merge of what a page of the admin sends: with what it had shown, and with what is stored by now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.forms import BaseForm, BaseInlineFormSet, CheckboxInput, MultiWidget
from django.forms.formsets import INITIAL_FORM_COUNT, TOTAL_FORM_COUNT
from django.http import QueryDict
from django.utils.translation import gettext as _

# The input with the number of a row, where rows have an order.
POSITION = "position"

# What the inputs of a form send, by name without prefix.
Inputs = dict[str, list[str]]


class Row(NamedTuple):
    title: str
    inputs: Inputs


# By the prefix of a formset, "" for the page's own form: the rows by primary key.
Shown = dict[str, dict[str, Row]]


class Merge(NamedTuple):
    """`theirs` and `both` are names of inputs: changed by the others alone, and by the others and this person."""

    inputs: Inputs
    theirs: list[str]
    both: list[str]


def shown_by(form: BaseForm, formsets: Iterable[BaseInlineFormSet] = ()) -> Shown:
    """What a page with these forms shows of the rows that are stored."""
    shown: Shown = {"": {"": Row("", inputs_of(form))}}
    for formset in formsets:
        shown[str(formset.prefix)] = {
            str(row.instance.pk): Row(str(row.instance), inputs_of(row)) for row in formset.initial_forms
        }
    return shown


def inputs_of(form: BaseForm) -> Inputs:
    inputs: Inputs = {}
    for bound in form:
        widget, value = bound.field.widget, bound.value()
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget = widget.widget
        if bound.field.disabled:  # it sends nothing, and its value may be a password's hash
            continue
        if isinstance(widget, MultiWidget):
            # As Django names the inputs of a date with a time: name_0 and name_1.
            for number, (part, each) in enumerate(zip(widget.widgets, widget.decompress(value) or (), strict=True)):
                inputs[f"{bound.name}_{number}"] = _sent(part, each)
        else:
            inputs[bound.name] = _sent(widget, value)
    return inputs


def _sent(widget: Any, value: Any) -> list[str]:
    if isinstance(widget, CheckboxInput):
        return ["on"] if widget.check_test(value) else []
    shown = widget.format_value(value)
    if isinstance(shown, list | tuple):
        return [str(each) for each in shown]
    return ["" if shown is None else str(shown)]


def same(one: list[str], other: list[str]) -> bool:
    """Whether two inputs say the same: an empty one may be sent or left out, several are in any order, and browsers send
    \\r\\n."""
    left, right = (
        sorted([text.replace("\r\n", "\n").strip() for text in texts if text.strip()]) for texts in (one, other)
    )
    return left == right


def merge(mine: Inputs, base: Inputs | None, theirs: Inputs) -> Merge:
    """What this person sends, with what others changed in inputs that this person left alone.

    An input that is not in `base` was not on the page. Without a base nobody knows who changed what differs: this person
    did, too.
    """
    merged = Merge(dict(mine), [], [])
    for name, value in theirs.items():
        sent = mine.get(name, [])
        if same(value, sent) or (base is not None and name in base and same(value, base[name])):
            continue
        if base is None:
            merged.both.append(name)
        elif name not in base:
            merged.inputs[name] = value
        elif same(sent, base[name]):
            merged.inputs[name] = value
            merged.theirs.append(name)
        else:
            merged.both.append(name)
    return merged


class SentPage:
    """What a page sent (`data`) that had shown `base`, or nobody knows what. `stored` is what it would show now.

    Inputs of `unannounced` are brought together without a word, by prefix and name: "-slug" is one of the page's own
    form.
    """

    def __init__(self, data: QueryDict, base: Shown | None, stored: Shown, unannounced: frozenset[str]) -> None:
        self.data, self.base, self.stored, self.unannounced = data.copy(), base, stored, unannounced

    def bring_together(self, form: BaseForm, formsets: Iterable[BaseInlineFormSet]) -> Iterator[str]:
        """Rewrites `data`, and says each change that this person did not make."""
        theirs = self.stored[""][""].inputs
        mine = {name: self.data.getlist(name) for name in theirs}
        merged = merge(mine, self._base_of("", ""), theirs)
        for name, values in merged.inputs.items():
            self.data.setlist(name, values) if values else self.data.pop(name, None)
        yield from self._say(merged, form, theirs)
        for formset in formsets:
            yield from self._rows(formset)

    def _base_of(self, prefix: str, key: str) -> Inputs | None:
        if self.base is None:
            return None
        row = self.base.get(prefix, {}).get(key)
        return row.inputs if row else {}

    def _rows(self, formset: BaseInlineFormSet) -> Iterator[str]:
        prefix, key_name = str(formset.prefix), str(formset.model._meta.pk.name)  # type: ignore[union-attr]
        sent, new = self._take_rows(prefix, key_name)
        forms = {str(form.instance.pk): form for form in formset.initial_forms}
        yield from self._order(prefix, sent)
        kept: list[Inputs] = []
        for key, row in self.stored[prefix].items():
            if key not in sent:
                kept.append(row.inputs)
                yield _("“%(field)s” was added.") % {"field": row.title}
                continue
            merged = merge(sent[key], self._base_of(prefix, key), row.inputs)
            kept.append(merged.inputs)
            yield from self._say(merged, forms[key], row.inputs, prefix, row.title)
        for key, mine in sent.items():
            if key in self.stored[prefix]:
                continue
            shown = (self.base or {}).get(prefix, {}).get(key)
            title = {"field": shown.title if shown else ""}
            is_as_shown = shown and all(same(mine.get(name, []), value) for name, value in shown.inputs.items())
            if "DELETE" in mine or is_as_shown:
                yield _("“%(field)s” was deleted.") % title
                continue
            new.append({**mine, key_name: [""]})
            yield _("“%(field)s” was deleted. You have changed it, so it stands below as a new field.") % title
        for number, inputs in enumerate([*kept, *new]):
            for name, values in inputs.items():
                if values:
                    self.data.setlist(f"{prefix}-{number}-{name}", values)
        self.data[f"{prefix}-{INITIAL_FORM_COUNT}"] = str(len(kept))
        self.data[f"{prefix}-{TOTAL_FORM_COUNT}"] = str(len(kept) + len(new))

    def _order(self, prefix: str, sent: dict[str, Inputs]) -> Iterator[str]:
        """Brings the order of rows together as a whole, if they have one: single numbers of two orders make a third one."""
        if f"{prefix}-{POSITION}" not in self.unannounced or self.base is None:
            return
        rows, stored = self.base.get(prefix, {}), self.stored[prefix]
        common = [key for key in stored if key in sent and key in rows]
        base, theirs, mine = (
            {key: inputs.get(POSITION, [""]) for key, inputs in each.items() if key in common}
            for each in (
                {key: row.inputs for key, row in rows.items()},
                {key: row.inputs for key, row in stored.items()},
                sent,
            )
        )
        if _in_order(mine) == _in_order(base):
            for key in common:
                sent[key][POSITION] = theirs[key]
            return
        for key in common:  # so that none of them counts as left alone
            rows[key].inputs[POSITION] = theirs[key]
        if _in_order(theirs) not in (_in_order(base), _in_order(mine)):
            titles = ", ".join(stored[key].title for key in _in_order(theirs))
            yield _("The order was saved as: %(order)s. You have changed it too, and yours stands below.") % {
                "order": titles
            }

    def _take_rows(self, prefix: str, key_name: str) -> tuple[dict[str, Inputs], list[Inputs]]:
        """Removes the rows of a formset from the data, and returns those that were stored, by key, and new ones."""
        rows: dict[int, Inputs] = {}
        for name in list(self.data):
            if found := re.fullmatch(rf"{re.escape(prefix)}-(\d+)-(.+)", name):
                rows.setdefault(int(found[1]), {})[found[2]] = self.data.pop(name)
        sent = {row[key_name][0]: row for row in rows.values() if row.get(key_name, [""])[0]}
        return sent, [rows[number] for number in sorted(rows) if not rows[number].get(key_name, [""])[0]]

    def _say(self, merged: Merge, form: BaseForm, theirs: Inputs, prefix: str = "", title: str = "") -> Iterator[str]:
        both = _("“%(field)s” was saved as: %(value)s. You have changed it too, and yours stands below.")
        if self.base is None:
            both = _("“%(field)s” is saved as: %(value)s. Yours stands below.")
        for names, text in ((merged.theirs, _("“%(field)s” is now: %(value)s")), (merged.both, both)):
            for name in names:
                if f"{prefix}-{name}" not in self.unannounced:
                    # A date with a time has two inputs, name_0 and name_1.
                    field = form.fields.get(name) or form.fields[name.rpartition("_")[0]]
                    label = str(field.label or name)
                    words = {str(key): str(choice) for key, choice in _ungrouped(getattr(field, "choices", ()))}
                    value = ", ".join(words.get(each, each) for each in theirs[name] if each) or "–"
                    yield text % {"field": f"{title}: {label}" if title else label, "value": value[:80]}


def _in_order(positions: dict[str, list[str]]) -> list[str]:
    """The keys of rows by their numbers; those without a number last, as a save numbers them."""
    numbers = {
        key: int(value) if re.fullmatch(r"[0-9]{1,9}", value) else None for key, [value, *_more] in positions.items()
    }
    return sorted(numbers, key=lambda key: (numbers[key] is None, numbers[key] or 0))


def _ungrouped(choices: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    for key, choice in choices:
        if isinstance(choice, list | tuple):  # the key is the group's title
            yield from choice
        else:
            yield key, choice

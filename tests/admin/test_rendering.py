"""Inputs made by Python are those that Django's templates make."""

from __future__ import annotations

import re

from django import forms
from django.contrib.admin.widgets import AdminIntegerFieldWidget, AdminTextareaWidget, AdminTextInputWidget

from webchat.admin.rendering import FastRenderer

ODD = "\"quoted\" <b> & 'so' \n"


class Inputs(forms.Form):
    line = forms.CharField(widget=AdminTextInputWidget(attrs={"placeholder": ODD, "autofocus": True, "hidden": False}))
    number = forms.IntegerField(widget=AdminIntegerFieldWidget(), required=False, help_text=ODD)
    text = forms.CharField(widget=AdminTextareaWidget(attrs={"rows": 2, "lang": "ar", "dir": "rtl"}))
    choice = forms.ChoiceField(choices=[("", "---------"), (ODD, ODD), ("b", "Banana")])
    box = forms.BooleanField(required=False)
    key = forms.CharField(widget=forms.HiddenInput)


def parts_of(form):
    found = [str(form.non_field_errors())]
    for one in form:
        found += [
            re.sub(r">\s+<", "><", str(one)),
            one.label_tag(),
            one.label_tag(ODD, {"class": "inline"}),
            str(one.errors),
        ]
    return found


def test_they_are_those_of_django():
    full = {"line": ODD, "number": "3", "text": ODD, "choice": ODD, "box": "on", "key": ODD}
    for data in (None, {}, full, {"choice": "none of them", "number": "x"}):
        for initial in ({}, {"line": ODD, "choice": "b", "box": True, "number": 0}):
            made, expected = (
                Inputs(data, initial=initial, prefix="rows-1", renderer=renderer) for renderer in (FastRenderer(), None)
            )
            assert parts_of(made) == parts_of(expected)

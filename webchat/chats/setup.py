"""The set-up of a webchat at Twilio and of its row here: what the command and the admin's page do alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_noop

from webchat.conf import conf
from webchat.fields.kinds import Audience, Match, Role, Type
from webchat.fields.lookups import offered_lookups
from webchat.flex import Deadline, FlexError
from webchat.flex.provisioning import Plan, Wishes, find_plan
from webchat.models import PreEngagementField, Webchat
from webchat.models.field import POSITION_STEP
from webchat.models.translations import from_catalogues
from webchat.protection.outage import passage_to_twilio

logger = structlog.get_logger(__name__)

SETUP_SECONDS = 60  # for all calls of a plan and its steps; about fifteen


def first_fields() -> list[dict[str, Any]]:
    """What a new webchat asks, by the columns of a field, in all languages: staff compose the rest. The e-mail address comes from the account
    where the site offers that."""
    email = {"name": "email", "type": Type.EMAIL, "autocomplete": "email"}
    if "email" in offered_lookups():
        email |= {"match": Match.ACCOUNT, "user_lookup": "email"}
    labels = (gettext_noop("Your name"), gettext_noop("E-mail address"), gettext_noop("How can we help?"))
    fields = (_NAME, email, _QUESTION)
    return [{**field, **from_catalogues(label=label)} for field, label in zip(fields, labels, strict=True)]


_NAME: dict[str, Any] = {
    "name": "name",
    "type": Type.NAME,
    "role": Role.CUSTOMER_NAME,
    "autocomplete": "name",
    "audience": Audience.ANONYMOUS,
}
_QUESTION: dict[str, Any] = {
    "name": "question",
    "type": Type.TEXTAREA,
    "role": Role.QUESTION,
}


class State(Enum):
    DONE = "Done"
    REFUSED = "Not done"
    UNCLEAR = "Not certain"
    NOT_TRIED = "Not tried"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step, and what to do where it was not done; both in words."""

    state: State
    words: str
    advice: str = ""


def new_webchat(slug: str) -> Webchat:
    """One that is not saved yet."""
    return Webchat(slug=slug, name=slug.replace("-", " ").capitalize())


def plan_for(webchat: Webchat, **options: Any) -> Plan:
    """`options`: those of Wishes. Raises HopelessError, FlexError, and ChatRefused while Twilio is not asked."""
    wishes = Wishes(
        slug=webchat.slug,
        site=conf.PUBLIC_BASE_URL,
        webhook_url=conf.PUBLIC_BASE_URL + reverse("twilio-conversations"),
        studio_url=conf.PUBLIC_BASE_URL + reverse("twilio-studio"),
        address_sid=webchat.address_sid,
        **options,
    )
    with passage_to_twilio():
        return find_plan(wishes, Deadline(SETUP_SECONDS))


def own_step(webchat: Webchat, plan: Plan) -> str:
    """What is to be done on this site, in words; "" for nothing."""
    if webchat.pk is None:
        return f"Add the webchat “{webchat.slug}” to this site"
    made = (plan.made.chat_service_sid, plan.made.address_sid)
    if (webchat.chat_service_sid, webchat.address_sid) == made:
        return ""
    return f"Enter the SIDs, {made[0]} and {made[1] or 'that of the new address'}, at the webchat “{webchat.slug}”"


def carry_out(webchat: Webchat, plan: Plan) -> Iterator[Outcome]:
    """Takes the steps one by one, at last that on this site. What needs a step that was not taken is not tried, what does
    not is. Raises ValidationError when the webchat cannot be saved."""
    all_done = True
    for step in plan.steps:
        if step.needs and not getattr(plan.made, step.needs):
            all_done = False
            yield Outcome(State.NOT_TRIED, step.words)
            continue
        try:
            step.run()
        except FlexError as error:
            all_done = False
            logger.warning("setup_step_failed", webchat=webchat.slug, kind=step.about, reason=str(error))
            if error.outcome_is_known:
                yield Outcome(State.REFUSED, f"{step.words}: {error}", f"By hand: {step.by_hand}")
            else:
                yield Outcome(
                    State.UNCLEAR, f"{step.words}: {error}", "Running this again looks first whether it was done."
                )
        else:
            logger.info("setup_step_done", webchat=webchat.slug, kind=step.about)
            yield Outcome(State.DONE, step.words)
    if words := own_step(webchat, plan):
        if plan.made.address_sid:
            webchat.draft = webchat.draft or (webchat.pk is None and not all_done)
            _save(webchat, plan)
            yield Outcome(State.DONE, words)
        else:
            yield Outcome(State.NOT_TRIED, words)


def _save(webchat: Webchat, plan: Plan) -> None:
    is_new = webchat.pk is None
    webchat.chat_service_sid, webchat.address_sid = plan.made.chat_service_sid, plan.made.address_sid
    with transaction.atomic():
        webchat.full_clean()
        webchat.save()
        for number, values in enumerate(first_fields() if is_new else (), 1):
            field = PreEngagementField(webchat=webchat, position=number * POSITION_STEP, **values)
            field.full_clean()
            field.save()

"""What a webchat needs at Twilio: looked for, planned in words, and made.

find_plan() only reads. What belongs to another application is an obstacle, and nothing is made while there is one. Each
step that was taken is found by the next plan, so a set-up that broke off goes on, and one that is whole changes nothing.

https://www.twilio.com/docs/flex/developer/conversations/webchats-resource
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from twilio.rest import Client

from webchat.conf import conf
from webchat.flex import credentials, studio_flow
from webchat.flex.client import bounded_http, client_on, trusted_shape
from webchat.flex.gateway import FlexError, compact_json, is_sid
from webchat.flex.http import Deadline
from webchat.flex.offers import list_all
from webchat.flex.webhook_settings import EVENT, fetch_account_webhook, fetch_webhook, set_webhook

# Twilio's most, and the Console's default.
STUDIO_RETRIES = 3
LONGEST_KEY_NAME = 64
NO_FLEX = 45101

Reason = FlexError.Reason


class Others(Enum):
    """What becomes of what belongs to another application, or was changed in the Console."""

    STOP = "stop"  # said, and nothing is done at all
    KEEP = "keep"  # left as it is
    REPLACE = "replace"  # this site's in its place


@dataclass(frozen=True, slots=True)
class Wishes:
    """For which webchat, and how far the set-up may go. The SIDs may be blank."""

    slug: str
    site: str  # PUBLIC_BASE_URL
    webhook_url: str
    studio_url: str = ""  # that the flow asks about a chat
    address_sid: str = ""  # that of the webchat as it is
    wanted_address_sid: str = ""  # one that was asked for by name
    workflow: str = ""  # SID or name. "": as it is, else Flex's own
    others: Others = Others.STOP
    set_default_service: bool = False
    create_key: bool = False

    @property
    def owner(self) -> str:
        """Names the webchat and its site, the same in each plan."""
        return f"Webchat {self.slug} of {urlsplit(self.site).netloc}"


@dataclass(slots=True)
class Made:
    """The SIDs of what there is, as far as it is known."""

    chat_service_sid: str = ""
    flow_sid: str = ""
    address_sid: str = ""
    key_sid: str = ""
    key_secret: str = ""  # to be shown once, and kept nowhere


@dataclass(frozen=True, slots=True)
class Step:
    """A change, in words; how to make it by hand; and what makes it. `run` raises FlexError."""

    about: str  # "service", "key", "flow", "address" or "webhook"
    words: str
    by_hand: str
    run: Callable[[], None]
    needs: str = ""  # the name of what must have been made before


@dataclass(slots=True)
class Plan:
    """What is there, what is in the way, and what is to be done."""

    made: Made = field(default_factory=Made)
    definition: dict[str, Any] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


class HopelessError(Exception):
    """Nothing can be planned. Its text is a sentence for staff."""


@dataclass(frozen=True, slots=True)
class _Address:
    sid: str
    address: str
    name: str
    creation: Mapping[str, Any]

    @property
    def flow_sid(self) -> str:
        return str(self.creation.get("studio_flow_sid") or "") if self.creation.get("type") == "studio" else ""

    @property
    def url(self) -> str:
        return str(self.creation.get("webhook_url") or "") if self.creation.get("type") == "webhook" else ""

    def __str__(self) -> str:
        return f"{self.sid} “{self.name or self.address}”"


def find_plan(wishes: Wishes, deadline: Deadline | None = None) -> Plan:
    """Asks Twilio what there is, and changes nothing. Raises HopelessError and FlexError. The deadline is for the steps too,
    but not for the two calls about the webhook, which have bounds of their own."""
    return _Planner(wishes, deadline).plan


class _Planner:
    def __init__(self, wishes: Wishes, deadline: Deadline | None) -> None:
        self.wishes = wishes
        self.plan = Plan()
        _require_credentials(wishes)
        http = bounded_http(deadline)
        self.client = client_on(http)
        self.workspace_sid = self.default_workflow_sid = ""
        self._read_flex()
        if credentials.is_configured() and conf.TWILIO_AUTH_TOKEN:
            self._require_same_account(client_on(http, credentials.for_tokens()))
        self._read_default_service()
        self._list_everything()
        self.ours = self._our_flow()
        if self.ours is not None:
            self.plan.made.flow_sid = str(self.ours.sid)
        self.address = self._choose_address()
        self._plan_key()
        if not (self._address_is_anothers and wishes.others is Others.KEEP):
            self._plan_flow()
        self._plan_address()
        self._plan_webhook()

    # --- The account ------------------------------------------------------------------------------------------------

    def _read_flex(self) -> None:
        """https://www.twilio.com/docs/flex/developer/config/flex-configuration-rest-api"""
        try:
            with trusted_shape():
                flex = self.client.flex_api.v1.configuration().fetch()
        except FlexError as error:
            if error.twilio_code == NO_FLEX or error.status == 404:
                raise HopelessError(
                    "This account has no Flex. In the Console, choose Flex and set it up, or use the SID of the account that "
                    "has it."
                ) from error
            raise
        if flex.account_sid != conf.TWILIO_ACCOUNT_SID:
            raise HopelessError("The credentials belong to another account than TWILIO_ACCOUNT_SID.")
        if str(flex.status) != "ok":
            raise HopelessError(f"Flex is not ready yet: its status is “{flex.status}”. Try again in some minutes.")
        if not is_sid(flex.chat_service_instance_sid, "IS") or not is_sid(flex.taskrouter_workspace_sid, "WS"):
            raise HopelessError("Flex names no chat service or no workspace. Open Flex once, and try again.")
        self.plan.made.chat_service_sid = flex.chat_service_instance_sid
        self.workspace_sid = flex.taskrouter_workspace_sid
        self.default_workflow_sid = flex.taskrouter_target_workflow_sid or ""

    def _require_same_account(self, of_key: Client) -> None:
        try:
            with trusted_shape():
                configuration = of_key.conversations.v1.configuration().fetch()
        except FlexError as error:
            if error.status not in (401, 403):
                raise
            raise HopelessError(
                "Twilio does not accept the API key (TWILIO_API_KEY_SID) with its secret (TWILIO_API_KEY_SECRET)."
            ) from error
        if configuration.account_sid != conf.TWILIO_ACCOUNT_SID:
            raise HopelessError("The API key belongs to another account than TWILIO_ACCOUNT_SID.")

    def _read_default_service(self) -> None:
        """https://www.twilio.com/docs/conversations-classic/api/configuration-resource"""
        sid = self.plan.made.chat_service_sid
        with trusted_shape():
            default = self.client.conversations.v1.configuration().fetch().default_chat_service_sid
        if default == sid:
            self.plan.found.append(f"Flex's chat service {sid} is the account's default one.")
            return
        by_hand = f"Console: Conversations, Manage, Defaults: choose {sid} as the default conversation service."
        if not self.wishes.set_default_service:
            self.plan.obstacles.append(
                f"The account's default Conversations service is {default or 'none'}, and a webchat needs Flex's, {sid}. That "
                "is a setting of the whole account, which other applications may lean on: --set-default-service changes it."
            )
            return

        def run() -> None:
            with trusted_shape():
                answer = self.client.conversations.v1.configuration().update(default_chat_service_sid=sid)
            _require(answer.default_chat_service_sid == sid)

        self.plan.steps.append(Step("service", f"Make {sid} the account's default Conversations service", by_hand, run))

    def _list_everything(self) -> None:
        """Reads all pages of all lists: what is looked for may be on the last one, and Twilio has no filter by name."""
        with trusted_shape():
            workspace = self.client.taskrouter.v1.workspaces(self.workspace_sid)
            self.workflows = {
                str(workflow.sid): str(workflow.friendly_name) for workflow in list_all(workspace.workflows)
            }
            self.task_channels = {
                str(channel.unique_name): str(channel.sid) for channel in list_all(workspace.task_channels)
            }
            self.flows = {str(flow.sid): str(flow.friendly_name) for flow in list_all(self.client.studio.v2.flows)}
            addresses = list_all(self.client.conversations.v1.address_configurations)
            self.addresses = [
                _Address(
                    str(address.sid),
                    str(address.address),
                    str(address.friendly_name or ""),
                    address.auto_creation or {},
                )
                for address in addresses
                if address.type == "chat"
            ]

    # --- The API key ------------------------------------------------------------------------------------------------

    def _plan_key(self) -> None:
        """https://www.twilio.com/docs/iam/api-keys/key-resource-v2010"""
        if not self.wishes.create_key:
            return
        name = self.wishes.owner[:LONGEST_KEY_NAME]
        with trusted_shape():
            keys = list_all(self.client.keys)
            found = next((str(key.sid) for key in keys if key.friendly_name == name), "")
        if found:
            self.plan.found.append(
                f"The API key {found} “{name}” is there. Twilio shows its secret no more: without it, delete the key in the "
                "Console and run this again."
            )
            return

        def run() -> None:
            with trusted_shape():
                key = self.client.new_keys.create(friendly_name=name)
            _require(is_sid(key.sid, "SK") and bool(key.secret))
            self.plan.made.key_sid, self.plan.made.key_secret = str(key.sid), str(key.secret)

        by_hand = "Console: Account, API keys: create a key of the type Standard. Its secret is shown once."
        self.plan.steps.append(Step("key", f"Create the API key “{name}”", by_hand, run))

    # --- The Studio flow ----------------------------------------------------------------------------------------------

    def _plan_flow(self) -> None:
        """https://www.twilio.com/docs/studio/rest-api/v2/flow"""
        ours = self.ours
        channel_sid = self.task_channels.get("chat", "")
        workflow_sid = self._choose_workflow(studio_flow.workflow_in(ours.definition) if ours else "")
        if not channel_sid:
            self.plan.obstacles.append("TaskRouter has no task channel “chat”: Flex makes it, so open Flex once.")
        if not channel_sid or not workflow_sid:
            return
        site_url = self.wishes.studio_url if can_be_posted_to(self.wishes.studio_url) else ""
        self.plan.definition = studio_flow.build_definition(workflow_sid, channel_sid, self.wishes.owner, site_url)
        commit_message = studio_flow.commit_message_of(self.plan.definition)
        if ours is not None:
            called = f"The Studio flow {ours.sid} “{ours.friendly_name}”"
            is_as_planned = (
                studio_flow.is_same(self.plan.definition, ours.definition) or ours.commit_message == commit_message
            )
            if is_as_planned and str(ours.status) == "published":
                self.plan.found.append(f"{called} sends chats to “{self.workflows[workflow_sid]}”.")
                return
            if not is_as_planned and not studio_flow.is_published_from_here(ours.commit_message):
                if self.wishes.others is Others.STOP:
                    self.plan.obstacles.append(
                        f"{called} was changed in the Console. --keep leaves it as it is; --replace publishes this "
                        "site's definition instead."
                    )
                    return
                if self.wishes.others is Others.KEEP:
                    self.plan.notes.append(f"{called} was changed in the Console, and stays so.")
                    return
        self._plan_publication(workflow_sid, commit_message)

    def _our_flow(self) -> Any:
        """The flow that bears our mark; of several the one that is joined to an address. None if there is none."""
        named = [sid for sid, name in self.flows.items() if name == self.wishes.owner]
        joined = {address.flow_sid for address in self.addresses}
        mark = studio_flow.description_of(self.wishes.owner)
        for sid in sorted(named, key=lambda sid: sid not in joined):
            with trusted_shape():
                flow = self.client.studio.v2.flows(sid).fetch()
                if isinstance(flow.definition, dict) and flow.definition.get("description") == mark:
                    return flow
        return None

    def _choose_workflow(self, before: str) -> str:
        """The SID; "" and an obstacle if it is not clear which."""
        wanted = self.wishes.workflow
        if wanted:
            found = [sid for sid, name in self.workflows.items() if wanted in (sid, name)]
        else:
            found = [sid for sid in (before, self.default_workflow_sid) if sid in self.workflows][:1] or [
                *self.workflows
            ]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"{sid} “{name}”" for sid, name in self.workflows.items()) or "none"
        text = (
            f"There is no workflow “{wanted}”."
            if wanted and not found
            else "It is not clear which workflow takes the chats."
        )
        self.plan.obstacles.append(f"{text} Name one by --workflow. There are: {names}.")
        return ""

    def _plan_publication(self, workflow_sid: str, commit_message: str) -> None:
        by_hand = (
            "Console: Studio, Flows, Create new flow, Import from JSON, with what `manage.py setup_flex --print-flow` "
            f"prints; name it “{self.wishes.owner}” and publish it."
        )
        content: dict[str, Any] = {
            "friendly_name": self.wishes.owner,
            "status": "published",
            "definition": compact_json(self.plan.definition),
            "commit_message": commit_message,
        }
        sid = self.plan.made.flow_sid
        try:
            with trusted_shape():
                self.client.studio.v2.flow_validate.update(**content)
        except FlexError as error:
            if error.reason is not Reason.REFUSED:
                raise
            self.plan.obstacles.append(f"Twilio does not take the Studio flow: {error}. {by_hand}")
            return

        def run() -> None:
            flows = self.client.studio.v2.flows
            with trusted_shape():
                flow = flows(sid).update(**content) if sid else flows.create(**content)
            _require(is_sid(flow.sid, "FW"))
            self.plan.made.flow_sid = str(flow.sid)

        what = f"Update the Studio flow {sid}" if sid else "Create the Studio flow"
        words = f"{what} “{self.wishes.owner}”, which sends chats to “{self.workflows[workflow_sid]}”"
        if studio_flow.asks(self.plan.definition):
            words += f" and asks {host_of(self.wishes.studio_url)} what agents may know"
        self.plan.steps.append(Step("flow", words, by_hand, run))

    # --- The address --------------------------------------------------------------------------------------------------

    @property
    def _address_text(self) -> str:
        """The same each time, so that a second one cannot come to be."""
        return re.sub("[^a-z0-9.-]+", "-", self.wishes.owner.lower())

    def _plan_address(self) -> None:
        """https://www.twilio.com/docs/conversations-classic/api/address-configuration-resource"""
        address = self.address
        if address is None:
            if not self.wishes.wanted_address_sid:
                self._plan_new_address()
            return
        self.plan.made.address_sid = address.sid
        service = address.creation.get("conversation_service_sid")
        is_whole = address.creation.get("enabled") is True and service in (None, "", self.plan.made.chat_service_sid)
        if address.flow_sid and address.flow_sid == self.plan.made.flow_sid and is_whole:
            self.plan.found.append(f"The chat address {address} starts this site's flow.")
        elif not self._address_is_anothers or self.wishes.others is Others.REPLACE:
            self._plan_join(address)
        elif self.wishes.others is Others.STOP:
            self.plan.obstacles.append(
                f"The chat address {address} starts {self._other_target(address)}, which is not this site's. --keep leaves "
                "it so; --replace joins the address to this site's flow."
            )
        elif is_whole:
            self.plan.notes.append(f"The chat address {address} starts {self._other_target(address)}, and stays so.")
        else:
            self.plan.obstacles.append(
                f"The chat address {address} makes no conversations in {self.plan.made.chat_service_sid}, and starts "
                f"{self._other_target(address)}, which is not this site's. --replace joins it to this site's flow."
            )

    def _choose_address(self) -> _Address | None:
        """By name, as the webchat has it, joined to our flow, or with our text."""
        by_sid = {address.sid: address for address in self.addresses}
        if wanted := self.wishes.wanted_address_sid:
            if wanted not in by_sid:
                self.plan.obstacles.append(f"There is no chat address {wanted}. {self._addresses_in_words()}")
            return by_sid.get(wanted)
        if self.wishes.address_sid in by_sid:
            return by_sid[self.wishes.address_sid]
        flow_sid = self.plan.made.flow_sid
        joined = [address for address in self.addresses if flow_sid and address.flow_sid == flow_sid]
        return next(
            iter([*joined, *(address for address in self.addresses if address.address == self._address_text)]), None
        )

    @property
    def _address_is_anothers(self) -> bool:
        """Whether the chosen address starts what is not of this site. A flow that is gone is nobody's."""
        if self.address is None:
            return False
        return bool(self.address.url) or self.address.flow_sid in self.flows.keys() - {self.plan.made.flow_sid}

    def _plan_new_address(self) -> None:
        if self.wishes.address_sid:
            self.plan.notes.append(f"The webchat's address {self.wishes.address_sid} is not at Twilio any more.")
        if self.addresses:
            self.plan.notes.append(f"{self._addresses_in_words()} --address takes one of them instead of a new one.")

        def run() -> None:
            content = self._creation() | {
                "type": "chat",
                "address": self._address_text,
                "friendly_name": self.wishes.owner,
            }
            with trusted_shape():
                address = self.client.conversations.v1.address_configurations.create(**content)
            _require(is_sid(address.sid, "IG"))
            self.plan.made.address_sid = str(address.sid)

        by_hand = (
            "Console: Flex, Channel management, Messaging, Conversations addresses: add an address of the type Chat, with the "
            f"integration Studio and the flow “{self.wishes.owner}”. Or run this again with --address and --replace for an "
            "address that is there."
        )
        self.plan.steps.append(
            Step("address", f"Create the chat address “{self.wishes.owner}”", by_hand, run, needs="flow_sid")
        )

    def _plan_join(self, address: _Address) -> None:
        def run() -> None:
            with trusted_shape():
                answer = self.client.conversations.v1.address_configurations(address.sid).update(**self._creation())
                _require((answer.auto_creation or {}).get("studio_flow_sid") == self.plan.made.flow_sid)

        by_hand = (
            f"Console: Flex, Channel management, Messaging, Conversations addresses: open {address}, and choose the "
            f"integration Studio with the flow “{self.wishes.owner}”."
        )
        instead = f", in place of {self._other_target(address)}" if address.flow_sid or address.url else ""
        words = f"Join the chat address {address} to this site's flow{instead}"
        self.plan.steps.append(Step("address", words, by_hand, run, needs="flow_sid"))

    def _creation(self) -> dict[str, Any]:
        return {
            "auto_creation_enabled": True,
            "auto_creation_type": "studio",
            "auto_creation_conversation_service_sid": self.plan.made.chat_service_sid,
            "auto_creation_studio_flow_sid": self.plan.made.flow_sid,
            "auto_creation_studio_retry_count": STUDIO_RETRIES,
        }

    def _addresses_in_words(self) -> str:
        names = [f"{address}, which starts {self._other_target(address)}" for address in self.addresses]
        return f"There are: {'; '.join(names)}." if names else "There is none."

    def _other_target(self, address: _Address) -> str:
        if address.url:
            return f"a webhook at {host_of(address.url)}"
        if address.flow_sid in self.flows:
            return f"the flow “{self.flows[address.flow_sid]}”"
        return "a flow that is gone" if address.flow_sid else "nothing"

    # --- The webhook --------------------------------------------------------------------------------------------------

    def _plan_webhook(self) -> None:
        url, service = self.wishes.webhook_url, self.plan.made.chat_service_sid
        own, of_account = fetch_webhook(service), fetch_account_webhook()
        if own.posts_to(url) or (not own.post_url and of_account.posts_to(url)):
            self.plan.found.append(f"Twilio tells {host_of(url)} when a chat ends.")
            return
        if not can_be_posted_to(url):
            self.plan.obstacles.append(
                f"Twilio cannot post to {url}: set PUBLIC_BASE_URL to the site's public https address."
            )
            return
        # The service's own takes the place of the account's for all conversations of Flex.
        other = own.post_url or of_account.post_url
        other = "" if other == url else other
        if other and self.wishes.others is not Others.REPLACE:
            text = (
                f"The events of Flex's conversations go to {host_of(other)} already, and there is room for one address."
            )
            if self.wishes.others is Others.KEEP:
                self.plan.notes.append(f"{text} They stay there, so ends of chats are noticed late.")
            else:
                self.plan.obstacles.append(
                    f"{text} --keep leaves it so, and ends of chats are noticed late; --replace puts this site in its place."
                )
            return
        by_hand = f"Console: Conversations, Manage, Webhooks: post-webhook {url}, with the event {EVENT}."
        instead = f", in place of {host_of(other)}" if other else ""
        words = f"Have Twilio post {EVENT} to {url}{instead}"
        self.plan.steps.append(Step("webhook", words, by_hand, lambda: set_webhook(service, url)))


def _require_credentials(wishes: Wishes) -> None:
    missing = credentials.missing()
    if wishes.create_key and conf.TWILIO_ACCOUNT_SID and conf.TWILIO_AUTH_TOKEN:
        return
    if wishes.create_key:
        raise HopelessError("Only the auth token can create a key: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.")
    if missing:
        raise HopelessError(
            f"The environment lacks {', '.join(missing)}. An API key is made in the Console, at Account, API keys, with the "
            "type Standard; or by --create-key, where TWILIO_AUTH_TOKEN is set."
        )


def _require(holds: bool) -> None:
    """Raises FlexError(UNCLEAR) unless an answer says what was asked for."""
    if not holds:
        raise FlexError(Reason.UNCLEAR)


def can_be_posted_to(url: str) -> bool:
    return urlsplit(url).scheme == "https" or bool(conf.TWILIO_SANDBOX_URL)


def host_of(url: str) -> str:
    """Without the rest: an address may carry somebody's secret."""
    return urlsplit(url).hostname or "another address"

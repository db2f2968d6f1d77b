"""Browser tests that do not run in Firefox, by name, and why. `BROWSER=firefox` runs all others there.

WebKit runs the tests that have the fixture `engine`: Playwright cannot drive WebKitGTK.
"""

from __future__ import annotations

SKIPPED: dict[str, set[str]] = {
    "Firefox makes no sound on a machine without a device for it": {
        "test_a_sound_that_was_switched_on_lasts_for_this_tab",
    },
    "without cookies Firefox forbids BroadcastChannel, too, and the chat says no more than that it could not be loaded": {
        "test_where_cookies_are_blocked_the_chat_says_what_to_allow",
    },
    "starts a Chromium of its own": {"test_a_page_from_the_back_forward_cache"},
    "asks for Chromium's own protocol": {"test_no_long_task_before_the_click"},
}


def reason_to_skip(name: str) -> str | None:
    """For a test's name without parameters."""
    return next((reason for reason, names in SKIPPED.items() if name in names), None)

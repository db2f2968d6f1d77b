"""Browser tests that do not run in Firefox, by name, and why. `BROWSER=firefox` runs all others there.

Each needs something of Playwright that it cannot do with a Firefox of the distribution; none is a fault of the chat.
"""

from __future__ import annotations

SKIPPED = {
    "Playwright cannot fetch a request there and change its answer": {
        "test_a_lost_answer_makes_no_second_channel",
        "test_a_sleep_past_the_end_of_the_token",
        "test_a_token_that_is_refused_at_the_start_is_renewed_once",
        "test_the_token_runs_out_and_no_other_is_given",
    },
    "Playwright does not say there which WebSockets are open": {"test_a_running_chat_goes_along"},
    "Playwright cannot take the network away there": {
        "test_no_network_is_said_and_nothing_is_lost",
        "test_offline_is_said",
        "test_what_is_written_offline_goes_out_once",
    },
    "Playwright cannot imitate a device's preferences there": {
        "test_a_colour_scheme_of_staffs_choice_is_the_chats_whatever_the_device_says",
        "test_every_brand_colour_can_be_read",
        "test_in_high_contrast_shapes_and_focus_have_lines",
        "test_nothing_moves_for_who_asked_for_that",
        "test_printing_leaves_the_widget_out",
    },
    "Playwright cannot switch JavaScript off there": {"test_without_javascript"},
    "this Firefox crashes while axe runs, and only then": {"test_axe_finds_nothing_in_any_state"},
    "starts a Chromium of its own": {"test_a_page_from_the_back_forward_cache"},
    "measured by Chromium's own protocol": {"test_no_long_task_before_the_click"},
}


def reason_to_skip(name: str) -> str | None:
    """For a test's name without its parameters."""
    return next((reason for reason, names in SKIPPED.items() if name in names), None)

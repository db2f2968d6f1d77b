"""Twilio, the database or a process fails, behind the whole site: rooms of `webchat/` together, and not one by one."""

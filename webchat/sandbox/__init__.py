"""Twilio, emulated on the wire: REST, media, Twilsock and an agent desk in one process on one loopback port.

For development and tests. The real, unmodified SDKs run against it; it imports nothing of the site.
"""

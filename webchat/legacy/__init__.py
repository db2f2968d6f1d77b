"""Twilio's Flex Webchat UI 2.x in place of our own widget: the endpoints that it asks, and the page that carries it."""

"""Twilio Flex, behind a small interface. The only code that imports twilio; knows no model."""

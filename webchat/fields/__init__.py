"""What a field of a pre-engagement form may be: its types and rules, and the exchange with Twilio's own forms."""

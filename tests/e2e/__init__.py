"""What a visitor sees: the whole site and the sandbox, in a real browser."""

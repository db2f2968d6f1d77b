"""What an attacker tries, at every address of the site: rooms of `webchat/` together, and not one by one."""

"""What the site costs, and long runs: each a program, `python -m tests.bench…`, and no test."""

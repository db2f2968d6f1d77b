"""The configuration of gunicorn: `gunicorn -c config/gunicorn.py`. WEB_CONCURRENCY sets the number of processes."""

from __future__ import annotations

import os

from gunicorn.glogging import Logger

from config import logs

wsgi_app = "config.wsgi"
bind = os.environ.get("BIND", f"127.0.0.1:{os.environ.get('PORT', '8000')}")
# The master process logs in the same format as the workers.
logconfig_dict = logs.configure(human=os.environ.get("LOG_FORMAT") == "text")


class SiteLogger(Logger):
    # The site logs each request itself. Gunicorn would still put a line together for each, for no handler.
    access_log_enabled = False


logger_class = SiteLogger

workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# A start spends most of its time waiting for Twilio, and a waiting thread is cheap.
# Threads also close a response after it was sent, which the first message of a chat relies on.
worker_class = "gthread"
threads = int(os.environ.get("WEBCHAT_THREADS", "20"))
# Longer than a proxy keeps its own end, so that we never close a connection that it is about to use. An idle one costs
# no thread.
keepalive = 75
timeout = 30
graceful_timeout = 20
# Nobody controls gunicorn by the socket that it would put into the home folder.
control_socket_disable = True
max_requests = 5000
max_requests_jitter = 500
# A visitor's address is the business of TRUSTED_PROXY_COUNT alone.
forwarded_allow_ips = "127.0.0.1"

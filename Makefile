# The whole workflow: make demo, make test, make check.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed
export SCIPY_ARRAY_API := 1

.PHONY: demo test check format clean

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not on the PATH; name another with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP)  ## train on the embedded log and write demo/report.html
	$(BIN)/unwonted demo

# Two processes share the cores: threads would wait for one another. Neighbours stay together, for what they share.
test: export OMP_NUM_THREADS := 1
test: $(STAMP)  ## everything the project promises, tested
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(STAMP)  ## style, types, formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv demo build dist

# The one environment, made from the constraints: `make demo` and `make test` need nothing before them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow lint types docs bench gallery notebooks clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY)  ## stylize a photo and say where the picture lies
	mkdir -p out
	$(BIN)/impasto demo --output out/demo.png

test: $(READY)  ## the tests, doctests included, without those marked slow
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile --max-worker-restart 0

test-slow: $(READY)  ## the tests marked slow
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile --max-worker-restart 0 -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

docs: $(READY)  ## the site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo build/site/index.html

bench: $(READY)  ## the figures that have a target; some ten minutes
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks

gallery: $(READY)  ## every picture of docs/gallery
	$(BIN)/python tools/gallery.py

notebooks: $(READY)  ## run the notebooks and store their pictures
	$(BIN)/python -m nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False docs/notebooks/*.ipynb

clean:
	rm -rf $(VENV) out build *.egg-info src/*.egg-info

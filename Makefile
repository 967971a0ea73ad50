# Two commands on a fresh machine: "make demo" and "make test". Needs Python 3.10+ and make.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= test
DJANGO ?= Django
LABELS ?=
OPTIONS ?=
BIN = $(abspath $(VENV))/bin
INSTALLED = $(VENV)/.installed-$(EXTRAS)

.PHONY: help demo test js lint docs install clean

help:
	@echo "make demo    run the example project's staged tests on SQLite"
	@echo "make test    run the library's own tests"
	@echo "make js      test the JavaScript client, and the example in a browser (needs Node)"
	@echo "make lint    ruff and mypy"
	@echo "make docs    build the documentation, warnings are errors"
	@echo "make clean   remove the virtual environment and what was built"

demo: $(INSTALLED)
	cd example && $(BIN)/python -W error manage.py test --noinput $(OPTIONS)
	@echo "JUnit XML: example/reports/junit.xml"

test: $(INSTALLED)
	$(BIN)/python -W error runtests.py --noinput $(OPTIONS) $(LABELS)

js: $(INSTALLED)
	PYTHON=$(BIN)/python js/tests/run

lint:
	$(MAKE) install EXTRAS=lint,test VENV=$(VENV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs:
	$(MAKE) install EXTRAS=docs VENV=$(VENV)
	$(BIN)/sphinx-build -n -W --keep-going -q -b html docs docs/_build/html
	@echo "Documentation: docs/_build/html/index.html"

install: $(INSTALLED)

$(INSTALLED): setup.cfg setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "sanerunner needs Python 3.10 or later: make PYTHON=python3.x" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$(EXTRAS)]" "$(DJANGO)"
	touch $@

clean:
	rm -rf $(VENV) build dist docs/_build example/reports *.egg-info js/node_modules example/node_modules

# make test-faults: what the promise is worth when things break. SCENARIO=name runs only that one
# (SCENARIO=--list names them).
.PHONY: test-faults
test-faults: ## faults against the daemons, judged from the clients' history
	@scripts/install-packages build run test
	@$(MAKE) --no-print-directory all
	@$(PYTHON) -m pytest -q -p no:cacheprovider tests/faults
	@$(PYTHON) tests/faults/run.py $(SCENARIO)

# Included by the Makefile.
.PHONY: e2e
e2e: ## the system on the cluster in KUBECONFIG, step by step (STEPS=...); see tests/e2e/run --help
	@$(MAKE) --no-print-directory all
	@$(PYTHON) -B tests/e2e/run --document $(STEPS)

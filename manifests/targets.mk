# The manifests' checks.

MANIFESTS_TOOLS = $(BUILD)/tools/manifests
MANIFESTS_PYTEST = MANIFESTS_TOOLS='$(abspath $(MANIFESTS_TOOLS))' $(PYTHON) -m pytest -q -p no:cacheprovider

.PHONY: manifests-test lint-manifests manifests-apiserver-test

manifests-test: ## render, validate and check every overlay, the alerts, the canary's analysis
	@scripts/install-packages run manifests
	@tests/manifests/install-tools $(MANIFESTS_TOOLS) kustomize kubeconform schemas evaluate compose
	$(MANIFESTS_PYTEST) tests/manifests

# What takes seconds: everything renders, and keeps our policies.
lint-manifests: ## the manifests' policies
	@tests/manifests/install-tools $(MANIFESTS_TOOLS) kustomize
	$(MANIFESTS_PYTEST) tests/manifests/test_policies.py

manifests-apiserver-test: ## the same manifests against a real API server (built from source: minutes)
	@scripts/install-packages run manifests
	@tests/manifests/install-tools $(MANIFESTS_TOOLS) kustomize kubeconform schemas evaluate apiserver
	$(MANIFESTS_PYTEST) tests/manifests/test_apiserver.py tests/manifests/test_edits.py

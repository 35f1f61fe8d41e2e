# The manifests' checks.

MANIFESTS_TOOLS = $(BUILD)/tools/manifests
MANIFESTS_PYTEST = MANIFESTS_TOOLS='$(abspath $(MANIFESTS_TOOLS))' $(PYTHON) -m pytest -q -p no:cacheprovider

.PHONY: chart manifests-test lint-manifests manifests-apiserver-test

chart: ## write the Helm chart's templates from the manifests
	@$(PYTHON) scripts/chart

manifests-test: ## render, validate and check every overlay, the alerts, the canary's analysis
	@scripts/install-packages run manifests
	@tests/manifests/install-tools $(MANIFESTS_TOOLS) kustomize kubeconform helm schemas evaluate compose
	$(MANIFESTS_PYTEST) tests/manifests

# What takes seconds: everything renders, and keeps our policies.
lint-manifests: ## the manifests' policies
	@tests/manifests/install-tools $(MANIFESTS_TOOLS) kustomize
	$(MANIFESTS_PYTEST) tests/manifests/test_policies.py

manifests-apiserver-test: ## the same manifests against a real API server (built from source: minutes)
	@scripts/install-packages run manifests
	@tests/manifests/install-tools $(MANIFESTS_TOOLS) kustomize kubeconform helm schemas evaluate apiserver
	$(MANIFESTS_PYTEST) $(addprefix tests/manifests/,test_apiserver.py test_edits.py test_chart_apiserver.py)

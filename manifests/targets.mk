# The manifests' checks.

MANIFESTS_TOOLS = $(BUILD)/tools/manifests
MANIFESTS_PYTEST = MANIFESTS_TOOLS='$(abspath $(MANIFESTS_TOOLS))' $(PYTHON) -m pytest -q -p no:cacheprovider

.PHONY: chart manifests-test lint-manifests manifests-apiserver-test majors-test majors-test-here

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

# Two versions beside each other are on no machine by themselves. What needs no kustomize.
majors-test: ## PostgreSQL 17, 18 and the way from one to the other; needs root, makes a Debian the first time
	@scripts/in-debian majors $(MAKE) --no-print-directory majors-test-here

EITHER_TESTS = $(addprefix tests/manifests/,test_backup.py test_database_script.py) -k 'not image_does_not_know and not huge_pages'
majors-test-here: all
	POSTGRES_MAJOR=17 $(MANIFESTS_PYTEST) $(EITHER_TESTS)
	POSTGRES_MAJOR=18 $(MANIFESTS_PYTEST) $(EITHER_TESTS)
	BUILD_DIR='$(abspath $(BUILD))' $(MANIFESTS_PYTEST) -rs tests/manifests/test_majors.py

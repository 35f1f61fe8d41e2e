# The pipeline's own checks: the bump, and the workflows.

PIPELINE_TOOLS = $(BUILD)/tools/pipeline
BUMP_ROUNDS ?= 2
WORKFLOWS = $(wildcard .github/workflows/*.yml)

owner: ## put your account wherever the project names its own: make owner OWNER=NAME
	@scripts/set-owner '$(OWNER)'

.PHONY: owner bump-test test-pipeline lint-workflows lint-text pipeline-tools

pipeline-tools:
	@tests/pipeline/install-tools $(PIPELINE_TOOLS) kustomize

# The short form for `make test`: every case, and a few rounds of the race.
test-pipeline:
	@scripts/install-packages manifests
	@$(MAKE) --no-print-directory pipeline-tools
	KUSTOMIZE='$(abspath $(PIPELINE_TOOLS))/kustomize' ROUNDS='$(BUMP_ROUNDS)' \
	  PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -q -p no:cacheprovider tests/pipeline

bump-test: BUMP_ROUNDS = 50
bump-test: test-pipeline ## the configuration bump: every case, and fifty rounds of eight pushers at once

lint-workflows: ## actionlint, zizmor and the schemas on .github/
	@tests/pipeline/install-tools $(PIPELINE_TOOLS) actionlint zizmor check-jsonschema
	$(PIPELINE_TOOLS)/actionlint $(WORKFLOWS)
	$(PIPELINE_TOOLS)/zizmor --offline --pedantic --quiet .github
	@$(call schema,dependabot,.github/dependabot.yml)
	@$(call schema,github-issue-config,.github/ISSUE_TEMPLATE/config.yml)
	@$(call schema,github-issue-forms,$(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml)))

schema = $(PIPELINE_TOOLS)/check-jsonschema --quiet --builtin-schema vendor.$(1) $(2)

lint-text: ## .editorconfig on every file
	@tests/pipeline/install-tools $(PIPELINE_TOOLS) editorconfig-checker
	$(PIPELINE_TOOLS)/editorconfig-checker -no-color -disable-indentation -exclude "^tests/fuzz/corpus/"

# Included by the Makefile.
#
#   make openapi-test         docs/openapi/ against the route tables and the running programs

SCHEMATHESIS = schemathesis==4.32.5
OPENAPI_TOOLS = build/tools/openapi

.PHONY: openapi-test openapi-tools
openapi-test: openapi-tools ## docs/openapi/ against the programs, by schemathesis too; installs what it needs
	@$(MAKE) --no-print-directory all
	@env BUILD_DIR=$(abspath $(BUILD)) $(OPENAPI_TOOLS)/bin/python3 -B -m pytest -q -p no:cacheprovider --timeout 300 tests/openapi

# With the system's packages, for that of PostgreSQL.
openapi-tools:
	@scripts/install-packages build run test lint
	@[ "$$(cat $(OPENAPI_TOOLS)/installed 2>/dev/null)" = '$(SCHEMATHESIS)' ] || { \
	  $(PYTHON) -m venv --clear --system-site-packages $(OPENAPI_TOOLS) && \
	  $(OPENAPI_TOOLS)/bin/pip --quiet --disable-pip-version-check install '$(SCHEMATHESIS)' && \
	  echo '$(SCHEMATHESIS)' >$(OPENAPI_TOOLS)/installed; }

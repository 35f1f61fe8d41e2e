# Included by the Makefile.
#
#   make browser-test         the page in a real Chromium (K=name: some of the tests)
#   make pictures             docs/pictures/, made anew

AXE_VERSION = 4.14.1
BROWSER_ENV = env BUILD_DIR=$(abspath $(BUILD)) AXE=$(CURDIR)/build/browser/node_modules/axe-core/axe.min.js

.PHONY: browser-test browser-ready pictures
browser-test: browser-ready ## the page in a real Chromium, with axe-core; installs what they need
	@$(BROWSER_ENV) $(PYTEST) -n $(WORKERS) --timeout 300 $(if $(K),-k '$(K)') tests/browser

pictures: browser-ready ## the pictures in docs/pictures/
	@$(BROWSER_ENV) $(PYTHON) -B tests/browser/pictures.py docs/pictures
	@$(BROWSER_ENV) $(PYTHON) -B tests/browser/dashboard.py docs/pictures/dashboard.svg

browser-ready:
	@scripts/install-packages build run test browser
	@$(MAKE) --no-print-directory -j2 all
	@$(MAKE) --no-print-directory -j2 $(BUILD)/next/pingpong BUILD=$(BUILD)/next VERSION=2.0.0
	@[ -e build/browser/node_modules/axe-core/axe.min.js ] || \
	  npm install --prefix build/browser --no-save --no-audit --no-fund --ignore-scripts --loglevel=error axe-core@$(AXE_VERSION)

# compose.yaml, with the Docker that is here.

.PHONY: compose-test
compose-test: test-packages ## compose.yaml brought up by Docker: the page, and the count after down and up
	$(PYTHON) -B -m pytest -q -rs -p no:cacheprovider tests/compose

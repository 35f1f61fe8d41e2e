# The container images.

.PHONY: images
images: ## build the three images with buildah and test them; needs root, or sudo
	@PYTHON='$(PYTHON)' tests/images/run

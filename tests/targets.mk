# Included by the Makefile: what `make test` is made of.
#
#   make test                    everything, under both sanitizers; installs what is missing first
#   make unit                    the unit tests, on the build in BUILD
#   make blackbox K=healthz      the black-box tests whose names match, on the build in BUILD
#   make blackbox BUILD=build/tsan SANITIZE=thread
#   make test-other              the same with the other libmicrohttpd; scripts/in-debian for a part of it
#   make test-arm64              the unit tests, compiled for arm64 and emulated

K ?=
WORKERS ?= 4
# Runs programs of another architecture.
EMULATOR ?=

# A unit test links with the modules it uses out of each program's own objects.
UNIT_TESTS = $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
UNIT_HELPERS = $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
UNIT_ARCHIVES = $(PROGRAMS:%=$(BUILD)/tests/unit/%.a)
UNIT_PACKAGES = $(sort $(foreach program,$(PROGRAMS),$(PACKAGES_$(program)))) cmocka

define archive_rules
$(BUILD)/tests/unit/$(1).a: $$(filter-out %/main.o,$$(OBJECTS_$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR)$$(AR) qcs $$@ $$^
endef
$(foreach program,$(PROGRAMS),$(eval $(call archive_rules,$(program))))

$(BUILD)/tests/unit/%.o: tests/unit/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) $(call cflags_of,$(UNIT_PACKAGES)) -c -o $@ $<
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_HELPERS) $(UNIT_ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -Wl,--as-needed -o $@ $(filter %.o,$^) $(UNIT_ARCHIVES) \
	  $(call libs_of,$(UNIT_PACKAGES)) $(LDLIBS) -lm -lpthread
.PRECIOUS: $(BUILD)/tests/unit/%.o
-include $(UNIT_TESTS:%=$(BUILD)/tests/unit/%.d) $(UNIT_HELPERS:.o=.d)

# Some kernels place things at more random addresses than older sanitizers can bear.
FIXED_ADDRESSES = $(if $(SANITIZE),$(shell setarch -R true 2>/dev/null && echo setarch -R))
SANITIZER_OPTIONS = ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1 \
                    UBSAN_OPTIONS=print_stacktrace=1 \
                    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$(CURDIR)/tests/blackbox/tsan.supp
PYTEST = $(PYTHON) -B -m pytest -q -rs -p no:cacheprovider

.PHONY: test test-packages test-all test-one test-other test-arm64 unit unit-build blackbox footprint
test: test-packages ## unit and black-box tests under sanitizers; installs what they need
	@$(MAKE) --no-print-directory test-all

test-packages:
	@scripts/install-packages build run test

test-all: test-one
	@$(MAKE) --no-print-directory -j2 all unit-build BUILD=build/tsan SANITIZE=thread
	@$(MAKE) --no-print-directory unit BUILD=build/tsan SANITIZE=thread
	@$(MAKE) --no-print-directory blackbox BUILD=build/tsan SANITIZE=thread
	@$(MAKE) --no-print-directory -j2 all unit-build BUILD=build/clang CC=clang

test-other: ## the tests on Debian 12 or 13, the one whose libmicrohttpd is not here; needs root
	@scripts/in-debian other $(MAKE) --no-print-directory test-one

test-arm64: ## the unit tests, compiled for arm64 and emulated; needs root
	@scripts/in-debian arm64 env PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig \
	  $(MAKE) --no-print-directory all unit CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar EMULATOR=qemu-aarch64

# What has to be seen with each version of the libraries.
test-one:
	@$(MAKE) --no-print-directory -j2 all unit-build BUILD=build/asan SANITIZE=address,undefined
	@$(MAKE) --no-print-directory unit BUILD=build/asan SANITIZE=address,undefined
	@$(MAKE) --no-print-directory blackbox BUILD=build/asan SANITIZE=address,undefined
	@$(MAKE) --no-print-directory -j2 all
	@$(MAKE) --no-print-directory footprint

unit-build: $(UNIT_TESTS:%=$(BUILD)/tests/unit/%)

unit: unit-build ## unit tests on the build in BUILD
	@set -e; for test in $(UNIT_TESTS); do \
	  log=$(BUILD)/tests/unit/$$test.log; \
	  env $(SANITIZER_OPTIONS) $(FIXED_ADDRESSES) $(EMULATOR) $(BUILD)/tests/unit/$$test >$$log 2>&1 \
	    || { cat $$log; exit 1; }; \
	  printf '%-40s %s\n' $(BUILD)/$$test "$$(grep '^\[  PASSED' $$log)"; done

blackbox: all ## black-box tests on the build in BUILD (K=name: some of them)
	@echo 'black-box tests on $(BUILD)/, libmicrohttpd $(shell pkg-config --modversion libmicrohttpd)'
	@env $(SANITIZER_OPTIONS) BUILD_DIR=$(abspath $(BUILD)) $(FIXED_ADDRESSES) \
	  $(PYTEST) -n $(WORKERS) -m 'not footprint' $(if $(K),-k '$(K)') tests/blackbox

# Memory and the time to start are the plain build's, and measured one after the other.
footprint: all ## memory and start time of the build in BUILD
	@echo 'memory and start time of $(BUILD)/'
	@env BUILD_DIR=$(abspath $(BUILD)) $(PYTEST) -m footprint tests/blackbox

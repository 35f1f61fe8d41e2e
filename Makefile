# Log-Pong. `make help` lists the commands.

BUILD ?= build
VERSION ?= 1.0.0
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
PYTHON ?= /usr/bin/python3
CLANG_FORMAT ?= scripts/clang-format

CC ?= cc
OPTIMIZE ?= -O2 -g
# SANITIZE=address,undefined or SANITIZE=thread, with a BUILD folder of its own.
SANITIZE ?=
WERROR ?= -Werror

PACKAGES_pingpong = libmicrohttpd libpq libcjson
PACKAGES_reader = libmicrohttpd libcurl libcjson libcrypto
PACKAGES_writer =
PACKAGES_witness = libmicrohttpd libcurl libcjson

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wimplicit-fallthrough -Werror=format-security \
           $(WERROR)

# What the OpenSSF's compiler hardening guide has for programs. Some of it only newer compilers or one
# kind of processor know, so the compiler is asked, once in a run of make.
OPTIONAL_FLAGS = -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard \
                 -ftrivial-auto-var-init=zero -fstrict-flex-arrays=3 -D_FORTIFY_SOURCE=3 -Wtrampolines \
                 -Wbidi-chars=any
KNOWN_FLAGS = $(eval KNOWN_FLAGS := $(shell for flag in $(OPTIONAL_FLAGS); do \
                $(CC) -O2 -Werror -U_FORTIFY_SOURCE "$$flag" -include stdio.h -x c -c -o /dev/null /dev/null \
                  2>/dev/null && echo "$$flag"; done))$(KNOWN_FLAGS)
FORTIFY_OLDER = $(if $(filter -D_FORTIFY_SOURCE=3,$(KNOWN_FLAGS)),,-D_FORTIFY_SOURCE=2)
# The sanitizers see more without them.
HARDENING_RELEASE = -U_FORTIFY_SOURCE $(FORTIFY_OLDER) $(KNOWN_FLAGS) -fno-delete-null-pointer-checks \
                    -fno-strict-overflow -fno-strict-aliasing
HARDENING = -fstack-protector-strong -fPIE $(if $(SANITIZE),,$(HARDENING_RELEASE))
HARDENING_LINK = -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,-z,nodlopen
SANITIZER_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARNINGS) $(OPTIMIZE) $(HARDENING) $(SANITIZER_FLAGS) \
             -Icommon -Ipingpong -Ilog-output -Iwitness -MMD -MP $(CFLAGS)
ALL_LDFLAGS = $(HARDENING_LINK) $(SANITIZER_FLAGS) $(LDFLAGS)

# What each program is made of. Modules of common/ that need no library come first.
COMMON_PLAIN = clock host_list log settings program standard_streams utf8
COMMON_SERVICE = event_loop json_integers lifecycle memory_limit metrics process_metrics resolver trace
SERVICE = $(COMMON_PLAIN:%=common/%.c) $(COMMON_SERVICE:%=common/%.c) $(wildcard common/http/*.c common/faults/*.c)
SOURCES_pingpong = $(SERVICE) $(wildcard pingpong/*.c)
SOURCES_writer = $(COMMON_PLAIN:%=common/%.c) log-output/shared_file.c $(wildcard log-output/writer/*.c)
SOURCES_reader = $(SERVICE) $(wildcard common/client/*.c) log-output/shared_file.c \
                 $(wildcard log-output/reader/*.c log-output/reader/page/*.c)
SOURCES_witness = $(SERVICE) $(wildcard common/client/*.c) $(wildcard witness/*.c)

PROGRAMS = pingpong writer reader witness

.DEFAULT_GOAL := all
.PHONY: all clean format help lint run run-clean
all: $(PROGRAMS:%=$(BUILD)/%) ## build the four programs into build/

# Distributions disagree on where libpq's header is; pkg-config knows.
cflags_of = $(if $(1),$(shell pkg-config --cflags $(1)))
libs_of = $(if $(1),$(shell pkg-config --libs $(1)))

# V=1 shows the commands.
say = $(if $(V),,@echo '  $(1)  $@';)

define program_rules
OBJECTS_$(1) = $$(SOURCES_$(1):%.c=$$(BUILD)/$(1).objects/%.o)
$$(BUILD)/$(1): $$(OBJECTS_$(1))
	$$(call say,LD)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(call libs_of,$$(PACKAGES_$(1))) $$(LDLIBS) -lm -lpthread
$$(BUILD)/$(1).objects/%.o: %.c $$(BUILD)/flags
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) $$(ALL_CFLAGS) $$(call cflags_of,$$(PACKAGES_$(1))) -c -o $$@ $$<
-include $$(OBJECTS_$(1):.o=.d)
endef
$(foreach program,$(PROGRAMS),$(eval $(call program_rules,$(program))))

# Objects of other flags, or another compiler, are made anew.
$(BUILD)/flags: export FLAGS = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS" | cmp -s - $@ || printf '%s\n' "$$FLAGS" > $@

# The build's identity is compiled into one file, rebuilt when the commit changes.
$(BUILD)/identity: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(COMMIT)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT)' > $@
FORCE:
%/common/program.o: ALL_CFLAGS += -DLOG_PONG_VERSION='"$(VERSION)"' -DLOG_PONG_COMMIT='"$(COMMIT)"'
$(foreach program,$(PROGRAMS),$(eval $(BUILD)/$(program).objects/common/program.o: $(BUILD)/identity))

# What the assembler puts into it is no header.
$(BUILD)/reader.objects/log-output/reader/page/document.o: $(wildcard log-output/reader/page/browser/*)

run: ## install, build and run everything here until Ctrl-C
	@scripts/install-packages build run
	@$(MAKE) --no-print-directory -j2 all
	@BUILD_DIR='$(BUILD)' exec scripts/run

run-clean: ## delete what `make run` keeps in .run/, the count included
	@scripts/run --remove-data

# The other linters are where there is something for them to look at.
LINTERS = $(if $(wildcard manifests/targets.mk),lint-manifests) \
          $(if $(wildcard tests/pipeline/targets.mk),lint-text) \
          $(if $(wildcard .github/workflows/*.yml),lint-workflows)
lint: ## format, analyzers, scripts, workflows, manifests; installs what it needs
	@scripts/install-packages build lint
	@CLANG_FORMAT='$(CLANG_FORMAT)' PYTHON='$(PYTHON)' scripts/lint
	$(if $(strip $(LINTERS)),@$(MAKE) --no-print-directory $(LINTERS))

clean: ## remove what was built
	rm -rf build

C_FILES = $(shell git ls-files '*.c' '*.h')
format: ## rewrite the C and Python files in the project's format
	$(CLANG_FORMAT) -i $(C_FILES)
	scripts/ruff format --quiet

help: ## list the commands
	@sed -n 's/^\([a-z0-9-]*\):.* ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

-include $(wildcard tests/targets.mk tests/*/targets.mk bench/targets.mk manifests/targets.mk \
         scripts/targets.mk)

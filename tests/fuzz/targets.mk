# Included by the Makefile.
#
#   make fuzz                 a minute for each parser and for each daemon; findings end it
#   make fuzz FUZZ_SECONDS=5  the short run that CI does
#
# A finding is kept in build/fuzz/; once understood it becomes a unit test and a corpus file.

FUZZ_SECONDS ?= 60
FUZZ_PARSERS = accept head settings log trace trace_state timestamp shared_file pong_reply pongs_reply
FUZZ_SOURCES = common/http/accept.c common/http/head.c common/clock.c common/host_list.c common/log.c common/settings.c common/trace.c common/utf8.c \
               log-output/shared_file.c log-output/reader/pong_reply.c common/json_integers.c
FUZZ_FLAGS = -std=c17 -D_GNU_SOURCE $(WARNINGS) -g -O1 -fsanitize=fuzzer,address,undefined \
             -fno-sanitize-recover=all -Icommon -Ilog-output -Ilog-output/reader

.PHONY: fuzz fuzz-parsers fuzz-daemons
fuzz: ## fuzz the parsers and both daemons (FUZZ_SECONDS=60 each)
	@scripts/install-packages build run test fuzz
	@$(MAKE) --no-print-directory fuzz-parsers fuzz-daemons

build/fuzz/%: tests/fuzz/fuzz_%.c $(FUZZ_SOURCES)
	@mkdir -p $@.corpus
	clang $(FUZZ_FLAGS) $(call cflags_of,libcjson) -o $@ $^ $(call libs_of,libcjson) -lm

fuzz-parsers: $(FUZZ_PARSERS:%=build/fuzz/%)
	@set -e; for parser in $(FUZZ_PARSERS); do \
	  echo "fuzzing $$parser for $(FUZZ_SECONDS) s"; \
	  ASAN_OPTIONS=detect_leaks=1 build/fuzz/$$parser -max_total_time=$(FUZZ_SECONDS) \
	    -max_len=4200 -timeout=5 -artifact_prefix=build/fuzz/$$parser.finding. -print_final_stats=0 \
	    build/fuzz/$$parser.corpus tests/fuzz/corpus/$$parser 2>build/fuzz/$$parser.log \
	    || { tail -40 build/fuzz/$$parser.log; exit 1; }; \
	  sed -n 's/^Done \(.*\)/  \1/p' build/fuzz/$$parser.log; done

# Both daemons, built with the address sanitizer, are sent requests that are almost right.
fuzz-daemons:
	@$(MAKE) --no-print-directory -j2 all BUILD=build/asan SANITIZE=address,undefined
	$(PYTHON) tests/fuzz/http_fuzz.py --build build/asan --seconds $(FUZZ_SECONDS)

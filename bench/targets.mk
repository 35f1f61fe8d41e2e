# Included by the Makefile, whose flags build the floor too: everything that `make bench` needs and nothing else.
#
#   make bench                     about a quarter of an hour; writes docs/bench.md, docs/bench.svg and the README's table
#   make bench QUICK=1             about three minutes; writes build/bench/, for a look, not for the record
#   make bench DURATION=10 ROUNDS=5
#   make bench-crashes             three minutes; says what a thousand crashes in a row leave of /ping's rate
#   make bench-check               the driver's own tests

BENCH_KOA := bench/koa/node_modules/.package-lock.json

export CRASHES PAIRS DURATION ROUNDS WARMUP QUICK BENCH_OUT BENCH_DATA_DIR

.PHONY: bench bench-check bench-crashes bench-packages bench-clean

# The packages come first, and the rest in a second make, so that a build can
# rely on what they brought.
bench: bench-packages
	$(MAKE) $(PROGRAMS:%=build/%) build/bench/floor $(BENCH_KOA)
	bench/run

bench-crashes: bench-packages
	$(MAKE) build/pingpong
	bench/crashes

bench-packages:
	scripts/install-packages build run bench

bench-check:
	/usr/bin/python3 -m pytest -q -p no:cacheprovider bench/tests

build/bench/floor: bench/floor.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(call cflags_of,libmicrohttpd) $(ALL_LDFLAGS) -o $@ $< $(call libs_of,libmicrohttpd)

$(BENCH_KOA): bench/koa/package.json bench/koa/package-lock.json
	cd bench/koa && npm ci --omit=dev --no-audit --no-fund
	@touch $@

bench-clean:
	rm -rf build/bench bench/koa/node_modules

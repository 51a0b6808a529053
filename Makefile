# The two commands of the README are `make demo` and `make test`.

SHELL := /bin/bash
SWIFT ?= swift

.PHONY: help demo demo-stop build test check format lint graph packages bench bench-receive bench-router fuzz asan tsan clean

help: ## what this file can do
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

packages: ## install the Debian packages that building and running need
	@scripts/packages

# Whether two accesses to one variable overlap is checked at run time in the tests; on the way of a request these checks,
# NIO's above all, cost more than parsing does, and no setting of the package reaches a dependency.
build: ## the release binary, .build/release/paas
	$(SWIFT) build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked --product paas

demo: packages build ## a server, an app pushed with git, a rollback
	@scripts/demo

demo-stop: ## stop what `make demo` left running, apps included
	@scripts/demo --stop

test: packages ## the whole suite
	@scripts/test

check: lint graph ## format, lint, dependency graph and unit tests; below two minutes when built
	$(SWIFT) build --build-tests
	scripts/run-tests --skip EndToEnd

format: ## rewrite the sources in the house's format
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests Fuzz

lint: ## what `format` would change, and the linter's rules
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests Fuzz
	@scripts/lint-shell

graph: ## who imports whom, as the targets say
	@scripts/graph

bench-router: build ## the router beside nginx, haproxy, Caddy and Traefik, and 1,000 route changes under load
	@Benchmarks/router/peers
	@Benchmarks/router/bench all
	@Benchmarks/router/route-changes

bench: build ## the numbers of the README
	@Benchmarks/push-to-live

fuzz: ## each fuzzer for FUZZ_SECONDS (60) seconds; what it finds is kept in .build-fuzz
	scripts/fuzz $(FUZZ)

asan: ## the receiver's and the router's tests with AddressSanitizer
	ASAN_OPTIONS=detect_leaks=0 scripts/sanitize address .build-asan

tsan: ## the receiver's and the router's tests with ThreadSanitizer
	scripts/sanitize thread .build-tsan

bench-receive: build ## pushes, clones and sessions against OpenSSH and git; PAAS_BENCH_BUNDLE names a history
	@Benchmarks/git-receive all

clean:
	rm -rf .build .build-fuzz .build-asan .build-tsan

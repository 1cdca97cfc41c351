# The project's chores. Tools are pinned, most of them as Go modules under tools/, and install themselves on first use.
BUF  := go tool -modfile=tools/buf/go.mod buf
LINT := go tool -modfile=tools/lint/go.mod golangci-lint

# The clients that have code made of proto/. Tools of their languages install themselves into the clients' folders.
CLIENTS := $(patsubst clients/%/buf.gen.yaml,%,$(wildcard clients/*/buf.gen.yaml))

.PHONY: build demo test test-postgres test-clients conformance bench-ingest bench-overload bench-follow-up bench-relay bench-cluster \
	lint lint-clients lint-openapi \
	check-gen check-gen-clients gen gen-clients protodeps
.DEFAULT_GOAL := build

# The binary, into bin/.
build:
	go build -o bin/susul ./cmd/susul

# A morning's pushes and follow-ups in a minute, everything in one process.
demo:
	go run ./cmd/susul demo

# Every test, with the race detector; the end-to-end ones build the binary themselves. What watches unsafe pointers takes more than
# half of the time in SQLite's code, which is made of C; it stays on for all else. What was skipped for want of PostgreSQL is told at the end.
test:
	go test -race -gcflags=modernc.org/...=-d=checkptr=0 -timeout 25m ./...
	@tools/postgres

# The API's and delivery's tests once more, on PostgreSQL, which must be installed. Databases are made one by one: it takes minutes.
test-postgres:
	TEST_STORAGE=postgres TEST_POSTGRES=required go test -timeout 15m ./server/api ./server/delivery

# Every client against the same server; fails where a client's language is not installed, while `make test` skips it.
test-clients:
	TEST_CLIENTS=required go test -count=1 -timeout 15m -v ./clients

# How fast callbacks become durable here, beside the two yardsticks; ends with a line of JSON.
bench-ingest:
	go run ./bench/ingest

# What happens when three times as many callbacks come as can be taken, for a minute.
bench-overload:
	go run ./bench/ingest --case overload --seconds 60

# How fast a follow-up to a million recipients is planned, and what callbacks feel of it, beside a bare scan of the same rows.
bench-follow-up:
	go run ./bench/followup

# How fast stored events are posted to one endpoint and to a hundred, beside a bare loop of the same posts.
bench-relay:
	go run ./bench/relay

# What several nodes carry on SQLite and on PostgreSQL, beside pgbench; how fast a policy's change is everywhere, and a leader replaced.
bench-cluster:
	go run ./bench/cluster

# EngageLab's own Java SDK against serve and sandbox; needs Java 17 and Maven.
conformance: build
	mvn -q -B -f conformance/engagelab-java/pom.xml test

# Go, protos, and that no proto breaks those who use the last commit of main.
lint: protodeps
	$(LINT) run
	$(BUF) lint
	$(BUF) format --diff --exit-code proto
	BUF="$(BUF)" tools/breaking

# The clients, each by the checker of its language.
lint-clients:
	@for client in $(CLIENTS); do $(MAKE) --no-print-directory -C clients/$$client lint || exit; done

# The OpenAPI document, by a linter of its own; needs Node 20 or later.
lint-openapi: tools/redocly/node_modules/.package-lock.json
	REDOCLY_SUPPRESS_UPDATE_NOTICE=true tools/redocly/node_modules/.bin/redocly lint \
	--config tools/redocly/redocly.yaml gen/openapi/susul.openapi.json

tools/redocly/node_modules/.package-lock.json: tools/redocly/package.json tools/redocly/package-lock.json
	npm ci --prefix tools/redocly --no-progress --loglevel=error

# Everything in gen/ from proto/.
gen: protodeps
	$(BUF) generate

# That gen/ is what proto/ gives, with no file more or less.
check-gen: protodeps
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	$(BUF) generate -o "$$fresh" && \
	{ diff -r gen "$$fresh/gen" || { echo "gen/ is stale: run make gen"; exit 1; }; }

# What clients/ has of proto/, in each client's folders that its buf.gen.yaml names.
gen-clients: protodeps
	@for client in $(CLIENTS); do \
	$(MAKE) --no-print-directory -C clients/$$client tools && $(BUF) generate --template clients/$$client/buf.gen.yaml || exit; done

# That these folders are what proto/ gives, with no file more or less.
check-gen-clients: protodeps
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	for client in $(CLIENTS); do \
	$(MAKE) --no-print-directory -C clients/$$client tools && $(BUF) generate --template clients/$$client/buf.gen.yaml -o "$$fresh" || exit; \
	for out in $$(awk '$$1 == "out:" {print $$2}' clients/$$client/buf.gen.yaml | sort -u); do \
	diff -r -x __pycache__ "$$out" "$$fresh/$$out" || { echo "$$out is stale: run make gen-clients"; exit 1; }; done; done

# The .proto files of others, printed from the Go modules that carry them.
protodeps:
	@rm -rf .protodeps
	@go -C tools run ./protodeps ../.protodeps

# make run and make test are all that is needed; the rest are their parts.
.PHONY: run cluster build test check docs peers crash-test crash-test-short kill-test bench bench-connect bench-short start-time fuzz-short clean

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION := $(shell git rev-parse HEAD 2>/dev/null)
BIN := bin/millrace

# Broker at 127.0.0.1:9092, REST at 127.0.0.1:8083, data in ./data.
run: build
	$(BIN) standalone

# Three nodes on this machine: brokers at 127.0.0.1:9092 to 9094, REST at 127.0.0.1:8083 to 8085, data in ./data.
cluster: build
	MILLRACE=$(BIN) examples/cluster/start.sh

# nomsgpack leaves out a codec of gin that nothing here uses: 6 MB. grpcnotrace leaves out pages with templates, for which the linker
# would keep every method of every type: another 9 MB.
build:
	CGO_ENABLED=0 go build -trimpath -tags nomsgpack,grpcnotrace -ldflags "-s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)" -o $(BIN) ./cmd/millrace

test: peers
	.ci/test

peers:
	.ci/install-peers

check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run: gofmt -w .'; exit 1; }
	@long=$$(wc -l $$(git ls-files '*.go') | awk '$$1 > 600 && $$2 != "total" && $$2 !~ /\.pb\.go$$/'); test -z "$$long" || { echo "above 600 lines: $$long"; exit 1; }
	go vet ./...
	@if command -v staticcheck >/dev/null; then staticcheck ./...; else echo 'staticcheck is not installed: skipped'; fi

# The reference in cmd/docs, from the definitions of keys and routes.
docs:
	go test ./cmd/millrace -count=1 -run '^TestDocs$$' -docs

# More than 100,000 records and 20 kills for each flow.
crash-test:
	go test ./cmd/internal/crashtest -count=1 -v -timeout 60m -crash.records 120000 -crash.kills 22

# 200 kills at named points: after a poll, before an offset write, amid a config write, and so on.
kill-test:
	go test ./cmd/internal/crashtest -run TestKillPoints -count=1 -v -timeout 30m -crash.points 200

crash-test-short:
	go test ./cmd/internal/crashtest -count=1 -v -timeout 10m

bench:
	go run ./cmd/internal/bench

# Beside Apache Kafka Connect: records, memory, a thousand connectors. Takes about 20 minutes.
bench-connect:
	go test ./cmd/internal/connectbench -count=1 -v -timeout 60m -bench.full

bench-short:
	go run ./cmd/internal/bench -runs 1 -scale 5

# Start to first REST answer, idle memory, size of the binary.
start-time: build
	go run ./cmd/internal/bench -only idle

fuzz-short:
	.ci/fuzz 2

clean:
	rm -rf bin .cache

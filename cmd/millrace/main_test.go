package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"millrace/cmd/internal/proc"
)

// binary is millrace as make build makes it, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "millrace-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // a leftover in the temporary folder does no harm
	if binary, err = proc.Build(context.Background(), "millrace/cmd/millrace", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

const startTimeout = 30 * time.Second

// start starts a worker with data of its own; it is killed at the end of the test.
func start(t *testing.T, extra ...string) *proc.Worker {
	t.Helper()
	w, err := proc.NewWorker(binary, t.TempDir(), extra...)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer // shown only where it helps
	w.Stderr = &said
	t.Cleanup(func() {
		if err := w.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the worker said:\n%s", &said)
		}
	})
	again(t, w)
	return w
}

// again starts a worker that was stopped or killed.
func again(t *testing.T, w *proc.Worker) {
	t.Helper()
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if err := w.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

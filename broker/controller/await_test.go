package controller_test

import (
	"runtime"
	"testing"
	"time"
)

// await spins until the other goroutines have brought cond about.
func await(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("waited too long")
		}
	}
}

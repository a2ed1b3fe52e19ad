package brokertest

import (
	"testing"
	"time"
)

// patience bounds Await.
const patience = 30 * time.Second

// Await asks until ok: for what brokers do in their own time and tell nobody. It ends the test if that does not happen.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

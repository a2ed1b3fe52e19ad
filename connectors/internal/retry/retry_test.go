package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"millrace/connectors/internal/retry"
)

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.Backoff{First: time.Second, Max: 8 * time.Second}
		if !b.Wait(t.Context(), time.Minute) {
			t.Fatal("the first attempt has to wait")
		}
		for _, want := range []time.Duration{1, 2, 4, 8, 8} {
			want *= time.Second
			start := time.Now()
			b.Failed()
			if b.Wait(t.Context(), want/2) {
				t.Fatalf("due after %s, want %s", want/2, want)
			}
			if !b.Wait(t.Context(), time.Minute) {
				t.Fatal("not due after its own delay")
			}
			if got := time.Since(start); got < want || got > want*5/4+1 {
				t.Errorf("waited %s, want %s and a quarter at most", got, want)
			}
		}
		b.Failed()
		b.Reset()
		if !b.Wait(t.Context(), 0) {
			t.Error("has to wait after Reset")
		}
		b.Failed()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if b.Wait(ctx, time.Hour) {
			t.Error("due though the context ended")
		}
	})
}

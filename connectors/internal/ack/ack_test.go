package ack_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors/internal/ack"
)

func TestTracker(t *testing.T) {
	t.Run("takes_the_contiguous_prefix_only", func(t *testing.T) {
		var tr ack.Tracker[int]
		a, b, c := tr.Add(1), tr.Add(2), tr.Add(3)
		tr.Done(c)
		tr.Done(b)
		if got := tr.Take(); got != nil {
			t.Fatalf("took %v before the first was done", got)
		}
		tr.Done(a)
		if diff := cmp.Diff([]int{1, 2, 3}, tr.Take()); diff != "" {
			t.Fatal(diff)
		}
		d := tr.Add(4)
		tr.Done(a) // a second time
		if got := tr.Take(); got != nil {
			t.Fatalf("took %v for a ticket that was taken already", got)
		}
		tr.Done(d)
		if diff := cmp.Diff([]int{4}, tr.Take()); diff != "" {
			t.Fatal(diff)
		}
	})
	t.Run("drains_what_is_left", func(t *testing.T) {
		var tr ack.Tracker[int]
		tr.Add(1)
		b := tr.Add(2)
		if diff := cmp.Diff([]int{1, 2}, tr.Drain()); diff != "" {
			t.Fatal(diff)
		}
		tr.Add(3)
		tr.Done(b)
		if got := tr.Take(); got != nil {
			t.Fatalf("took %v for a ticket from before", got)
		}
	})
	t.Run("ignores_tickets_of_an_earlier_connection", func(t *testing.T) {
		var tr ack.Tracker[int]
		old := tr.Add(1)
		tr.Reset()
		tr.Add(2)
		tr.Done(old)
		tr.Done(ack.Ticket{})
		if got := tr.Take(); got != nil {
			t.Fatalf("took %v", got)
		}
		if got := tr.Pending(); got != 1 {
			t.Fatalf("pending %d, want 1", got)
		}
	})
}

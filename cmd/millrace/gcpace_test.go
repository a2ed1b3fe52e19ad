package main

import (
	"testing"
	"time"
)

func TestNextPercent(t *testing.T) {
	for _, c := range []struct {
		name     string
		percent  int
		live     uint64
		interval time.Duration
		want     int
	}{
		{"idle", 400, 12 << 20, 2 * time.Minute, 100},
		{"busy with little", 100, 8 << 20, 50 * time.Millisecond, 400},
		{"busy with next to nothing", 100, 1 << 20, 50 * time.Millisecond, 1000},
		{"busy with much", 400, 100 << 20, 50 * time.Millisecond, 100},
		{"hardly another", 400, 9 << 20, 50 * time.Millisecond, 400},
		{"nothing lives", 100, 0, 50 * time.Millisecond, 100},
	} {
		if got := nextPercent(c.percent, c.live, c.interval); got != c.want {
			t.Errorf("%s: got %d %%, want %d", c.name, got, c.want)
		}
	}
}

package commitlog_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

var big = strings.Repeat("x", 6000) // two of these do not fit a segment

// A log start inside a segment must neither keep that segment from being compacted nor, by that, bring back records
// whose tombstones went in a later one.
func TestCompactionBehindALogStartInsideASegment(t *testing.T) {
	x := newTable(t)
	x.put(batch.NoProducer(), "a", "1")
	x.put(batch.NoProducer(), "b", big)
	if err := x.AdvanceStart(1); err != nil {
		t.Fatal(err)
	}
	if err := x.Roll(); err != nil {
		t.Fatal(err)
	}
	x.put(batch.NoProducer(), "b", "-", "c", big)
	x.clean(0)
	x.now = x.now.Add(2 * time.Hour)
	x.put(batch.NoProducer(), "d", "1")
	x.clean(0)
	x.want("3 c="+big, "4 d=1")
}

// A pass that meets retention half-way stops there: what it has not copied still needs the tombstones further on.
func TestCompactionStopsWhereRetentionIs(t *testing.T) {
	x := newTable(t)
	x.put(batch.NoProducer(), "a", "1")
	if err := x.Roll(); err != nil {
		t.Fatal(err)
	}
	x.put(batch.NoProducer(), "b", "1")
	if err := x.Roll(); err != nil {
		t.Fatal(err)
	}
	x.put(batch.NoProducer(), "b", "-", "c", big)
	if err := x.Roll(); err != nil {
		t.Fatal(err)
	}
	x.put(batch.NoProducer(), "d", big)
	x.clean(0)
	x.put(batch.NoProducer(), "e", "1")
	if err := x.Roll(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Sync(); err != nil {
		t.Fatal(err)
	}
	x.now = x.now.Add(2 * time.Hour)
	plan, err := x.PlanClean(x.at, x.End())
	if err != nil {
		t.Fatal(err)
	}
	start := x.End()
	if err := x.AdvanceStart(start); err != nil { // and the segments are about to go
		t.Fatal(err)
	}
	done, err := commitlog.NewCleaner(0).Clean(context.Background(), x.Log, plan)
	if err != nil || done.Next != plan.From || done.Segments != 0 {
		t.Errorf("clean: %+v, %v; want nothing done", done, err)
	}
}

// Index files can be made anew, so a full disk while they are written costs nothing but that.
func TestCompactionWithAFullDiskAtTheIndex(t *testing.T) {
	for _, suffix := range []string{".index", ".timeindex"} {
		t.Run(suffix, func(t *testing.T) {
			x := newTable(t)
			x.put(batch.NoProducer(), "a", "1", "b", "1")
			x.put(batch.NoProducer(), "a", "2")
			if err := x.Roll(); err != nil {
				t.Fatal(err)
			}
			if _, err := x.Sync(); err != nil {
				t.Fatal(err)
			}
			x.fs.Inject(func(op vfs.Op) error {
				if op.Kind == "write" && strings.Contains(op.Name, suffix) {
					return syscall.ENOSPC
				}
				return nil
			})
			plan, err := x.PlanClean(x.at, x.End())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := commitlog.NewCleaner(0).Clean(context.Background(), x.Log, plan); err != nil &&
				!errors.Is(err, commitlog.ErrNoSpace) {
				t.Fatal(err)
			}
			x.fs.Inject(nil)
			x.want("1 b=1", "2 a=2")
			if at, err := x.FindTime(x.now.UnixMilli(), x.End()); err != nil || at.Offset != 1 {
				t.Errorf("first record of now: %+v, %v", at, err)
			}
			x.put(batch.NoProducer(), "c", "1")
			x.clean(0)
			if err := x.DeleteBefore(x.End()); err != nil || x.Size() != 0 {
				t.Errorf("%d bytes left behind the log start, %v", x.Size(), err)
			}
		})
	}
}

// A closed segment whose indexes were not written yet when the process died must not be judged by older index files, such
// as those of a clean stop when it was the active one.
func TestCrashBeforeTheIndexesOfAClosedSegment(t *testing.T) {
	fs := vfs.NewMem()
	log := openLog(t, fs, commitlog.OpenState{})
	next := 0
	add := func(n int) {
		t.Helper()
		for range n {
			if _, err := log.Append(0, newBatch(t, baseTime+int64(1000*next), "value", "second")); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	add(2)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = openLog(t, fs, commitlog.OpenState{Clean: true, RecoveryPoint: log.End()})
	add(2)
	if _, err := log.Sync(); err != nil {
		t.Fatal(err)
	}
	point := log.Durable()
	add(1)
	if log.FirstBase() != 0 {
		t.Fatal("no segment was closed")
	}
	log = openLog(t, fs.Crash(vfs.KillProcess, 1), commitlog.OpenState{SameBoot: true, RecoveryPoint: point})
	if at, err := log.FindTime(baseTime+3000, log.End()); err != nil || at.Offset != 6 {
		t.Errorf("first record at its time: %+v, %v; want offset 6", at, err)
	}
}

package quorum_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/broker/internal/vfs"
	"millrace/broker/quorum"
)

var errCrash = errors.New("the machine is gone")

// TestCrash ends the machine at every operation on the disk of a workload with proposals, compactions and a restart. What
// was committed must be there afterwards, in order and with nothing that was not proposed, and the voter must go on.
func TestCrash(t *testing.T) {
	for _, survival := range []vfs.Survival{vfs.LoseUnsynced, vfs.TearUnsynced} {
		t.Run(survival.String(), func(t *testing.T) {
			points := 0
			for at := int64(1); ; at++ {
				crashed := false
				synctest.Test(t, func(t *testing.T) { crashed = crashOnce(t, survival, at) })
				if t.Failed() {
					t.Fatalf("crash at operation %d", at)
				}
				if !crashed {
					break
				}
				points++
			}
			t.Logf("%d crash points", points)
			if points < 100 {
				t.Errorf("only %d crash points: the workload does not reach the disk", points)
			}
		})
	}
}

func crashConfig(fsys vfs.FS) quorum.Config {
	return quorum.Config{ID: 1, Voters: []uint64{1}, Dir: "q", FS: fsys, CompactEntries: 8, KeepEntries: 2, SegmentBytes: 512}
}

// crashOnce runs the workload until operation at, crashes, restarts and checks. It reports whether the workload got there.
func crashOnce(t *testing.T, survival vfs.Survival, at int64) bool {
	disk := vfs.NewMem()
	var ops atomic.Int64
	disk.Inject(func(op vfs.Op) error {
		if op.Mutates() && ops.Add(1) >= at {
			return errCrash
		}
		return nil
	})
	var proposed, committed []string
	work := func() error {
		for round := range 3 {
			v, err := openVoter(crashConfig(disk))
			if err != nil {
				return err
			}
			for i := range 9 {
				e := fmt.Sprintf("r%d.%d", round, i)
				proposed = append(proposed, e)
				if !v.commit(e) {
					return v.stop()
				}
				committed = append(committed, e)
			}
			if err := v.stop(); err != nil {
				return err
			}
		}
		return nil
	}
	err := work()
	if err != nil && !errors.Is(err, errCrash) {
		t.Fatalf("the workload failed by itself: %v", err)
	}
	if ops.Load() < at {
		return false
	}
	after := disk.Crash(survival, uint64(at))
	v, err := openVoter(crashConfig(after))
	if err != nil {
		t.Fatalf("restart after %q committed: %v", committed, err)
	}
	got, _ := v.settled()
	list := strings.FieldsFunc(got, func(r rune) bool { return r == ',' })
	if len(list) < len(committed) || len(list) > len(proposed) || got != strings.Join(proposed[:len(list)], ",") {
		t.Errorf("after the restart: %q\ncommitted: %q\nproposed: %q", list, committed, proposed)
	}
	if !v.commit("after") {
		t.Error("no proposals after the restart")
	}
	if err := v.stop(); err != nil {
		t.Error(err)
	}
	return true
}

// openVoter is startVoter for a disk that may fail.
func openVoter(cfg quorum.Config) (*voter, error) {
	node, err := quorum.Open(cfg)
	if err != nil {
		return nil, err
	}
	return follow(node), nil
}

// settled waits for the voter to lead, or to end, and returns its state.
func (v *voter) settled() (string, bool) {
	for range 1000 {
		synctest.Wait()
		if s, r := v.state(); r.Leading {
			return s, true
		}
		time.Sleep(time.Millisecond) // virtual
	}
	s, _ := v.state()
	return s, false
}

// commit proposes e and reports whether it was committed.
func (v *voter) commit(e string) bool {
	if _, leads := v.settled(); !leads {
		return false
	}
	if v.propose(e) != nil {
		return false
	}
	synctest.Wait()
	s, _ := v.state()
	return s == e || strings.HasSuffix(s, ","+e)
}

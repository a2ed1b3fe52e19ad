package quorum_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/broker/internal/vfs"
	"millrace/broker/quorum"
)

// TestRandomFaults cuts off, stops and crashes three voters at random while entries are proposed. Every entry that a voter
// reported as committed must be in the list all agree on in the end, at the same place.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomFaults(t, rand.New(rand.NewPCG(seed, 7)), seed) })
		})
	}
}

func randomFaults(t *testing.T, rnd *rand.Rand, seed uint64) {
	net := &network{nodes: make(map[uint64]*voter), cut: make(map[uint64]bool)}
	disks := map[uint64]*vfs.Mem{1: vfs.NewMem(), 2: vfs.NewMem(), 3: vfs.NewMem()}
	node := func(id uint64) *voter { net.mu.Lock(); defer net.mu.Unlock(); return net.nodes[id] }
	start := func(id uint64) {
		v := startVoter(t, quorum.Config{
			ID: id, Voters: []uint64{1, 2, 3}, Dir: "q", FS: disks[id], Transport: outbox{net, id},
			CompactEntries: 15, KeepEntries: 5, SegmentBytes: 1 << 10,
		})
		net.mu.Lock()
		net.nodes[id] = v
		net.mu.Unlock()
	}
	var committed []string // the longest list a voter reported
	observe := func() {
		t.Helper()
		synctest.Wait()
		for id := uint64(1); id <= 3; id++ {
			v := node(id)
			if v == nil {
				continue
			}
			s, _ := v.state()
			list := strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
			n := min(len(list), len(committed))
			if !slices.Equal(list[:n], committed[:n]) {
				t.Fatalf("voter %d has %q, others had %q", id, list, committed)
			}
			if len(list) > n {
				committed = list
			}
		}
	}
	stop := func(id uint64, crash bool) {
		v := node(id)
		net.mu.Lock()
		delete(net.nodes, id)
		net.mu.Unlock()
		if crash {
			left := disks[id].Crash(vfs.TearUnsynced, seed)
			disks[id].Inject(func(vfs.Op) error { return errCrash })
			_ = v.stop() // fails on the dead disk
			disks[id] = left
		} else if err := v.stop(); err != nil {
			t.Fatal(err)
		}
	}
	for id := range disks {
		start(id)
	}
	for i := range 150 {
		id := 1 + rnd.Uint64N(3)
		switch n := rnd.IntN(12); {
		case n == 0:
			net.isolate(id, true)
		case n < 3:
			net.isolate(id, false)
		case n == 3 && node(id) != nil:
			stop(id, rnd.IntN(2) == 0)
		case n == 4 && node(id) == nil:
			start(id)
		case n < 7:
			time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond) // virtual
		default:
			for id := uint64(1); id <= 3; id++ {
				if v := node(id); v != nil {
					if _, r := v.state(); r.Leading {
						_ = v.propose(fmt.Sprintf("e%d.%d", i, id)) // a leader that was cut off may take it and lose it
					}
				}
			}
		}
		observe()
	}
	for id := uint64(1); id <= 3; id++ {
		net.isolate(id, false)
		if node(id) == nil {
			start(id)
		}
	}
	wait(t, "a leader that commits", func() bool {
		for id := uint64(1); id <= 3; id++ {
			if _, r := node(id).state(); r.Leading {
				return node(id).propose("end") == nil
			}
		}
		return false
	})
	wait(t, "agreement", func() bool {
		var states []string
		for id := uint64(1); id <= 3; id++ {
			s, _ := node(id).state()
			states = append(states, s)
		}
		return strings.HasSuffix(states[0], "end") && states[0] == states[1] && states[1] == states[2]
	})
	observe()
	if len(committed) < 5 {
		t.Logf("only %d entries were committed", len(committed))
	}
	for id := uint64(1); id <= 3; id++ {
		stop(id, false)
	}
}

package quorum_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"millrace/broker/internal/vfs"
	"millrace/broker/quorum"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is the transport between the voters of a test.
type network struct {
	mu    sync.Mutex
	nodes map[uint64]*voter
	cut   map[uint64]bool
}

func (n *network) Send(to uint64, message []byte) {
	n.mu.Lock()
	v, cut := n.nodes[to], n.cut[to]
	n.mu.Unlock()
	if v != nil && !cut {
		_ = v.node.Receive(message) // a lost message is what a network does
	}
}

func (n *network) isolate(id uint64, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[id] = cut
}

// outbox drops what a voter that is cut off sends.
type outbox struct {
	net  *network
	from uint64
}

func (o outbox) Send(to uint64, message []byte) {
	o.net.mu.Lock()
	cut := o.net.cut[o.from]
	o.net.mu.Unlock()
	if !cut {
		o.net.Send(to, message)
	}
}

// voter is a node with a state machine: the list of what was committed.
type voter struct {
	node *quorum.Node
	stop func() error

	mu      sync.Mutex
	entries []string
	index   uint64
	role    quorum.Role
}

func startVoter(t *testing.T, cfg quorum.Config) *voter {
	t.Helper()
	node, err := quorum.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return follow(node)
}

// follow runs a node and applies its updates.
func follow(node *quorum.Node) *voter {
	v := &voter{node: node}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	follow := make(chan struct{})
	go func() {
		defer close(follow)
		for {
			select {
			case u := <-node.Updates():
				v.update(ctx, u)
			case <-ctx.Done():
				return
			}
		}
	}()
	v.stop = sync.OnceValue(func() error { cancel(); <-follow; return <-ended })
	return v
}

func (v *voter) update(ctx context.Context, u quorum.Update) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if u.Snapshot != nil {
		v.entries, v.index = nil, u.Snapshot.Index
		if len(u.Snapshot.Data) > 0 {
			v.entries = strings.Split(string(u.Snapshot.Data), ",")
		}
	}
	for _, e := range u.Entries {
		v.entries, v.index = append(v.entries, string(e.Data)), e.Index
	}
	if u.Role != nil {
		v.role = *u.Role
	}
	if u.CompactionDue {
		v.node.Compact(ctx, v.index, []byte(strings.Join(v.entries, ",")))
	}
}

func (v *voter) state() (string, quorum.Role) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.entries, ","), v.role
}

func (v *voter) propose(data ...string) error {
	_, role := v.state()
	var b [][]byte
	for _, d := range data {
		b = append(b, []byte(d))
	}
	return v.node.Propose(context.Background(), role.Term, b...)
}

// wait lets virtual time pass until cond holds.
func wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 3000 {
		synctest.Wait()
		if cond() {
			return
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	t.Fatalf("%s: not within 30 s", what)
}

func TestOneVoter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quorum.Config{ID: 1, Voters: []uint64{1}, Dir: "q", FS: vfs.NewMem(), CompactEntries: 10, KeepEntries: 3, SegmentBytes: 1 << 10}
		began := time.Now()
		v := startVoter(t, cfg)
		wait(t, "leadership", func() bool { _, r := v.state(); return r.Leading })
		if d := time.Since(began); d > 0 {
			t.Errorf("a single voter took %v to lead", d)
		}
		var want []string
		for round := range 5 {
			for i := range 12 {
				e := fmt.Sprintf("r%d.%d", round, i)
				want = append(want, e)
				if err := v.propose(e); err != nil {
					t.Fatal(err)
				}
			}
			all := strings.Join(want, ",")
			wait(t, "commit", func() bool { s, _ := v.state(); return s == all })
			if err := v.stop(); err != nil {
				t.Fatal(err)
			}
			v = startVoter(t, cfg)
			wait(t, "state after a restart", func() bool { s, r := v.state(); return s == all && r.Leading })
		}
		if err := v.node.Propose(t.Context(), 1, []byte("x")); !errors.Is(err, quorum.ErrNotLeader) {
			t.Errorf("proposal for an old term: %v", err)
		}
		entries, err := cfg.FS.ReadDir("q")
		if err != nil {
			t.Fatal(err)
		}
		snapshots := 0
		for _, e := range entries {
			if strings.HasSuffix(e.Name, ".snapshot") {
				snapshots++
			}
		}
		if snapshots != 1 {
			t.Errorf("%d snapshots on disk, want the newest only", snapshots)
		}
		if err := v.stop(); err != nil {
			t.Error(err)
		}
		if err := v.node.Propose(t.Context(), 9, nil); !errors.Is(err, quorum.ErrClosed) {
			t.Errorf("proposal after the end: %v", err)
		}
	})
}

func TestThreeVoters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{nodes: make(map[uint64]*voter), cut: make(map[uint64]bool)}
		config := func(id uint64) quorum.Config {
			return quorum.Config{
				ID: id, Voters: []uint64{1, 2, 3}, Dir: "q", Transport: outbox{net, id},
				CompactEntries: 20, KeepEntries: 5, SegmentBytes: 1 << 10,
			}
		}
		disks := map[uint64]vfs.FS{1: vfs.NewMem(), 2: vfs.NewMem(), 3: vfs.NewMem()}
		start := func(id uint64) {
			cfg := config(id)
			cfg.FS = disks[id]
			v := startVoter(t, cfg)
			net.mu.Lock()
			net.nodes[id] = v
			net.mu.Unlock()
		}
		node := func(id uint64) *voter { net.mu.Lock(); defer net.mu.Unlock(); return net.nodes[id] }
		stop := func(id uint64) {
			v := node(id)
			net.mu.Lock()
			delete(net.nodes, id)
			net.mu.Unlock()
			if err := v.stop(); err != nil {
				t.Errorf("voter %d: %v", id, err)
			}
		}
		leader := func() (id uint64) {
			wait(t, "one leader", func() bool {
				id = 0
				for i := uint64(1); i <= 3; i++ {
					v := node(i)
					net.mu.Lock()
					cut := net.cut[i]
					net.mu.Unlock()
					if v != nil && !cut {
						if _, r := v.state(); r.Leading {
							id = i
						}
					}
				}
				return id != 0
			})
			return id
		}
		var want []string
		agree := func(ids ...uint64) {
			t.Helper()
			all := strings.Join(want, ",")
			wait(t, fmt.Sprintf("voters %v agree on %d entries", ids, len(want)), func() bool {
				for _, id := range ids {
					if s, _ := node(id).state(); s != all {
						return false
					}
				}
				return true
			})
		}
		propose := func(id uint64, n int) {
			t.Helper()
			for range n {
				e := fmt.Sprintf("e%d", len(want))
				if err := node(id).propose(e); err != nil {
					t.Fatal(err)
				}
				want = append(want, e)
			}
		}
		for id := uint64(1); id <= 3; id++ {
			start(id)
		}
		first := leader()
		propose(first, 10)
		agree(1, 2, 3)

		stop(first) // the leader goes
		second := leader()
		if second == first {
			t.Fatal("the stopped voter leads")
		}
		propose(second, 60) // past a compaction: the absent one needs a snapshot
		third := 6 - first - second
		agree(second, third)
		start(first)
		agree(1, 2, 3)

		// A leader that is cut off loses its leadership, and what it proposed alone.
		cut := leader()
		net.isolate(cut, true)
		_ = node(cut).propose("lost")
		next := leader()
		propose(next, 3)
		wait(t, "the old leader steps down", func() bool { _, r := node(cut).state(); return !r.Leading })
		net.isolate(cut, false)
		agree(1, 2, 3)

		for id := uint64(1); id <= 3; id++ { // everybody at once
			stop(id)
		}
		for id := uint64(1); id <= 3; id++ {
			start(id)
		}
		propose(leader(), 1)
		agree(1, 2, 3)
		for id := uint64(1); id <= 3; id++ {
			stop(id)
		}
	})
}

func TestOpenErrors(t *testing.T) {
	for name, cfg := range map[string]quorum.Config{
		"no id":                {Voters: []uint64{1}, Dir: "q"},
		"no dir":               {ID: 1, Voters: []uint64{1}},
		"no voters":            {ID: 1, Dir: "q"},
		"voters, no transport": {ID: 1, Voters: []uint64{1, 2}, Dir: "q"},
	} {
		cfg.FS = vfs.NewMem()
		if n, err := quorum.Open(cfg); err == nil {
			t.Errorf("%s: no error", name)
			_ = n.Close()
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	for _, pattern := range []string{"vote", "*.snapshot"} {
		t.Run(pattern, func(t *testing.T) {
			dir := t.TempDir()
			cfg := quorum.Config{ID: 1, Voters: []uint64{1}, Dir: dir}
			v := startVoter(t, cfg)
			for {
				if _, r := v.state(); r.Leading {
					break
				}
			}
			if err := v.stop(); err != nil {
				t.Fatal(err)
			}
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(found) != 1 {
				t.Fatalf("%v, %v", found, err)
			}
			b, err := vfs.ReadFile(vfs.OS, found[0], 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)-6] ^= 1
			if err := vfs.ReplaceFile(vfs.OS, found[0], b); err != nil {
				t.Fatal(err)
			}
			if _, err := quorum.Open(cfg); err == nil || !strings.Contains(err.Error(), found[0]) {
				t.Errorf("got %v, want an error that names %s", err, found[0])
			}
		})
	}
}

// TestDamagedLog flips a byte of an entry that was synced: that is no torn write and must not be cut off.
func TestDamagedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quorum.Config{ID: 1, Voters: []uint64{1}, Dir: "q", FS: vfs.NewMem()}
		v := startVoter(t, cfg)
		for i := range 5 {
			if !v.commit(fmt.Sprint("entry", i)) {
				t.Fatal("not committed")
			}
		}
		if err := v.stop(); err != nil {
			t.Fatal(err)
		}
		entries, err := cfg.FS.ReadDir("q/log")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name, ".log") {
				continue
			}
			f, err := cfg.FS.Open("q/log/" + e.Name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte{0xff}, e.Size/2); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := quorum.Open(cfg); err == nil {
			t.Error("a damaged log was opened")
		} else {
			t.Log(err)
		}
		cfg.ID, cfg.FS = 2, vfs.NewMem()
		if _, err := quorum.Open(cfg); err == nil || !strings.Contains(err.Error(), "voter 2") {
			t.Errorf("a stranger's directory: %v", err)
		}
	})
}

// TestFullDisk: proposals wait for space, and nothing that was committed is lost.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		cfg := quorum.Config{ID: 1, Voters: []uint64{1}, Dir: "q", FS: disk}
		v := startVoter(t, cfg)
		if !v.commit("before") {
			t.Fatal("not committed")
		}
		disk.SetSpace(disk.Used() + 10)
		if v.commit("during") {
			t.Error("committed on a full disk")
		}
		time.Sleep(time.Minute) // virtual
		disk.SetSpace(-1)
		wait(t, "commit with space again", func() bool { s, _ := v.state(); return s == "before,during" })
		if err := v.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestReceiveGarbage(t *testing.T) {
	node, err := quorum.Open(quorum.Config{ID: 1, Voters: []uint64{1}, Dir: "q", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	for _, b := range [][]byte{nil, {1, 2, 3}, binary.BigEndian.AppendUint64(nil, 1<<60)} {
		if err := node.Receive(b); err == nil {
			t.Errorf("%x: no error", b)
		}
	}
}

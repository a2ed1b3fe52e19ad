package partition_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
	"millrace/broker/partition"
)

func manage(t *testing.T, fs vfs.FS, change func(*partition.ManagerConfig)) (*partition.Manager, error) {
	t.Helper()
	cfg := partition.ManagerConfig{Dir: "/data", NodeID: 1, ClusterID: "one", FS: fs}
	if change != nil {
		change(&cfg)
	}
	return partition.OpenManager(cfg)
}

func mustManage(t *testing.T, fs vfs.FS) *partition.Manager {
	t.Helper()
	m, err := manage(t, fs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustEnsure(t *testing.T, m *partition.Manager, topic string, id byte) *partition.Partition {
	t.Helper()
	p, err := m.Ensure(topic, [16]byte{id}, 0, partition.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDataDirectoryOfAnother(t *testing.T) {
	fs := vfs.NewMem()
	m := mustManage(t, fs)
	if _, err := manage(t, fs, nil); !errors.Is(err, commitlog.ErrDirInUse) || !strings.Contains(err.Error(), "stop that one") {
		t.Errorf("second process: %v", err)
	}
	id := m.DirectoryID()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*partition.ManagerConfig){
		"another cluster": func(c *partition.ManagerConfig) { c.ClusterID = "two" },
		"another node":    func(c *partition.ManagerConfig) { c.NodeID = 2 },
	} {
		if _, err := manage(t, fs, change); !errors.Is(err, commitlog.ErrWrongDir) || !strings.Contains(err.Error(), "set ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := manage(t, fs, func(c *partition.ManagerConfig) { c.ClusterID = "" })
	if err != nil || m.ClusterID() != "one" || m.DirectoryID() != id {
		t.Errorf("reopened: cluster %q, %v", m.ClusterID(), err)
	}
}

// A restart after a power failure may itself be killed before it has repaired every partition: the next one must not take
// what is torn for corruption.
func TestKilledWhileRecoveringFromAPowerFailure(t *testing.T) {
	fs := vfs.NewMem()
	m := mustManage(t, fs)
	p := mustEnsure(t, m, "torn", 1)
	if err := m.Recovered(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := p.Append(-1, plain(t), partition.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	fs = fs.Crash(vfs.LoseUnsynced, 1)
	const name = "/data/torn-0/00000000000000000000.log"
	data, err := vfs.ReadFile(fs, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1 // as if only the pages around it had reached the disk
	if err := vfs.WriteFile(fs, name, data); err != nil {
		t.Fatal(err)
	}
	mustManage(t, fs) // and killed
	m = mustManage(t, fs.Crash(vfs.KillProcess, 1))
	if p := mustEnsure(t, m, "torn", 1); p.LogEndOffset() != 1 {
		t.Errorf("log ends at %d, want 1", p.LogEndOffset())
	}
}

func TestACorruptPartitionLeavesTheOthersInService(t *testing.T) {
	fs := vfs.NewMem()
	m := mustManage(t, fs)
	for i, topic := range []string{"good", "bad"} {
		p := mustEnsure(t, m, topic, byte(i+1))
		for range 3 {
			if _, err := p.Append(-1, plain(t), partition.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	fs = fs.Crash(vfs.KillProcess, 1)
	name := "/data/bad-0/00000000000000000000.log"
	data, err := vfs.ReadFile(fs, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	data[65] ^= 1
	if err := vfs.WriteFile(fs, name, data); err != nil {
		t.Fatal(err)
	}
	m = mustManage(t, fs)
	for range 2 {
		_, err = m.Ensure("bad", [16]byte{2}, 0, partition.DefaultSettings())
		corrupt, ok := errors.AsType[*commitlog.CorruptError](err)
		if !ok || corrupt.File != name || !errors.Is(err, partition.ErrStorage) {
			t.Errorf("corrupt partition: %v", err)
		}
	}
	if p := mustEnsure(t, m, "good", 1); p.LogEndOffset() != 3 {
		t.Errorf("the good partition ends at %d, want 3", p.LogEndOffset())
	}
	if err := m.Delete("bad", 0); err != nil {
		t.Fatal(err)
	}
	if p := mustEnsure(t, m, "bad", 2); p.LogEndOffset() != 0 {
		t.Errorf("deleted and made again, it ends at %d", p.LogEndOffset())
	}
}

// TestRunAcknowledges has many producers share the syncs of a running manager.
func TestRunAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		syncs := 0
		fs.Inject(func(op vfs.Op) error {
			if op.Kind == "sync" && strings.HasSuffix(op.Name, ".log") {
				syncs++
			}
			return nil
		})
		m := mustManage(t, fs)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := m.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		p := mustEnsure(t, m, "t", 1)
		woken := make(chan struct{})
		p.WhenVisible(0, 1, partition.ReadUncommitted, func() { close(woken) })
		var acked sync.WaitGroup
		for range 8 {
			acked.Add(100)
			for range 100 {
				var w batch.Builder
				w.Reset(batch.NoProducer())
				w.Add(time.Now().UnixMilli(), nil, []byte("v"))
				_, b, err := w.Build(nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := p.Append(-1, b, partition.AppendOptions{})
				if err != nil {
					t.Fatal(err)
				}
				p.WhenDurable(res.LastOffset, func(err error) {
					if err != nil {
						t.Error(err)
					}
					acked.Done()
				})
			}
		}
		acked.Wait()
		<-woken
		if p.HighWatermark() != 800 || syncs >= 800 {
			t.Errorf("high watermark %d after %d syncs of 800 appends", p.HighWatermark(), syncs)
		}
		time.Sleep(2 * time.Minute) // in the bubble: lets a checkpoint pass
		cancel()
		running.Wait()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := vfs.ReadFile(fs, "/data/recovery-point-offset-checkpoint", 1000)
		if err != nil || string(data) != "0\n1\nt 0 800\n" {
			t.Errorf("recovery points %q, %v", data, err)
		}
	})
}

func TestFilesOfADeletedPartitionStayForFileDeleteDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		m := mustManage(t, fs)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := m.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		directories := func() (n int) {
			entries, err := fs.ReadDir("/data")
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Dir {
					n++
				}
			}
			return n
		}
		s := partition.DefaultSettings()
		for topic, delay := range map[string]time.Duration{"soon": 100 * time.Millisecond, "later": time.Minute} {
			s.FileDeleteDelay = delay
			if _, err := m.Ensure(topic, [16]byte{1}, 0, s); err != nil {
				t.Fatal(err)
			}
			if err := m.Delete(topic, 0); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{99 * time.Millisecond, 2}, {2 * time.Millisecond, 1}, {59 * time.Second, 1}, {time.Second, 0}} {
			time.Sleep(step.wait) // in the bubble
			synctest.Wait()
			if got := directories(); got != step.want {
				t.Errorf("%v later %d directories are left, want %d", step.wait, got, step.want)
			}
		}
		cancel()
		running.Wait()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

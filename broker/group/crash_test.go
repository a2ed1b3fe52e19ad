package group

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"millrace/broker/internal/vfs"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

var errCrash = errors.New("the machine is gone")

// TestCrash ends the machine at every operation on the disk while offsets are committed and a group forms. Every
// acknowledged commit must be there afterwards, and so must the generation whose sync was answered.
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
			if points < 10 {
				t.Errorf("only %d crash points: the workload does not reach the disk", points)
			}
		})
	}
}

// onDisk runs f with a coordinator whose one partition is on disk. It reports an error of opening.
func onDisk(t *testing.T, disk vfs.FS, f func(co *Coordinator)) error {
	p, err := partition.Open(partition.Config{Dir: "offsets-0", Topic: metadata.OffsetsTopic, FS: disk})
	if err != nil {
		return err
	}
	defer p.Close() // fails on a crashed disk
	ctl := &fakeController{image: metadata.NewImage()}
	co := New(Config{NodeID: 1, Controller: ctl, Logs: func(int32) Log { return p }, Settings: EmbeddedSettings()})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- co.Run(ctx) }()
	synctest.Wait()
	if err := p.BecomeLeader(0); err != nil {
		cancel()
		<-ended
		return err
	}
	ctl.change(t, co, &metadata.TopicRecord{Name: metadata.OffsetsTopic, ID: offsetsID}, lead(1, 0), &metadata.TopicRecord{Name: "t", ID: topicID})
	f(co)
	cancel()
	return <-ended
}

func crashOnce(t *testing.T, survival vfs.Survival, at int64) bool {
	disk := vfs.NewMem()
	var ops atomic.Int64
	disk.Inject(func(op vfs.Op) error {
		if op.Mutates() && ops.Add(1) >= at {
			return errCrash
		}
		return nil
	})
	acknowledged, sent, generation := int64(-1), int64(-1), int32(-1)
	err := onDisk(t, disk, func(co *Coordinator) {
		for i := range int64(5) {
			sent = i
			if <-commitOne(co, i) != nil {
				return
			}
			acknowledged = i
		}
		joined, synced := make(chan JoinResult, 1), make(chan SyncResult, 1)
		co.Join(JoinRequest{Group: "live", SessionTimeout: EmbeddedSettings().MinSessionTimeout, ProtocolType: "x", Protocols: []Protocol{{"p", nil}}},
			func(r JoinResult) { joined <- r })
		j := <-joined
		if j.Err != nil {
			return
		}
		co.Sync(SyncRequest{MemberRef: MemberRef{"live", j.Generation, j.MemberID, ""}}, func(r SyncResult) { synced <- r })
		if r := <-synced; r.Err == nil {
			generation = j.Generation
		}
	})
	if ops.Load() < at {
		if err != nil {
			t.Fatalf("the workload failed by itself: %v", err)
		}
		return false
	}
	err = onDisk(t, disk.Crash(survival, uint64(at)), func(co *Coordinator) {
		got, err := fetchOne(co)
		if err != nil || got < acknowledged || got > sent {
			t.Errorf("offset %d after the restart (%v), acknowledged %d, sent %d", got, err, acknowledged, sent)
		}
		described := make(chan Description, 1)
		co.Describe("live", func(d Description) { described <- d })
		if d := <-described; generation >= 0 && (d.State != string(stable) || len(d.Members) != 1) {
			t.Errorf("group after the restart: %+v", d)
		}
		wantErr(t, "commit after the restart", <-commitOne(co, 100), nil)
	})
	if err != nil {
		t.Errorf("restart: %v", err)
	}
	return true
}

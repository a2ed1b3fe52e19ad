package group

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestOffsets(t *testing.T) {
	t.Run("members commit in their generation", func(t *testing.T) {
		s, a, b := two(t)
		wantErr(t, "commit", s.commit(a.ref(), 7), nil)
		if got := s.committed("g"); got != 7 {
			t.Errorf("committed %d", got)
		}
		old := a.ref()
		old.Generation--
		wantErr(t, "old generation", s.commit(old, 8), kerr.IllegalGeneration)
		wantErr(t, "nobody", s.commit(MemberRef{Group: "g", Generation: -1}, 8), kerr.UnknownMemberID)
		wantErr(t, "unknown member", s.commit(MemberRef{"g", a.generation, "who", ""}, 8), kerr.UnknownMemberID)
		wantErr(t, "unknown group", s.commit(MemberRef{"no", 1, "who", ""}, 8), kerr.IllegalGeneration)
		before := a.ref()
		a.join()
		wantErr(t, "while members join", s.commit(before, 9), nil)
		b.join()
		wantErr(t, "before the sync", s.commit(a.ref(), 10), kerr.RebalanceInProgress)
		if got := s.committed("g"); got != 9 {
			t.Errorf("committed %d", got)
		}
	})
	t.Run("without a group", func(t *testing.T) {
		s := newSim(t, quick())
		if got := s.committed("simple"); got != -1 {
			t.Errorf("an unknown group has offset %d", got)
		}
		wantErr(t, "commit", s.commit(MemberRef{Group: "simple", Generation: -1}, 3), nil)
		if got := s.committed("simple"); got != 3 {
			t.Errorf("committed %d", got)
		}
	})
	t.Run("long metadata", func(t *testing.T) {
		s := newSim(t, quick())
		var got []error
		s.do(func(m *machine) {
			m.commit(CommitRequest{MemberRef: MemberRef{Group: "x", Generation: -1}, Retention: -1, Offsets: []OffsetCommit{
				{TopicPartition: TopicPartition{"t", 0}, Offset: 1, Metadata: string(make([]byte, 4097))},
				{TopicPartition: TopicPartition{"t", 1}, Offset: 1},
			}}, func(r []error, _ error) { got = r })
		})
		if diff := cmp.Diff([]error{kerr.OffsetMetadataTooLarge, nil}, got, cmpopts.EquateErrors()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an append that fails is no success", func(t *testing.T) {
		s := newSim(t, quick())
		var got error
		s.m.commit(CommitRequest{MemberRef: MemberRef{Group: "x", Generation: -1}, Offsets: []OffsetCommit{{}}}, func(_ []error, err error) { got = err })
		s.release(kerr.CoordinatorNotAvailable)
		wantErr(t, "commit", got, kerr.CoordinatorNotAvailable)
	})
	t.Run("deleting", func(t *testing.T) {
		s, a, _ := two(t)
		wantErr(t, "commit", s.commit(a.ref(), 7), nil)
		del := func(tp ...TopicPartition) (got []error) {
			s.do(func(m *machine) { m.deleteOffsets("g", tp, func(r []error, _ error) { got = r }) })
			return got
		}
		if diff := cmp.Diff([]error{kerr.GroupSubscribedToTopic, nil}, del(TopicPartition{"t", 0}, TopicPartition{"u", 0}), cmpopts.EquateErrors()); diff != "" {
			t.Error(diff)
		}
		s.pass(20 * time.Second)
		s.pass(2 * time.Minute)
		if diff := cmp.Diff([]error{nil}, del(TopicPartition{"t", 0}), cmpopts.EquateErrors()); diff != "" {
			t.Error(diff)
		}
		if s.restart(); s.committed("g") != -1 {
			t.Error("the offset came back")
		}
	})
	t.Run("of deleted topics", func(t *testing.T) {
		s := newSim(t, quick())
		wantErr(t, "commit", s.commit(MemberRef{Group: "simple", Generation: -1}, 3), nil)
		s.do(func(m *machine) { m.dropOffsets(func(topic string) bool { return topic == "t" }) })
		if s.restart(); s.committed("simple") != -1 {
			t.Error("the offset is still there")
		}
	})
}

func TestExpiry(t *testing.T) {
	const day = 24 * time.Hour
	t.Run("offsets outlive the last member by the retention", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		a.req.SessionTimeout = 30 * time.Minute
		settle(a)
		wantErr(t, "commit", s.commit(a.ref(), 7), nil)
		for range 10 * 24 * 3 {
			s.pass(20 * time.Minute)
			a.heartbeat()
		}
		a.leave()
		s.pass(6 * day)
		if s.committed("g") != 7 {
			t.Fatal("expired early")
		}
		s.restart()
		s.pass(day + time.Hour)
		if s.committed("g") != -1 {
			t.Error("not expired")
		}
		wantErr(t, "describe", s.state("g").Err, kerr.GroupIDNotFound)
	})
	t.Run("topics nobody consumes expire under a live group", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		a.req.SessionTimeout = 30 * time.Minute
		a.req.Protocols = []Protocol{{"range", subscription("u")}}
		settle(a)
		wantErr(t, "commit", s.commit(a.ref(), 7), nil)
		for range 7 * 24 * 3 {
			s.pass(20 * time.Minute)
			a.heartbeat()
		}
		s.pass(20 * time.Minute)
		if s.committed("g") != -1 {
			t.Error("not expired")
		}
		s.wantState(stable)
	})
	t.Run("an explicit expiry of -1 is none", func(t *testing.T) {
		s := newSim(t, quick())
		v := kmsg.NewOffsetCommitValue()
		v.Version, v.Offset, v.CommitTimestamp, v.ExpireTimestamp = 1, 4, s.now.UnixMilli(), -1
		s.log = []record{{offsetKey("g", TopicPartition{"t", 0}), v.AppendTo(nil)}}
		s.restart()
		s.pass(day)
		if s.committed("g") != 4 {
			t.Error("expired early")
		}
	})
	t.Run("a commit's own retention", func(t *testing.T) {
		s := newSim(t, quick())
		s.do(func(m *machine) {
			m.commit(CommitRequest{MemberRef: MemberRef{Group: "g", Generation: -1}, Retention: time.Hour,
				Offsets: []OffsetCommit{{TopicPartition: TopicPartition{"t", 0}, Offset: 2}}}, func([]error, error) {})
		})
		s.restart()
		s.pass(50 * time.Minute)
		if s.committed("g") != 2 {
			t.Error("expired early")
		}
		s.pass(time.Hour)
		if s.committed("g") != -1 {
			t.Error("not expired")
		}
	})
}

func TestAdmin(t *testing.T) {
	s, a, _ := two(t)
	d := s.state("g")
	if d.Protocol != "range" || d.ProtocolType != consumerType || len(d.Members) != 2 || len(d.Members[0].Metadata) == 0 || string(d.Members[0].Assignment) != "for a" {
		t.Errorf("%+v", d)
	}
	a.join()
	if d = s.state("g"); d.State != string(preparing) || d.Protocol != "" || len(d.Members) != 2 || d.Members[0].Metadata != nil {
		t.Errorf("%+v", d)
	}
	if d = s.state("no"); d.State != string(dead) || !errors.Is(d.Err, kerr.GroupIDNotFound) {
		t.Errorf("%+v", d)
	}
	wantErr(t, "commit", s.commit(MemberRef{Group: "simple", Generation: -1}, 3), nil)
	var list []Listing
	s.do(func(m *machine) { m.list(func(l []Listing, _ error) { list = l }) })
	if diff := cmp.Diff([]Listing{{"g", consumerType, string(preparing)}, {"simple", "", string(empty)}}, list); diff != "" {
		t.Error(diff)
	}
	del := func(group string) (got error) {
		s.do(func(m *machine) { m.delete(group, func(err error) { got = err }) })
		return got
	}
	wantErr(t, "delete a group with members", del("g"), kerr.NonEmptyGroup)
	wantErr(t, "delete an unknown group", del("no"), kerr.GroupIDNotFound)
	wantErr(t, "delete", del("simple"), nil)
	s.restart()
	wantErr(t, "describe", s.state("simple").Err, kerr.GroupIDNotFound)
}

func TestReload(t *testing.T) {
	s, a, b := two(t)
	wantErr(t, "commit", s.commit(a.ref(), 7), nil)
	s.pass(8 * time.Second)
	s.restart()
	s.wantState(stable)
	s.pass(9 * time.Second) // full sessions again
	wantErr(t, "heartbeat", a.heartbeat(), nil)
	wantErr(t, "heartbeat", b.heartbeat(), nil)
	if got := s.committed("g"); got != 7 {
		t.Errorf("committed %d", got)
	}
	b.sync(nil)
	if string(b.synced.Assignment) != "for b" {
		t.Errorf("%+v", b.synced)
	}
	if known, err := s.m.load([]byte{0, 3, 1, 2}, nil); known || err != nil {
		t.Errorf("a newer kind of key: known %t, %v", known, err)
	}
	for _, bad := range []record{{[]byte{0}, nil}, {[]byte{0, 1, 0, 9}, nil}, {groupKey("g"), []byte{0}}, {offsetKey("g", TopicPartition{}), []byte{0, 3}}} {
		if _, err := s.m.load(bad.key, bad.value); err == nil {
			t.Errorf("no error for %x %x", bad.key, bad.value)
		}
	}
	wantErr(t, "heartbeat after damaged records", a.heartbeat(), nil)
}

func FuzzLoad(f *testing.F) {
	g := newGroup("g", time.UnixMilli(1))
	g.members["m"] = &member{id: "m", instanceID: "i", protocols: []Protocol{{"p", []byte("x")}}}
	r := g.metadataRecord()
	f.Add(r.key, r.value)
	o := offsetRecord("g", TopicPartition{"t", 1}, committed{offset: 1})
	f.Add(o.key, o.value)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m := newMachine(quick(), time.UnixMilli(1_700_000_000_000), func() string { return "x" })
		if _, err := m.load(key, value); err != nil {
			return
		}
		m.loaded(nil)
		m.now = m.now.Add(30 * 24 * time.Hour)
		m.tick()
		for _, r := range m.take().records {
			if _, err := m.load(r.key, r.value); err != nil {
				t.Error(err)
			}
		}
	})
}

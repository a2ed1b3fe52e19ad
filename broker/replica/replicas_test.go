package replica_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/batch"
	"millrace/broker/metadata"
	"millrace/broker/partition"
	"millrace/broker/replica"
)

// calls records what is asked of the logs; no partition is ever there.
type calls struct {
	mu   sync.Mutex
	made []string
}

// full is a disk without space until it gets some.
type full struct {
	calls
	space atomic.Bool
}

func (f *full) Ensure(topic string, id [16]byte, index int32, s partition.Settings) (*partition.Partition, error) {
	if f.space.Load() {
		return f.calls.Ensure(topic, id, index, s)
	}
	return nil, fmt.Errorf("open: %w", partition.ErrNoSpace)
}

// TestRunTriesAgainWhatHadNoSpace: what failed for another reason is left alone.
func TestRunTriesAgainWhatHadNoSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &full{}
		r := replica.New(replica.Config{NodeID: 1, Logs: logs})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		id := metadata.TopicID{1}
		next, err := metadata.NewImage().Apply(1, []metadata.Record{
			&metadata.BrokerRecord{ID: 1}, &metadata.TopicRecord{Name: "t", ID: id},
			(&metadata.Partition{Leader: 1, Replicas: []metadata.BrokerID{1}, ISR: []metadata.BrokerID{1}}).Record(id, 0),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Apply(metadata.NewImage(), next)
		<-time.After(time.Minute)
		if made := logs.take(); len(made) > 0 || !r.OutOfService("t", 0) {
			t.Errorf("on a full disk: %v", made)
		}
		logs.space.Store(true)
		<-time.After(time.Minute)
		if made := logs.take(); len(made) != 1 { // the fake refuses it for good
			t.Errorf("with space again: %v, want one call", made)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

var errRefused = errors.New("refused")

func (c *calls) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, fmt.Sprintf(format, args...))
}

func (c *calls) Ensure(topic string, _ [16]byte, index int32, s partition.Settings) (*partition.Partition, error) {
	c.add("ensure %s-%d retention %v", topic, index, s.RetentionAge)
	return nil, errRefused
}

func (c *calls) Get(string, int32) *partition.Partition { return nil }

func (c *calls) Delete(topic string, index int32) error {
	c.add("delete %s-%d", topic, index)
	return nil
}

func (c *calls) take() []string {
	made := c.made
	c.made = nil
	slices.Sort(made)
	return made
}

func TestApply(t *testing.T) {
	logs := &calls{}
	r := replica.New(replica.Config{NodeID: 1, Logs: logs, Static: map[string]string{"log.retention.hours": "1"}})
	apply := func(old *metadata.Image, records ...metadata.Record) *metadata.Image {
		t.Helper()
		next, err := old.Apply(old.Index()+1, records)
		if err != nil {
			t.Fatal(err)
		}
		r.Apply(old, next)
		return next
	}
	want := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, logs.take()); diff != "" {
			t.Error(diff)
		}
	}
	id := metadata.TopicID{1}
	part := func(n int32, leader metadata.BrokerID) *metadata.PartitionRecord {
		p := metadata.Partition{Leader: leader, Replicas: []metadata.BrokerID{leader}, ISR: []metadata.BrokerID{leader}}
		return p.Record(id, n)
	}
	im := apply(metadata.NewImage(),
		&metadata.BrokerRecord{ID: 1}, &metadata.BrokerRecord{ID: 2},
		&metadata.TopicRecord{Name: "t", ID: id}, part(0, 1), part(1, 2))
	want("ensure t-0 retention 1h0m0s") // the other one is led elsewhere
	if !r.OutOfService("t", 0) || r.Failed() != 1 {
		t.Error("a partition that could not be opened is in service")
	}

	im = apply(im, &metadata.ConfigRecord{Resource: metadata.TopicResource("t"), Name: "retention.ms", Value: "5000"})
	want("ensure t-0 retention 5s")

	apply(im, &metadata.RemoveTopicRecord{ID: id})
	want("delete t-0", "delete t-1")
	if r.Failed() != 0 {
		t.Error("a partition that is gone is out of service")
	}
}

func TestSettings(t *testing.T) {
	overrides := map[string]string{
		"cleanup.policy": "compact,delete", "compression.type": "zstd", "segment.ms": "60000", "max.message.bytes": "99",
		"message.timestamp.type": "LogAppendTime",
	}
	config, err := metadata.NewTopicConfig(overrides, metadata.Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	s := replica.Settings(config)
	if !s.Compact || !s.Delete || s.Compression != batch.CodecZstd || s.SegmentAge != time.Minute || s.MaxMessageBytes != 99 || !s.LogAppendTime {
		t.Errorf("got %+v", s)
	}
	if s.FlushMessages != 0 || s.FlushInterval != 0 {
		t.Error("group commit is off although no flush key is set")
	}
	config, err = metadata.NewTopicConfig(map[string]string{"flush.messages": "1"}, metadata.Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	if s := replica.Settings(config); s.FlushMessages != 1 {
		t.Errorf("got %+v", s)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

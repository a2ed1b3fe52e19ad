package replica_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
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

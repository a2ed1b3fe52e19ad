package group

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/broker/controller"
	"millrace/broker/metadata"
)

// Config makes a Coordinator.
type Config struct {
	NodeID     metadata.BrokerID
	Controller Controller
	// Logs returns the open partition of __consumer_offsets with that number, or nil.
	Logs func(index int32) Log
	// Settings are taken as they are: start from DefaultSettings or EmbeddedSettings.
	Settings Settings

	// Gone knows client hosts from which nobody can come any more: those of an earlier life of this process. Members from
	// there do not get their session after a restart, so that those of this life need not wait for it to end. nil: none.
	Gone func(host string) bool

	Clock  func() time.Time // nil: time.Now
	NewID  func() string    // random uuids for member ids; nil: crypto/rand
	Logger *slog.Logger     // nil: none
}

// Controller is the cluster's metadata as coordination needs it. *controller.Controller is one.
type Controller interface {
	Image() *metadata.Image
	CreateTopics(ctx context.Context, topics []controller.NewTopic, validateOnly bool) ([]controller.CreatedTopic, error)
}

var _ Controller = (*controller.Controller)(nil)

// Coordinator serves the groups whose partition of __consumer_offsets this node leads. All methods may be called from
// any goroutine. Methods with a callback call it exactly once, perhaps before they return, perhaps minutes later and
// from another goroutine; it must not block. Errors are Kafka codes (*kerr.Error).
type Coordinator struct {
	cfg Config
	// seen is the image of the last Apply. Controller.Image is older while Apply runs, and a shard that loads then
	// would not know of the topics that came with it.
	seen atomic.Pointer[metadata.Image]

	mu     sync.Mutex
	ctx    context.Context // of Run, nil before
	wg     sync.WaitGroup
	ended  bool
	shards map[int32]*shard
}

// New makes a coordinator. Subscribe Apply to the controller behind whoever opens partitions, then call Run.
func New(cfg Config) *Coordinator {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.NewID == nil {
		cfg.NewID = randomUUID
	}
	return &Coordinator{cfg: cfg, shards: make(map[int32]*shard)}
}

func randomUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Run serves until ctx ends. Everything that waits is then answered with NOT_COORDINATOR.
func (c *Coordinator) Run(ctx context.Context) error {
	c.mu.Lock()
	c.ctx = ctx
	for _, s := range c.shards {
		c.startLocked(s)
	}
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.wg.Wait()
	return nil
}

func (c *Coordinator) startLocked(s *shard) {
	ctx, cancel := context.WithCancel(c.ctx)
	s.cancel = cancel
	c.wg.Go(func() { defer cancel(); s.run(ctx) })
}

// Apply follows the leadership of the partitions of __consumer_offsets. It is a controller's subscriber.
func (c *Coordinator) Apply(old, next *metadata.Image) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.seen.Store(next)
	var deleted []string
	for _, t := range metadata.Diff(old, next).DeletedTopics {
		deleted = append(deleted, t.Name)
	}
	if len(deleted) > 0 {
		for _, s := range c.shards {
			s.forgetTopics(deleted)
		}
	}
	was, is := old.Topic(metadata.OffsetsTopic), next.Topic(metadata.OffsetsTopic)
	if was == is {
		return
	}
	remade := was != nil && is != nil && was.ID != is.ID
	for index, s := range c.shards {
		if p := is.Partition(index); remade || p == nil || p.Leader != c.cfg.NodeID || int32(p.LeaderEpoch) != s.epoch {
			c.stopLocked(s)
		}
	}
	if is == nil {
		return
	}
	for n := range is.Partitions {
		index, p := int32(n), &is.Partitions[n]
		old := c.shards[index]
		if p.Leader != c.cfg.NodeID || old != nil && !old.stopped {
			continue
		}
		log := c.cfg.Logs(index)
		if log == nil {
			c.cfg.Logger.Error("partition of group state is not open", "topic", metadata.OffsetsTopic, "partition", index)
			continue
		}
		s := &shard{
			index: index, epoch: int32(p.LeaderEpoch), log: log, cfg: &c.cfg, image: &c.seen,
			slog:   c.cfg.Logger.With("topic", metadata.OffsetsTopic, "partition", index),
			events: make(chan event), done: make(chan struct{}), loaded: make(chan struct{}),
			failed: make(chan error, 1), wake: make(chan struct{}, 1), begun: c.cfg.Clock(),
		}
		if old != nil {
			s.after = old.done
		}
		c.shards[index] = s
		if c.ctx != nil {
			c.startLocked(s)
		}
	}
}

// stopLocked ends a shard whose partition this node no longer leads.
func (c *Coordinator) stopLocked(s *shard) {
	s.stopped = true
	if s.cancel != nil {
		s.cancel()
	} else {
		close(s.done) // it never ran
	}
}

// Find returns the broker that coordinates a group. The first call of a cluster makes __consumer_offsets.
func (c *Coordinator) Find(ctx context.Context, groupID string) (metadata.BrokerID, error) {
	if c.cfg.Controller.Image().Topic(metadata.OffsetsTopic) == nil {
		if err := c.createTopic(ctx); err != nil {
			c.cfg.Logger.Error("topic for group state cannot be made", "topic", metadata.OffsetsTopic, "err", err)
			return metadata.NoBroker, kerr.CoordinatorNotAvailable
		}
	}
	t := c.cfg.Controller.Image().Topic(metadata.OffsetsTopic)
	if t == nil {
		return metadata.NoBroker, kerr.CoordinatorNotAvailable
	}
	p := t.Partition(partitionOf(groupID, len(t.Partitions)))
	if p == nil || p.Leader == metadata.NoBroker {
		return metadata.NoBroker, kerr.CoordinatorNotAvailable
	}
	return p.Leader, nil
}

func (c *Coordinator) createTopic(ctx context.Context) error {
	compact, producer, segment := "compact", "producer", strconv.Itoa(int(c.cfg.Settings.TopicSegmentBytes))
	replication := max(1, min(int(c.cfg.Settings.TopicReplication), len(c.cfg.Controller.Image().LiveBrokers())))
	made, err := c.cfg.Controller.CreateTopics(ctx, []controller.NewTopic{{
		Name: metadata.OffsetsTopic, Partitions: c.cfg.Settings.TopicPartitions, ReplicationFactor: int16(replication),
		Configs: []controller.ConfigValue{
			{Name: "cleanup.policy", Value: &compact},
			{Name: "compression.type", Value: &producer},
			{Name: "segment.bytes", Value: &segment},
		},
	}}, false)
	if err != nil {
		return err
	}
	if err := made[0].Err; err != nil && !errors.Is(err, metadata.ErrTopicExists) {
		return err
	}
	return nil
}

// shard returns the shard of a group.
func (c *Coordinator) shard(groupID string) (*shard, error) {
	t := c.cfg.Controller.Image().Topic(metadata.OffsetsTopic)
	if t == nil {
		return nil, kerr.NotCoordinator // clients then ask who is, which makes the topic
	}
	index := partitionOf(groupID, len(t.Partitions))
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shards[index]
	if s == nil || s.stopped || c.ended || c.ctx == nil {
		if p := t.Partition(index); p != nil && p.Leader == c.cfg.NodeID {
			return nil, kerr.CoordinatorNotAvailable // Find would name this node again
		}
		return nil, kerr.NotCoordinator
	}
	return s, nil
}

// do runs a request on the shard of its group.
func (c *Coordinator) do(groupID string, run func(m *machine), refuse func(error)) {
	s, err := c.shard(groupID)
	if err != nil {
		refuse(err)
		return
	}
	s.submit(event{run, refuse})
}

// partitionOf is Kafka's rule: the hash of a Java string, without its sign, modulo the partitions.
func partitionOf(groupID string, partitions int) int32 {
	if partitions == 0 {
		return -1
	}
	var h int32
	for _, unit := range utf16.Encode([]rune(groupID)) {
		h = 31*h + int32(unit)
	}
	return h & 0x7fffffff % int32(partitions)
}

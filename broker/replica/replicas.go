package replica

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"millrace/broker/commitlog"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// Logs is where partitions are opened; *partition.Manager is one.
type Logs interface {
	Ensure(topic string, id [16]byte, index int32, s partition.Settings) (*partition.Partition, error)
	Get(topic string, index int32) *partition.Partition
	Delete(topic string, index int32) error
}

// Config makes Replicas. NodeID and Logs are required.
type Config struct {
	NodeID metadata.BrokerID
	Logs   Logs
	// Static are the broker's own values for topic configs.
	Static map[string]string
	// ProducerExpiration is producer.id.expiration.ms. 0: 24 h.
	ProducerExpiration time.Duration
	Logger             *slog.Logger // nil: none
}

// Replicas applies metadata to the partitions of this node.
type Replicas struct {
	cfg Config
	log *slog.Logger

	applying sync.Mutex // held by Apply and retry, one at a time
	image    *metadata.Image

	mu     sync.Mutex
	failed map[key]error // partitions that could not be opened, with why
}

type key struct {
	topic string
	n     int32
}

// New makes Replicas.
func New(cfg Config) *Replicas {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Replicas{cfg: cfg, log: cfg.Logger, failed: make(map[key]error)}
}

// retryEvery is how long a partition waits for space on the disk until it is tried again.
const retryEvery = 5 * time.Second

// Run tries again and again to open the partitions for which the disk had no space, until ctx ends.
func (r *Replicas) Run(ctx context.Context) error {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.retry()
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Replicas) retry() {
	r.applying.Lock()
	defer r.applying.Unlock()
	var again []key
	r.mu.Lock()
	for k, err := range r.failed {
		if errors.Is(err, partition.ErrNoSpace) {
			again = append(again, k)
		}
	}
	r.mu.Unlock()
	for _, k := range again {
		t := r.image.Topic(k.topic)
		r.ensure(t, k.n, r.settings(r.image, t))
		if !r.OutOfService(k.topic, k.n) {
			r.log.Info("partition is in service again", "topic", k.topic, "partition", k.n)
		}
	}
}

// Apply brings the partitions from what old says to what next says. It has the shape of controller.Subscribe's argument. A
// partition that cannot be opened is logged and left out: the others must not wait for it.
func (r *Replicas) Apply(old, next *metadata.Image) {
	r.applying.Lock()
	defer r.applying.Unlock()
	r.image = next
	d := metadata.Diff(old, next)
	for _, t := range d.DeletedTopics {
		r.delete(t)
	}
	changed := make(map[*metadata.Topic]bool)
	for _, t := range d.CreatedTopics {
		changed[t] = true
	}
	for _, c := range d.ChangedTopics {
		changed[c.New] = true
	}
	for _, resource := range d.Configs {
		if resource.Type == metadata.ResourceTopic {
			if t := next.Topic(resource.Name); t != nil {
				changed[t] = true
			}
			continue
		}
		for t := range next.Topics() { // a broker's value may be any topic's default
			changed[t] = true
		}
	}
	var g errgroup.Group
	g.SetLimit(2 * runtime.GOMAXPROCS(0)) // opening waits for the disk, and recovery for the processor
	for t := range changed {
		settings := r.settings(next, t)
		for n := range t.Partitions {
			g.Go(func() error {
				r.ensure(t, int32(n), settings)
				return nil
			})
		}
	}
	_ = g.Wait() // nothing fails: see ensure
}

func (r *Replicas) ensure(t *metadata.Topic, n int32, s partition.Settings) {
	mp := t.Partition(n)
	if mp.Leader != r.cfg.NodeID {
		return
	}
	p, err := r.cfg.Logs.Ensure(t.Name, t.ID, n, s)
	if err == nil {
		err = p.BecomeLeader(int32(mp.LeaderEpoch))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{t.Name, n}
	switch {
	case err == nil:
		delete(r.failed, k)
	case r.failed[k] == nil || errors.Is(r.failed[k], partition.ErrNoSpace) && !errors.Is(err, partition.ErrNoSpace):
		r.failed[k] = err
		r.log.Error("partition is out of service", "topic", t.Name, "partition", n, "err", err)
	}
}

func (r *Replicas) delete(t *metadata.Topic) {
	for n := range t.Partitions {
		r.mu.Lock()
		delete(r.failed, key{t.Name, int32(n)})
		r.mu.Unlock()
		if err := r.cfg.Logs.Delete(t.Name, int32(n)); err != nil && !errors.Is(err, commitlog.ErrClosed) {
			r.log.Error("partition was not deleted", "topic", t.Name, "partition", n, "err", err)
		}
	}
}

// settings are a topic's configs as its partitions take them.
func (r *Replicas) settings(im *metadata.Image, t *metadata.Topic) partition.Settings {
	c, err := metadata.NewTopicConfig(im.Config(metadata.TopicResource(t.Name)), im.Defaults(r.cfg.NodeID, r.cfg.Static))
	if err != nil {
		r.log.Error("topic has a config that cannot be used; its default is", "topic", t.Name, "err", err)
	}
	s := Settings(c)
	if r.cfg.ProducerExpiration > 0 {
		s.ProducerExpiration = r.cfg.ProducerExpiration
	}
	return s
}

// OutOfService reports whether a partition of this node could not be opened.
func (r *Replicas) OutOfService(topic string, n int32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed[key{topic, n}] != nil
}

// Failed counts the partitions of this node that are out of service.
func (r *Replicas) Failed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failed)
}

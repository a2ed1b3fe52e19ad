package replica

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"millrace/broker/commitlog"
	"millrace/broker/controller"
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

	// Link reaches other brokers. Nil: there are none, and partitions that they lead are not copied.
	Link Link
	// AlterPartitions asks the controller, wherever it is, for ISR changes in the name of this broker's process epoch.
	// Nil: ISRs stay as they are.
	AlterPartitions func(ctx context.Context, epoch int64, changes []controller.ISRChange) ([]controller.ISRResult, error)
	Fetch

	Clock      func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: none
	Registerer prometheus.Registerer // nil: none
}

// Fetch are the keys that followers go by. The zero value takes them from Config.Static, and else Kafka's defaults.
type Fetch struct {
	// Fetchers is num.replica.fetchers, for each leader. 0: 1.
	Fetchers int
	// FetchWait is replica.fetch.wait.max.ms: how long a leader may hold a fetch that finds nothing. 0: 500 ms.
	FetchWait time.Duration
	// FetchBackoff is replica.fetch.backoff.ms: the longest pause after a failure. 0: 1 s.
	FetchBackoff time.Duration
	// FetchMinBytes is replica.fetch.min.bytes. 0: 1.
	FetchMinBytes int32
	// FetchMaxBytes is replica.fetch.max.bytes, of one partition. 0: 1 MiB.
	FetchMaxBytes int32
	// FetchResponseMaxBytes is replica.fetch.response.max.bytes. 0: 10 MiB.
	FetchResponseMaxBytes int32
	// LagMax is replica.lag.time.max.ms. 0: 30 s.
	LagMax time.Duration
}

func (f *Fetch) setDefaults() {
	if f.Fetchers == 0 {
		f.Fetchers = 1
	}
	if f.FetchWait == 0 {
		f.FetchWait = 500 * time.Millisecond
	}
	if f.FetchBackoff == 0 {
		f.FetchBackoff = time.Second
	}
	if f.FetchMinBytes == 0 {
		f.FetchMinBytes = 1
	}
	if f.FetchMaxBytes == 0 {
		f.FetchMaxBytes = 1 << 20
	}
	if f.FetchResponseMaxBytes == 0 {
		f.FetchResponseMaxBytes = 10 << 20
	}
}

// Replicas applies metadata to the partitions of this node.
type Replicas struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	isr     isrSender

	applying sync.Mutex // held by Apply and retry, one at a time
	image    *metadata.Image
	self     atomic.Pointer[metadata.Broker] // this node as the metadata has it

	mu       sync.Mutex
	failed   map[key]error // partitions that could not be opened, with why
	led      map[key]*partition.Partition
	fetchers map[fetcherKey]*fetcher
	fetching map[key]fetching
	run      func(func(context.Context)) // starts a goroutine of Run's, nil while that is not running
}

type fetcherKey struct {
	leader metadata.BrokerID
	n      int
}

// fetching is where a partition is copied.
type fetching struct {
	by fetcherKey
	as place
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
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Fetch == (Fetch{}) {
		cfg.Fetch.fromKeys(cfg.Static)
	}
	cfg.Fetch.setDefaults()
	r := &Replicas{
		cfg: cfg, log: cfg.Logger, failed: make(map[key]error), led: make(map[key]*partition.Partition),
		fetchers: make(map[fetcherKey]*fetcher), fetching: make(map[key]fetching),
	}
	r.isr = isrSender{r: r, waiting: make(map[*partition.Partition]bool), wake: make(chan struct{}, 1)}
	r.metrics = newMetrics(cfg.Registerer, r)
	return r
}

// OnISRChange is what partitions are opened with.
func (r *Replicas) OnISRChange(p *partition.Partition) { r.isr.ask(p) }

// retryEvery is how long a partition waits for space on the disk until it is tried again.
const retryEvery = 5 * time.Second

// tickEvery is how often leaders look for followers that fell behind and for acknowledgements that are overdue.
const tickEvery = 250 * time.Millisecond

// Run copies what others lead, brings ISR changes to the controller, and tries again and again to open the partitions for
// which the disk had no space, until ctx ends.
func (r *Replicas) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	r.mu.Lock()
	r.run = func(f func(context.Context)) { wg.Go(func() { f(ctx) }) }
	if r.cfg.Link != nil {
		for _, f := range r.fetchers {
			r.run(f.run)
		}
	}
	if r.cfg.AlterPartitions != nil {
		r.run(r.isr.run)
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.run = nil
	}()
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	lead := time.NewTicker(tickEvery)
	defer lead.Stop()
	for {
		select {
		case <-lead.C:
			for _, p := range r.leaders() {
				p.Tick()
			}
		case <-ticker.C:
			r.retry()
		case <-ctx.Done():
			return nil
		}
	}
}

// leaders are the partitions that this node leads for other replicas.
func (r *Replicas) leaders() []*partition.Partition {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*partition.Partition, 0, len(r.led))
	for _, p := range r.led {
		list = append(list, p)
	}
	return list
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
	r.self.Store(next.Broker(r.cfg.NodeID))
	d := metadata.Diff(old, next)
	for _, t := range d.DeletedTopics {
		for n := range t.Partitions {
			r.delete(t, int32(n))
		}
	}
	changed := make(map[*metadata.Topic]bool)
	for _, t := range d.CreatedTopics {
		changed[t] = true
	}
	for _, c := range d.ChangedTopics {
		changed[c.New] = true
		for n := range c.Old.Partitions {
			if r.has(c.Old.Partition(int32(n))) && !r.has(c.New.Partition(int32(n))) {
				r.delete(c.Old, int32(n)) // moved to other brokers
			}
		}
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
	r.eligibility(next, d.Brokers)
}

func (r *Replicas) has(p *metadata.Partition) bool {
	return p != nil && slices.Contains(p.Replicas, r.cfg.NodeID)
}

// eligibility tells leaders of brokers that may no longer be waited for. Whoever comes back shows that by fetching.
func (r *Replicas) eligibility(im *metadata.Image, brokers []metadata.BrokerID) {
	for _, id := range brokers {
		if id == r.cfg.NodeID || im.Broker(id).Live() {
			continue
		}
		for _, p := range r.leaders() {
			p.SetEligible(int32(id), false)
		}
	}
}

// ensure opens a partition of this node and gives it its role.
func (r *Replicas) ensure(t *metadata.Topic, n int32, s partition.Settings) {
	mp := t.Partition(n)
	if !r.has(mp) {
		return
	}
	k := key{t.Name, n}
	if mp.Leader != r.cfg.NodeID {
		r.release(k)
	}
	p, err := r.cfg.Logs.Ensure(t.Name, t.ID, n, s)
	if err == nil {
		err = r.place(k, t.ID, mp, p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		delete(r.failed, k)
	case r.failed[k] == nil || errors.Is(r.failed[k], partition.ErrNoSpace) && !errors.Is(err, partition.ErrNoSpace):
		r.failed[k] = err
		r.log.Error("partition is out of service", "topic", t.Name, "partition", n, "err", err)
	}
}

// place makes a partition lead or follow.
func (r *Replicas) place(k key, id metadata.TopicID, mp *metadata.Partition, p *partition.Partition) error {
	epoch := int32(mp.LeaderEpoch)
	if mp.Leader == r.cfg.NodeID {
		r.unfetch(k)
		began := p.Following() || p.LeaderEpoch() != epoch
		if err := p.Lead(r.leadership(mp)); err != nil {
			return r.overtaken(k, err)
		}
		if began && len(mp.Replicas) > 1 {
			r.metrics.elections.Inc()
			r.log.Info("partition is led here", "topic", k.topic, "partition", k.n, "leader_epoch", epoch, "isr", mp.ISR,
				"offset", p.LogEndOffset())
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(mp.Replicas) > 1 {
			r.led[k] = p
		} else {
			delete(r.led, k)
		}
		return nil
	}
	if err := p.Follow(epoch); err != nil {
		return r.overtaken(k, err)
	}
	if mp.Leader == metadata.NoBroker {
		r.unfetch(k)
	} else {
		r.fetch(k, mp.Leader, &target{topic: k.topic, id: id, n: k.n, leaderEpoch: epoch, p: p})
	}
	return nil
}

// overtaken tells failures from an image that is older than what the log has seen: a newer one is on its way.
func (r *Replicas) overtaken(k key, err error) error {
	if errors.Is(err, partition.ErrFencedLeaderEpoch) {
		r.log.Info("metadata is behind the log of a partition", "topic", k.topic, "partition", k.n, "err", err)
		return nil
	}
	return err
}

func (r *Replicas) leadership(mp *metadata.Partition) partition.Leadership {
	return partition.Leadership{
		Self: int32(r.cfg.NodeID), LeaderEpoch: int32(mp.LeaderEpoch), PartitionEpoch: mp.PartitionEpoch,
		Replicas: ids(mp.Replicas), ISR: ids(mp.ISR),
	}
}

func ids(brokers []metadata.BrokerID) []int32 {
	out := make([]int32, len(brokers))
	for i, id := range brokers {
		out[i] = int32(id)
	}
	return out
}

// release takes a partition off the list of those led here.
func (r *Replicas) release(k key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.led, k)
}

// fetch has a partition copied from its leader.
func (r *Replicas) fetch(k key, leader metadata.BrokerID, t *target) {
	at := fetcherKey{leader, int(uint32(k.n)+uint32(t.id[0])) % r.cfg.Fetchers}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := fetching{at, place{t.id, t.n}}
	if was, ok := r.fetching[k]; ok && was != next {
		r.fetchers[was.by].remove(was.as)
	}
	f := r.fetchers[at]
	if f == nil {
		f = newFetcher(leader, &r.cfg, r.log, r.brokerEpoch)
		r.fetchers[at] = f
		if r.run != nil && r.cfg.Link != nil {
			r.run(f.run)
		}
	}
	r.fetching[k] = next
	f.add(t)
}

func (r *Replicas) unfetch(k key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was, ok := r.fetching[k]; ok {
		delete(r.fetching, k)
		r.fetchers[was.by].remove(was.as)
	}
}

// brokerEpoch is the epoch of this process as the metadata has it, -1 before.
func (r *Replicas) brokerEpoch() int64 {
	if b := r.self.Load(); b != nil {
		return b.Epoch
	}
	return -1
}

// delete removes one partition of this node.
func (r *Replicas) delete(t *metadata.Topic, n int32) {
	k := key{t.Name, n}
	r.unfetch(k)
	r.release(k)
	r.mu.Lock()
	delete(r.failed, k)
	r.mu.Unlock()
	if err := r.cfg.Logs.Delete(t.Name, n); err != nil && !errors.Is(err, commitlog.ErrClosed) {
		r.log.Error("partition was not deleted", "topic", t.Name, "partition", n, "err", err)
	}
}

// settings are a topic's configs as its partitions take them.
func (r *Replicas) settings(im *metadata.Image, t *metadata.Topic) partition.Settings {
	c, err := metadata.NewTopicConfig(im.Config(metadata.TopicResource(t.Name)), im.Defaults(r.cfg.NodeID, r.cfg.Static))
	if err != nil {
		r.log.Error("topic has a config that cannot be used; its default is", "topic", t.Name, "err", err)
	}
	s := Settings(c)
	s.ReplicaLagMax = r.cfg.LagMax
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

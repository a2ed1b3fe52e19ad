package api

import (
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/group"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// Config says what the handlers work on. All fields without a stated default are required.
type Config struct {
	NodeID     metadata.BrokerID
	Controller *controller.Controller
	Logs       *partition.Manager
	Groups     *group.Coordinator
	// Link reaches the controller on another node. nil: this node is a cluster of its own.
	Link Link
	// BrokerListeners are the listeners that other brokers use; none is any.
	BrokerListeners []string
	// BrokerGone is told that the connection of a broker's heartbeats has ended. It must not block. nil: nobody is.
	BrokerGone func(id metadata.BrokerID, epoch int64)
	// OutOfService reports whether a partition of this node could not be opened.
	OutOfService func(topic string, n int32) bool
	// LogDir is the data directory's path, as DescribeLogDirs names it.
	LogDir string

	// Static are the broker's keys from its properties file; they give topics without own values their defaults.
	Static map[string]string
	// AutoCreateTopics is auto.create.topics.enable: a Metadata request that allows it makes missing topics.
	AutoCreateTopics bool
	// FetchMaxBytes is fetch.max.bytes: the most one fetch answers with. 0: 55 MiB, Kafka's default. Answers never pass
	// maxFetchBytes either, so that a slow reader costs little memory.
	FetchMaxBytes int32
	// FetchSessions is max.incremental.fetch.session.cache.slots. 0: 1000.
	FetchSessions int
	// RackAware, or replica.selector.class=...RackAwareReplicaSelector in Static: consumers are sent to a replica in their rack (KIP-392).
	RackAware bool

	Logger     *slog.Logger          // nil: none
	Clock      func() time.Time      // nil: time.Now
	Registerer prometheus.Registerer // nil: none
}

// API answers requests. Its methods may be called from any number of connections.
type API struct {
	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	table    [maxKey]*entry
	ranges   []kmsg.ApiVersionsResponseApiKey
	sessions *sessionCache
	ids      producerIDs
}

// New makes the handlers. It starts nothing.
func New(cfg Config) *API {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.FetchMaxBytes == 0 {
		cfg.FetchMaxBytes = 55 << 20
	}
	if strings.HasSuffix(cfg.Static["replica.selector.class"], ".RackAwareReplicaSelector") {
		cfg.RackAware = true
	}
	if cfg.FetchSessions == 0 {
		cfg.FetchSessions = 1000
	}
	a := &API{cfg: cfg, log: cfg.Logger, table: newTable(rows)}
	a.ranges = a.versionRanges()
	a.metrics = newMetrics(cfg.Registerer, a.table)
	a.sessions = newSessionCache(cfg.FetchSessions, cfg.Clock)
	return a
}

// image is the metadata in force.
func (a *API) image() *metadata.Image { return a.cfg.Controller.Image() }

// leader returns the local log of a partition that this broker leads, or an error with the code for the client. t may be
// nil for a topic that is not there.
func (a *API) leader(t *metadata.Topic, n int32) (*partition.Partition, error) {
	mp := t.Partition(n)
	if mp == nil {
		return nil, metadata.ErrUnknownTopic
	}
	if mp.Leader != a.cfg.NodeID {
		return nil, kerr.NotLeaderForPartition
	}
	if p := a.cfg.Logs.Get(t.Name, n); p != nil {
		return p, nil
	}
	if a.cfg.OutOfService(t.Name, n) {
		return nil, partition.ErrStorage
	}
	return nil, metadata.ErrUnknownTopic // just deleted: the next image will not have it
}

package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/broker/group"
)

// Config opens a Broker. Start from DefaultConfig or ParseConfig.
type Config struct {
	// NodeID is node.id (or broker.id): this node's id in its cluster, 0 or above. A data directory belongs to one id for
	// ever. Default 1.
	NodeID int32
	// DataDir is log.dirs (or log.dir): where everything is kept. It is made if missing and locked while the broker runs.
	// Default "data".
	DataDir string
	// ClusterID is the cluster the data directory must belong to. Empty, the default: whichever it does, or a new one.
	ClusterID string
	// Rack is broker.rack, which is told to clients. Default none.
	Rack string

	// Voters are controller.quorum.voters: the nodes that agree on the cluster's metadata, with their addresses for other nodes.
	// Empty, the default, or this node alone: a cluster of one. A node that is not among them follows them.
	Voters []Voter
	// InterBrokerListener is inter.broker.listener.name: the listener that other nodes use. Default the first one.
	InterBrokerListener string
	// ControllerListener is a listener of controller.listener.names whose port controller.quorum.voters names: other nodes may use
	// it too. Default none.
	ControllerListener string
	// SessionTimeout is broker.session.timeout.ms: a broker that the controller has not heard of for so long is taken out of
	// service. Default 4 s.
	SessionTimeout time.Duration
	// HeartbeatInterval is broker.heartbeat.interval.ms. Default 1 s.
	HeartbeatInterval time.Duration
	// RegistrationTimeout is initial.broker.registration.timeout.ms: how long a starting broker may wait for the controller.
	// Default 60 s; below 0 without end.
	RegistrationTimeout time.Duration
	// ControlledShutdown is controlled.shutdown.enable: a stopping broker first gives away what it leads. Default true.
	ControlledShutdown bool
	// PeerDial connects to other nodes. nil: the network.
	PeerDial func(ctx context.Context, network, address string) (net.Conn, error)

	// Listeners are listeners with advertised.listeners. Default PLAINTEXT at 127.0.0.1:9092: nobody on another machine
	// can connect unless this says so.
	Listeners []Listener
	// MaxRequestBytes is socket.request.max.bytes: connections that announce a larger request are closed. Default 100 MiB.
	MaxRequestBytes int32
	// QueuedMaxRequestBytes is queued.max.request.bytes: what requests being read may take together. Below 1, the default: no
	// limit.
	QueuedMaxRequestBytes int64
	// MaxConnections and MaxConnectionsPerIP are max.connections and max.connections.per.ip; 0 is no limit, the default.
	MaxConnections, MaxConnectionsPerIP int
	// ConnectionsMaxIdle is connections.max.idle.ms: idle connections are closed after it, below 0 never. Default 10 min.
	ConnectionsMaxIdle time.Duration
	// SendBuffer and ReceiveBuffer are socket.send.buffer.bytes and socket.receive.buffer.bytes. 0, the default, leaves
	// them to the system.
	SendBuffer, ReceiveBuffer int

	// NumPartitions is num.partitions, for topics made without a count. Default 1.
	NumPartitions int32
	// ReplicationFactor is default.replication.factor. Default 1.
	ReplicationFactor int16
	// AutoCreateTopics is auto.create.topics.enable: clients that ask for a missing topic make it. Default true.
	AutoCreateTopics bool
	// FetchMaxBytes is fetch.max.bytes, the most one fetch is answered with. Default 55 MiB; answers are never above 8 MiB.
	FetchMaxBytes int32
	// FetchSessions is max.incremental.fetch.session.cache.slots. Default 1000.
	FetchSessions int

	// RetentionCheckInterval is log.retention.check.interval.ms. Default 5 min.
	RetentionCheckInterval time.Duration
	// CheckpointInterval is log.flush.offset.checkpoint.interval.ms: how often recovery points are written. Default 60 s.
	CheckpointInterval time.Duration
	// CleanerBackoff is log.cleaner.backoff.ms. Default 15 s.
	CleanerBackoff time.Duration
	// CleanerBufferBytes is log.cleaner.dedupe.buffer.size, the memory of compaction. Default and most 16 MiB.
	CleanerBufferBytes int64

	// ProducerExpiration is producer.id.expiration.ms: how long the sequence numbers of an idle producer are kept. Default 24 h.
	ProducerExpiration time.Duration

	// Groups are the keys of consumer groups: group.*, offsets.*. Default group.DefaultSettings, which are Kafka's.
	Groups group.Settings

	// Static are the keys, as Kafka spells them, that were set explicitly. Keys such as log.retention.hours take effect
	// through it: they are the defaults of topic configs, and DescribeConfigs shows them.
	Static map[string]string

	// Logger gets the broker's log lines. nil: none.
	Logger *slog.Logger
	// Registerer gets the broker's metrics. nil: none.
	Registerer prometheus.Registerer
}

// Voter is one entry of controller.quorum.voters.
type Voter struct {
	ID int32
	// Address is the host:port of the node's inter-broker listener.
	Address string
}

// Listener is one address clients connect to.
type Listener struct {
	// Name is Kafka's listener name. Default PLAINTEXT.
	Name string
	// Address is host:port to listen at. An empty host is all interfaces, port 0 a free one.
	Address string
	// Advertised is the host:port clients are told to connect to; empty is Address. Port 0 is the port that was found.
	Advertised string
}

// DefaultConfig is what a properties file without any key gives.
func DefaultConfig() Config {
	return Config{
		NodeID:                 1,
		DataDir:                "data",
		Listeners:              []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:9092"}},
		SessionTimeout:         4 * time.Second,
		HeartbeatInterval:      time.Second,
		RegistrationTimeout:    time.Minute,
		ControlledShutdown:     true,
		MaxRequestBytes:        100 << 20,
		QueuedMaxRequestBytes:  -1,
		ConnectionsMaxIdle:     10 * time.Minute,
		NumPartitions:          1,
		ReplicationFactor:      1,
		AutoCreateTopics:       true,
		FetchMaxBytes:          55 << 20,
		FetchSessions:          1000,
		RetentionCheckInterval: 5 * time.Minute,
		CheckpointInterval:     time.Minute,
		CleanerBackoff:         15 * time.Second,
		CleanerBufferBytes:     16 << 20,
		ProducerExpiration:     24 * time.Hour,
		Groups:                 group.DefaultSettings(),
	}
}

// EmbeddedConfig is DefaultConfig for a log that runs inside a worker: see group.EmbeddedSettings.
func EmbeddedConfig() Config {
	c := DefaultConfig()
	c.Groups = group.EmbeddedSettings()
	return c
}

// Validate names everything that is wrong with c. Each mistake is a *KeyError.
func (c Config) Validate() error {
	var errs []error
	wrong := func(key string, value any, rule string) {
		errs = append(errs, &KeyError{Key: key, Value: fmt.Sprint(value), Rule: rule})
	}
	if c.NodeID < 0 {
		wrong("node.id", c.NodeID, "must be at least 0")
	}
	if c.DataDir == "" {
		wrong("log.dirs", c.DataDir, "must name a directory")
	}
	if len(c.Listeners) == 0 {
		wrong("listeners", "", "must name at least one listener")
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	for _, l := range c.Listeners {
		if l.Name == "" || names[l.Name] {
			wrong("listeners", l.Name, "every listener must have a name of its own")
		}
		names[l.Name] = true
		_, port, err := net.SplitHostPort(l.Address)
		switch {
		case err != nil:
			wrong("listeners", l.Address, "must be host:port")
		case !isPort(port):
			wrong("listeners", l.Address, "port must be 0 to 65535")
		case port != "0" && addresses[l.Address]:
			wrong("listeners", l.Address, "every listener must have an address of its own")
		}
		addresses[l.Address] = true
		if err := checkAdvertised(l); err != "" {
			wrong("advertised.listeners", l.Advertised, err)
		}
	}
	if name := c.InterBrokerListener; name != "" && !names[name] {
		wrong("inter.broker.listener.name", name, "must be the name of one of listeners")
	}
	if c.HeartbeatInterval <= 0 || c.SessionTimeout < 2*c.HeartbeatInterval {
		wrong("broker.session.timeout.ms", c.SessionTimeout.Milliseconds(),
			fmt.Sprintf("must be at least twice broker.heartbeat.interval.ms, which is %d", c.HeartbeatInterval.Milliseconds()))
	}
	if c.NumPartitions < 1 {
		wrong("num.partitions", c.NumPartitions, "must be at least 1")
	}
	if c.ReplicationFactor < 1 {
		wrong("default.replication.factor", c.ReplicationFactor, "must be at least 1")
	}
	if err := c.Groups.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// described returns Static with the keys that DescribeConfigs must not answer with Apache Kafka's defaults, because ours differ.
func (c Config) described() map[string]string {
	static := maps.Clone(c.Static)
	if static == nil {
		static = make(map[string]string)
	}
	set := func(key, value string) {
		if _, ok := static[key]; !ok && value != "" {
			static[key] = value
		}
	}
	var listeners, advertised []string
	for _, l := range c.Listeners {
		listeners = append(listeners, l.Name+"://"+l.Address)
		if l.Advertised != "" {
			advertised = append(advertised, l.Name+"://"+l.Advertised)
		}
	}
	set("node.id", strconv.Itoa(int(c.NodeID)))
	set("log.dirs", c.DataDir)
	set("listeners", strings.Join(listeners, ","))
	set("advertised.listeners", strings.Join(advertised, ","))
	if kafka := group.DefaultSettings(); c.Groups.TopicPartitions != kafka.TopicPartitions {
		set("offsets.topic.num.partitions", strconv.Itoa(int(c.Groups.TopicPartitions)))
	}
	if kafka := group.DefaultSettings(); c.Groups.InitialRebalanceDelay != kafka.InitialRebalanceDelay {
		set("group.initial.rebalance.delay.ms", strconv.FormatInt(c.Groups.InitialRebalanceDelay.Milliseconds(), 10))
	}
	set("broker.session.timeout.ms", strconv.FormatInt(c.SessionTimeout.Milliseconds(), 10))
	set("broker.heartbeat.interval.ms", strconv.FormatInt(c.HeartbeatInterval.Milliseconds(), 10))
	if c.NumPartitions != 1 {
		set("num.partitions", strconv.Itoa(int(c.NumPartitions)))
	}
	if !c.AutoCreateTopics {
		set("auto.create.topics.enable", "false")
	}
	return static
}

// checkAdvertised returns the rule that an advertised address breaks, or "".
func checkAdvertised(l Listener) string {
	if l.Advertised == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(l.Advertised)
	switch {
	case err != nil:
		return "must be host:port"
	case !isPort(port):
		return "port must be 0 to 65535"
	case host == "" || net.ParseIP(host).IsUnspecified():
		return "must be an address that clients can connect to, not all interfaces"
	}
	return ""
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// KeyError is one mistake in a configuration.
type KeyError struct {
	Key, Value string
	// Rule says what is asked for.
	Rule string
	// Nearest is the known key that an unknown one most likely means; empty if there is none, or the key is known.
	Nearest string
}

func (e *KeyError) Error() string {
	s := fmt.Sprintf("%s: %s, got %q", e.Key, e.Rule, e.Value)
	if e.Nearest != "" {
		s += fmt.Sprintf("; did you mean %s?", e.Nearest)
	}
	return s
}

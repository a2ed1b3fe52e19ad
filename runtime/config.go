package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/plugins/providers"
)

// A Mode is how a worker runs.
type Mode string

// The modes.
const (
	Standalone  Mode = "standalone"
	Distributed Mode = "distributed"
)

// Config is the configuration of a Runtime.
type Config struct {
	Mode Mode
	// Properties are the worker's properties as written: REST and clients take their keys from them.
	// References to config providers are resolved.
	Properties map[string]string
	// Values are the parsed properties of WorkerKeys(Mode).
	Values connectors.Values
	// Warnings name what was accepted but has no meaning here.
	Warnings []string

	// Bootstrap are the addresses of the log (bootstrap.servers); empty until cmd fills in the integrated log's.
	Bootstrap []string
	// Dialer reaches the log; nil dials TCP. The integrated log passes its in-memory dialer.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
	// Client are further options of every client of the log (TLS, SASL).
	Client []kgo.Opt

	// WorkerID is host:port of the advertised REST address; port 0 is replaced by Runtime.Serving.
	WorkerID string
	// GroupID is group.id; standalone workers have none.
	GroupID string
	// Converters for connectors that name none.
	KeyConverter, ValueConverter, HeaderConverter PluginConfig
	// AnyConverter says that nobody has chosen the key and value converters: those that a connector's plugin names go first.
	AnyConverter bool

	// OffsetFlushInterval is offset.flush.interval.ms; at most 0 commits after each batch. OffsetFlushTimeout bounds a commit.
	OffsetFlushInterval, OffsetFlushTimeout time.Duration
	// HealthStall is health.stall.ms: how long work may wait before it is stalled.
	HealthStall time.Duration
	// TaskShutdownTimeout is task.shutdown.graceful.timeout.ms, for all tasks that stop together.
	TaskShutdownTimeout time.Duration

	// StateInTopics keeps configs and statuses in the internal topics, otherwise in memory. It is always set in
	// distributed mode; standalone on the integrated log or with a config.storage.topic of its own.
	StateInTopics bool
	// OffsetFile keeps source offsets in a file (offset.storage.file.filename); empty: in the offset topic.
	OffsetFile                            string
	ConfigTopic, OffsetTopic, StatusTopic InternalTopic

	// Providers resolve references in configurations of connectors; ProviderSecrets are the values that they gave for the worker's own.
	Providers       *providers.Set
	ProviderSecrets []string
	// MaskSecrets keeps secrets out of answers, logs, statuses and dead letters (config.masking).
	MaskSecrets bool

	// TopicCreation allows topic.creation.* of source connectors.
	TopicCreation bool
	// TopicTracking remembers active topics; TopicTrackingReset allows to forget them.
	TopicTracking, TopicTrackingReset bool

	// Version and Commit are what GET / answers. Tools decide by Version what a worker can do, so it is the version of Kafka
	// Connect whose contract is served; Commit is the program's own.
	Version, Commit string
	// Log is slog.Default() when nil; Metrics may be nil.
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// PluginConfig names a converter and its options, without prefix.
type PluginConfig struct {
	Class, Version string
	Options        map[string]string
}

// InternalTopic says how an internal topic is created.
type InternalTopic struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	// ReplicationFactorAtMost lowers a default factor to the number of brokers; AwaitBrokers waits for enough of them.
	ReplicationFactorAtMost bool
	AwaitBrokers            bool
	Configs                 map[string]string
}

// DefaultConfig is a standalone worker with Kafka Connect's defaults and the JSON converter, its state in topics.
func DefaultConfig() Config {
	const json = "org.apache.kafka.connect.json.JsonConverter"
	c, err := ParseWorkerConfig(Standalone, map[string]string{"key.converter": json, "value.converter": json})
	if err != nil {
		panic(err) // our own constants
	}
	return c
}

// ParseWorkerConfig reads the properties of a worker file. The error joins all mistakes; with it, only Warnings are set.
func ParseWorkerConfig(mode Mode, props map[string]string) (Config, error) {
	def := WorkerKeys(mode)
	values := make(connectors.Values)
	set, props, given, err := resolveWorker(props)
	var errs []error
	if err != nil {
		errs = append(errs, err)
	}
	raw := connectors.Raw(props)
	keys := def.Keys()
	if mode == Standalone {
		topics := connectors.NewConfigDef(internalTopicKeys()...)
		if _, own := props["config.storage.topic"]; own {
			keys = append(slices.Clone(keys), topics.Keys()...) // the topics are used, so what is said of them counts
		} else {
			for _, k := range topics.Keys() {
				values[k.Name] = k.Default
			}
		}
	}
	for _, k := range keys {
		one, err := connectors.NewConfigDef(*k).Parse(raw)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		maps.Copy(values, one)
	}
	if err := checkSignature(mode, values); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return Config{Warnings: unknownKeys(def, props)}, errors.Join(errs...)
	}
	c := Config{
		Mode: mode, Properties: maps.Clone(props), Values: values, Warnings: unknownKeys(def, props),
		Version:             connectors.KafkaVersion,
		Bootstrap:           values.List("bootstrap.servers"),
		KeyConverter:        converter(values, props, "key.converter"),
		ValueConverter:      converter(values, props, "value.converter"),
		HeaderConverter:     converter(values, props, "header.converter"),
		OffsetFlushInterval: values.Millis("offset.flush.interval.ms"),
		OffsetFlushTimeout:  values.Millis("offset.flush.timeout.ms"),
		HealthStall:         values.Millis("health.stall.ms"),
		TaskShutdownTimeout: values.Millis("task.shutdown.graceful.timeout.ms"),
		Providers:           set,
		ProviderSecrets:     given,
		MaskSecrets:         values.String("config.masking") == "secrets",
		TopicCreation:       values.Bool("topic.creation.enable"),
		TopicTracking:       values.Bool("topic.tracking.enable"),
		TopicTrackingReset:  values.Bool("topic.tracking.allow.reset"),
		ConfigTopic:         internalTopic(values, props, "config"),
		OffsetTopic:         internalTopic(values, props, "offset"),
		StatusTopic:         internalTopic(values, props, "status"),
	}
	for _, name := range set.Unmade() {
		c.Warnings = append(c.Warnings, fmt.Sprintf("config.providers: %[1]s has no config.providers.%[1]s.class, so it is no provider", name))
	}
	if mode == Distributed {
		c.GroupID = values.String("group.id")
		c.StateInTopics = true
	} else {
		c.OffsetFile = values.String("offset.storage.file.filename")
		_, own := props["config.storage.topic"]
		c.StateInTopics = len(c.Bootstrap) == 0 || own
	}
	id, err := workerID(values)
	if err != nil {
		return Config{}, err
	}
	c.WorkerID = id
	return c, c.Validate()
}

// resolveWorker makes the config providers and resolves the references in the worker's own properties. Of those, plugin.path
// and the providers' keys are left alone. A provider that has no value is a mistake here; that of nobody may be meant as it is.
func resolveWorker(props map[string]string) (set *providers.Set, resolved map[string]string, secrets []string, err error) {
	if set, err = providers.Parse(props); err != nil {
		return nil, props, nil, err
	}
	own := maps.Clone(props)
	maps.DeleteFunc(own, func(k, _ string) bool { return k == "plugin.path" || strings.HasPrefix(k, "config.providers") })
	r, err := set.Resolve(own)
	if err != nil {
		return set, props, nil, err
	}
	var errs []error
	for _, m := range r.Missing {
		if set.Has(m.Provider) {
			errs = append(errs, &connectors.ConfigError{Msg: fmt.Sprintf("%s: config provider %s has no value %q at path %q", m.ConfigKey, m.Provider, m.Key, m.Path)})
		}
	}
	resolved = maps.Clone(props)
	maps.Copy(resolved, r.Config)
	return set, resolved, r.Secrets, errors.Join(errs...)
}

// Validate checks what ParseWorkerConfig cannot have checked on its own.
func (c *Config) Validate() error {
	var errs []error
	if c.Mode != Standalone && c.Mode != Distributed {
		errs = append(errs, fmt.Errorf("mode must be %s or %s, got %q", Standalone, Distributed, c.Mode))
	}
	if c.WorkerID == "" {
		errs = append(errs, errors.New("the worker id is empty; set listeners or rest.advertised.host.name"))
	}
	return errors.Join(errs...)
}

func checkSignature(mode Mode, values connectors.Values) error {
	if mode != Distributed {
		return nil
	}
	algorithm := values.String("inter.worker.signature.algorithm")
	if !slices.Contains(values.List("inter.worker.verification.algorithms"), algorithm) {
		return connectors.InvalidValue("inter.worker.signature.algorithm", algorithm,
			"Signature algorithm must be present in inter.worker.verification.algorithms list")
	}
	return nil
}

func converter(values connectors.Values, props map[string]string, name string) PluginConfig {
	return PluginConfig{
		Class:   values.String(name),
		Version: values.String(name + ".plugin.version"),
		Options: withPrefix(props, name+"."),
	}
}

// withPrefix returns the properties under prefix, without it.
func withPrefix(props map[string]string, prefix string) map[string]string {
	under := make(map[string]string)
	for k, v := range props {
		if name, ok := strings.CutPrefix(k, prefix); ok {
			under[name] = v
		}
	}
	return under
}

func internalTopic(values connectors.Values, props map[string]string, what string) InternalTopic {
	prefix := what + ".storage."
	t := InternalTopic{
		Name: values.String(prefix + "topic"), Configs: withPrefix(props, prefix),
		Partitions: 1,
	}
	if what != "config" {
		t.Partitions = values.Int(prefix + "partitions")
	}
	t.ReplicationFactor = values.Short(prefix + "replication.factor")
	_, set := props[prefix+"replication.factor"]
	_, own := props["config.storage.topic"]
	t.ReplicationFactorAtMost = !set || !own
	for _, k := range []string{"topic", "partitions", "replication.factor", "file.filename"} {
		delete(t.Configs, k)
	}
	return t
}

// workerID is the advertised host and port: those of the first listener with the advertised scheme unless told otherwise.
func workerID(values connectors.Values) (string, error) {
	host, port := values.String("rest.advertised.host.name"), ""
	if !values.IsNull("rest.advertised.port") {
		port = strconv.Itoa(int(values.Int("rest.advertised.port")))
	}
	listener := advertisedListener(values.List("listeners"), values.String("rest.advertised.listener"))
	u, err := url.Parse(listener)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("listeners: %q is no address; want one like http://127.0.0.1:8083", listener)
	}
	if host == "" {
		host = u.Hostname()
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		if host, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("listeners: %q names no host and the machine's name is unknown: %w; set rest.advertised.host.name", listener, err)
		}
	}
	if port == "" {
		if port = u.Port(); port == "" {
			port = "8083"
		}
	}
	return net.JoinHostPort(host, port), nil
}

// advertisedListener is the first listener with the scheme, else the first with http, else the first. As in Connect, a scheme that no
// listener has is no mistake.
func advertisedListener(listeners []string, scheme string) string {
	for _, wanted := range []string{strings.ToLower(scheme), "http"} {
		i := slices.IndexFunc(listeners, func(l string) bool { return strings.HasPrefix(strings.ToLower(l), wanted+":") })
		if i >= 0 {
			return listeners[i]
		}
	}
	return listeners[0]
}

// knownPrefixes begin keys that other parts of the worker read.
var knownPrefixes = []string{
	"admin.", "broker.", "config.providers.", "config.storage.", "consumer.", "header.converter.", "key.converter.",
	"listeners.https.", "metrics.context.", "offset.storage.", "producer.", "sasl.", "ssl.", "status.storage.", "value.converter.",
	"admin.listeners.", "internal.", "file.", "topic.creation.", "socket.", "metadata.",
}

func unknownKeys(def *connectors.ConfigDef, props map[string]string) []string {
	both := map[string]bool{}
	for _, mode := range []Mode{Standalone, Distributed} {
		for _, k := range WorkerKeys(mode).Keys() {
			both[k.Name] = true
		}
	}
	var warnings []string
	for _, k := range slices.Sorted(maps.Keys(props)) {
		known := def.Lookup(k) != nil || both[k] ||
			slices.ContainsFunc(knownPrefixes, func(p string) bool { return strings.HasPrefix(k, p) })
		if !known {
			warnings = append(warnings, fmt.Sprintf("%s: no worker configuration has this name", k))
		}
	}
	return warnings
}

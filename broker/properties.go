package broker

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/broker/internal/brokerkeys"
	"millrace/broker/metadata"
)

// ParseConfig reads the keys of an Apache Kafka server.properties file. Keys that Kafka has and this broker does not need
// are accepted. All mistakes are reported at once, each as a *KeyError in the joined error; the Config is usable only
// without any.
func ParseConfig(props map[string]string) (Config, error) { return DefaultConfig().Parse(props) }

// Parse is ParseConfig with the values of c for the keys that props does not have.
func (c Config) Parse(props map[string]string) (Config, error) {
	c.Static, c.Listeners = maps.Clone(c.Static), slices.Clone(c.Listeners)
	p := parser{props: props, cfg: c}
	for _, name := range slices.Sorted(maps.Keys(props)) {
		p.checkKey(name)
	}
	if len(p.errs) == 0 {
		p.fill()
	}
	if len(p.errs) == 0 {
		if err := p.cfg.Validate(); err != nil {
			p.errs = append(p.errs, err)
		}
	}
	return p.cfg, errors.Join(p.errs...)
}

// obsolete reports whether a key of older servers means nothing to Apache Kafka 4 and this broker, whatever its value: those of
// ZooKeeper, and those whose work is done another way now.
func obsolete(name string) bool {
	switch name {
	case "log.message.format.version", "log.message.timestamp.difference.max.ms", "control.plane.listener.name",
		"offsets.commit.required.acks", "quota.producer.default", "quota.consumer.default":
		return true
	}
	return strings.HasPrefix(name, "zookeeper.")
}

// Obsolete lists the keys of props that are not needed any more, sorted, for one log line.
func Obsolete(props map[string]string) []string {
	var names []string
	for name := range props {
		if obsolete(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

type parser struct {
	props map[string]string
	cfg   Config
	errs  []error
}

func (p *parser) wrong(key, rule string) {
	p.errs = append(p.errs, &KeyError{Key: key, Value: p.props[key], Rule: rule})
}

// checkKey checks that a key is known and its value has the right type and range.
func (p *parser) checkKey(name string) {
	value := p.props[name]
	if obsolete(name) {
		return
	}
	bare := name
	if rest, ok := strings.CutPrefix(name, "listener.name."); ok { // per listener: listener.name.<name>.<key>
		if _, key, ok := strings.Cut(rest, "."); ok {
			if bare = key; strings.HasPrefix(key, "plain.") || strings.HasPrefix(key, "scram-") || strings.HasPrefix(key, "oauthbearer.") {
				return
			}
		}
	}
	key, ok := brokerkeys.Lookup(bare)
	if !ok {
		p.errs = append(p.errs, &KeyError{Key: name, Value: value, Rule: "unknown key", Nearest: brokerkeys.Nearest(name)})
		return
	}
	if rule := key.Check(value); rule != "" {
		p.wrong(name, rule)
		return
	}
	if bare == name {
		p.static(name, value)
	}
}

// static notes an explicit value, and checks it as the topic config whose default it is.
func (p *parser) static(name, value string) {
	value = strings.TrimSpace(value)
	if p.cfg.Static == nil {
		p.cfg.Static = make(map[string]string)
	}
	p.cfg.Static[name] = value
	for _, def := range metadata.TopicConfigs() {
		for _, syn := range def.Synonyms {
			if syn.Name != name {
				continue
			}
			// Values with a unit, such as log.retention.hours, are converted before the topic's rule applies.
			if syn.Unit > 1 {
				return
			}
			if _, err := def.Parse(value); err != nil {
				p.wrong(name, err.Error())
			}
			return
		}
	}
}

// fill sets the fields of the Config. All keys are known and well formed by now.
func (p *parser) fill() {
	c := &p.cfg
	setInt(p, "broker.id", &c.NodeID)
	setInt(p, "node.id", &c.NodeID)
	if id, ok := p.props["node.id"]; ok && p.has("broker.id") && id != p.props["broker.id"] {
		p.wrong("broker.id", fmt.Sprintf("must equal node.id, which is %s", id))
	}
	p.dataDir()
	if rack, ok := p.props["broker.rack"]; ok {
		c.Rack = rack
	}
	p.voters()
	p.listeners()
	p.cluster()
	setInt(p, "socket.request.max.bytes", &c.MaxRequestBytes)
	setInt(p, "queued.max.request.bytes", &c.QueuedMaxRequestBytes)
	setInt(p, "max.connections", &c.MaxConnections)
	setInt(p, "max.connections.per.ip", &c.MaxConnectionsPerIP)
	setMillis(p, "connections.max.idle.ms", &c.ConnectionsMaxIdle)
	setInt(p, "socket.send.buffer.bytes", &c.SendBuffer)
	setInt(p, "socket.receive.buffer.bytes", &c.ReceiveBuffer)
	setInt(p, "num.partitions", &c.NumPartitions)
	setInt(p, "default.replication.factor", &c.ReplicationFactor)
	setInt(p, "fetch.max.bytes", &c.FetchMaxBytes)
	setInt(p, "max.incremental.fetch.session.cache.slots", &c.FetchSessions)
	setMillis(p, "log.retention.check.interval.ms", &c.RetentionCheckInterval)
	setMillis(p, "log.flush.offset.checkpoint.interval.ms", &c.CheckpointInterval)
	setMillis(p, "log.cleaner.backoff.ms", &c.CleanerBackoff)
	setInt(p, "log.cleaner.dedupe.buffer.size", &c.CleanerBufferBytes)
	c.CleanerBufferBytes = min(c.CleanerBufferBytes, 16<<20)
	setMillis(p, "producer.id.expiration.ms", &c.ProducerExpiration)
	setMillis(p, "broker.session.timeout.ms", &c.SessionTimeout)
	setMillis(p, "broker.heartbeat.interval.ms", &c.HeartbeatInterval)
	setMillis(p, "initial.broker.registration.timeout.ms", &c.RegistrationTimeout)
	if v, ok := p.props["controlled.shutdown.enable"]; ok {
		c.ControlledShutdown = strings.EqualFold(strings.TrimSpace(v), "true")
	}
	p.groups()
	if v, ok := p.props["auto.create.topics.enable"]; ok {
		c.AutoCreateTopics = strings.EqualFold(strings.TrimSpace(v), "true")
	}
	p.refuse()
}

// refuse names keys whose meaning would be lost silently, to the harm of whoever relies on it.
func (p *parser) refuse() {
	if v := strings.TrimSpace(p.props["authorizer.class.name"]); v != "" {
		p.wrong("authorizer.class.name", "there are no access control lists; leave it out to let every client do everything")
	}
	if strings.EqualFold(strings.TrimSpace(p.props["remote.log.storage.system.enable"]), "true") {
		p.wrong("remote.log.storage.system.enable", "there is no tiered storage; must be false")
	}
}

func (p *parser) has(key string) bool {
	_, ok := p.props[key]
	return ok
}

func (p *parser) dataDir() {
	key := "log.dirs"
	if !p.has(key) {
		key = "log.dir"
	}
	if !p.has(key) {
		return
	}
	dirs := metadata.SplitList(p.props[key])
	if len(dirs) != 1 || dirs[0] == "" {
		p.wrong(key, "must name one directory")
		return
	}
	p.cfg.DataDir = dirs[0]
}

// listeners reads listeners, advertised.listeners and what says which security protocol each has.
func (p *parser) listeners() {
	controllers := metadata.SplitList(strings.ToUpper(p.props["controller.listener.names"]))
	if p.has("listeners") {
		p.cfg.Listeners = nil
		for _, e := range p.endpoints("listeners") {
			if !slices.Contains(controllers, e.name) {
				p.cfg.Listeners = append(p.cfg.Listeners, Listener{Name: e.name, Address: e.address})
			} else if p.names(e.address) && p.cfg.ControllerListener == "" {
				// The other voters know this node by it.
				p.cfg.Listeners = append(p.cfg.Listeners, Listener{Name: e.name, Address: e.address})
				p.cfg.ControllerListener = e.name
				controllers = slices.DeleteFunc(controllers, func(name string) bool { return name == e.name })
			}
		}
	}
	for _, e := range p.endpoints("advertised.listeners") {
		at := slices.IndexFunc(p.cfg.Listeners, func(l Listener) bool { return l.Name == e.name })
		switch {
		case at >= 0:
			p.cfg.Listeners[at].Advertised = e.address
		case !slices.Contains(controllers, e.name):
			p.wrong("advertised.listeners", fmt.Sprintf("listener %s is not among listeners", e.name))
		}
	}
	protocols := map[string]string{"PLAINTEXT": "PLAINTEXT", "SSL": "SSL", "SASL_PLAINTEXT": "SASL_PLAINTEXT", "SASL_SSL": "SASL_SSL"}
	for _, pair := range metadata.SplitList(p.props["listener.security.protocol.map"]) {
		name, protocol, ok := strings.Cut(pair, ":")
		if !ok {
			p.wrong("listener.security.protocol.map", "must be a list of NAME:PROTOCOL")
			return
		}
		protocols[strings.ToUpper(name)] = strings.ToUpper(protocol)
	}
	if name := strings.ToUpper(strings.TrimSpace(p.props["inter.broker.listener.name"])); name != "" {
		p.cfg.InterBrokerListener = name
	}
	for _, l := range p.cfg.Listeners {
		switch protocol, ok := protocols[l.Name]; {
		case !ok:
			p.wrong("listeners", fmt.Sprintf("listener %s has no entry in listener.security.protocol.map", l.Name))
		case protocol != "PLAINTEXT":
			p.wrong("listeners", fmt.Sprintf("listener %s has security protocol %s; only PLAINTEXT is served", l.Name, protocol))
		}
	}
}

type endpoint struct{ name, address string }

// endpoints reads a list of NAME://host:port.
func (p *parser) endpoints(key string) []endpoint {
	var out []endpoint
	for _, e := range metadata.SplitList(p.props[key]) {
		name, address, ok := strings.Cut(e, "://")
		_, port, err := net.SplitHostPort(address)
		if !ok || name == "" || err != nil || !isPort(port) {
			p.wrong(key, "must be a list of NAME://host:port")
			return nil
		}
		out = append(out, endpoint{strings.ToUpper(name), address})
	}
	return out
}

func (p *parser) groups() {
	g := &p.cfg.Groups
	setMillis(p, "group.min.session.timeout.ms", &g.MinSessionTimeout)
	setMillis(p, "group.max.session.timeout.ms", &g.MaxSessionTimeout)
	setMillis(p, "group.initial.rebalance.delay.ms", &g.InitialRebalanceDelay)
	setInt(p, "group.max.size", &g.MaxSize)
	setMillis(p, "offsets.retention.check.interval.ms", &g.OffsetsRetentionCheck)
	setInt(p, "offset.metadata.max.bytes", &g.OffsetMetadataMaxBytes)
	setInt(p, "offsets.topic.num.partitions", &g.TopicPartitions)
	setInt(p, "offsets.topic.replication.factor", &g.TopicReplication)
	setInt(p, "offsets.topic.segment.bytes", &g.TopicSegmentBytes)
	if p.has("offsets.retention.minutes") {
		var minutes int64
		setInt(p, "offsets.retention.minutes", &minutes)
		g.OffsetsRetention = time.Duration(minutes) * time.Minute
	}
}

func setInt[T int | int16 | int32 | int64](p *parser, key string, field *T) {
	v, ok := p.props[key]
	if !ok {
		return
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	if err != nil || int64(T(n)) != n {
		p.wrong(key, "out of range")
		return
	}
	*field = T(n)
}

func setMillis(p *parser, key string, field *time.Duration) {
	var n int64
	if !p.has(key) {
		return
	}
	setInt(p, key, &n)
	const most = int64(1<<63-1) / int64(time.Millisecond)
	*field = time.Duration(min(n, most)) * time.Millisecond
}

package clients

import (
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Consumer returns the options of a sink task's consumer, to which the task adds its group and topics. props are consumer settings
// without prefix; group.id, max.poll.records and allow.auto.create.topics are for the task to read.
func (c Config) Consumer(clientID string, props map[string]string) ([]kgo.Opt, error) {
	s, opts := c.beginReading(clientID, props)
	opts = append(opts, kgo.DisableAutoCommit())
	opts = append(opts, membership(s)...)
	s.accept("group.id")
	return opts, c.end("consumer", s, props)
}

// Reader returns the options of a consumer without a group, to which its user adds partitions. props are consumer settings without
// prefix; max.poll.records is for the user to read, and those of a group mean nothing.
func (c Config) Reader(clientID string, props map[string]string) ([]kgo.Opt, error) {
	s, opts := c.beginReading(clientID, props)
	return opts, c.end("consumer", s, props)
}

// beginReading reads what consumers have in common. Nothing is committed but by the user, whatever enable.auto.commit says.
func (c Config) beginReading(clientID string, props map[string]string) (*settings, []kgo.Opt) {
	s, opts := c.begin(clientID, props)
	opts = append(opts,
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(500*time.Millisecond),
	)
	opts = append(opts, reading(s)...)
	s.accept("max.poll.records", "allow.auto.create.topics", "key.deserializer", "value.deserializer", "exclude.internal.topics",
		"default.api.timeout.ms")
	if v, ok := s.text("enable.auto.commit"); ok && !strings.EqualFold(v, "false") {
		delete(s.asked, "enable.auto.commit") // it is reported as ignored
	}
	return s, opts
}

// reading is how records are fetched and where from.
func reading(s *settings) []kgo.Opt {
	var opts []kgo.Opt
	if d, ok := s.millis("fetch.max.wait.ms", 10*time.Millisecond, math.MaxInt32*time.Millisecond); ok {
		opts = append(opts, kgo.FetchMaxWait(d))
	}
	if n, ok := s.number("fetch.min.bytes", 0, math.MaxInt32); ok {
		opts = append(opts, kgo.FetchMinBytes(int32(n)))
	}
	if n, ok := s.number("fetch.max.bytes", 1, 1<<30); ok {
		opts = append(opts, kgo.FetchMaxBytes(int32(n)), kgo.BrokerMaxReadBytes(int32(max(n, 100<<20))))
	}
	if n, ok := s.number("max.partition.fetch.bytes", 1, math.MaxInt32); ok {
		opts = append(opts, kgo.FetchMaxPartitionBytes(int32(n)))
	}
	if !s.yes("check.crcs", true) {
		opts = append(opts, kgo.DisableFetchCRCValidation())
	}
	if rack, ok := s.text("client.rack"); ok && rack != "" {
		opts = append(opts, kgo.Rack(rack))
	}
	if level, ok := oneOf(s, "isolation.level", map[string]kgo.IsolationLevel{
		"read_committed": kgo.ReadCommitted(), "read_uncommitted": kgo.ReadUncommitted(),
	}); ok {
		opts = append(opts, kgo.FetchIsolationLevel(level))
	}
	return append(opts, reset(s)...)
}

func reset(s *settings) []kgo.Opt {
	const name = "auto.offset.reset"
	text, ok := s.text(name)
	if !ok {
		return nil
	}
	switch strings.ToLower(text) {
	case "earliest":
		return []kgo.Opt{kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	case "latest":
		return []kgo.Opt{kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd())}
	case "none":
		return []kgo.Opt{kgo.ConsumeResetOffset(kgo.NoResetOffset())}
	}
	if duration, ok := strings.CutPrefix(strings.ToLower(text), "by_duration:"); ok {
		if d, err := isoDuration(duration); err == nil {
			return []kgo.Opt{kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(time.Now().Add(-d).UnixMilli()))}
		}
	}
	s.wrong(name, "String must be one of: latest, earliest, none, by_duration:PnDTnHnMn.nS")
	return nil
}

const consumerPackage = "org.apache.kafka.clients.consumer."

// membership is how the consumer is a member of its group.
func membership(s *settings) []kgo.Opt {
	const most = math.MaxInt32 * time.Millisecond
	var opts []kgo.Opt
	session, setSession := s.millis("session.timeout.ms", 100*time.Millisecond, most)
	if setSession {
		opts = append(opts, kgo.SessionTimeout(session))
	} else {
		session = 45 * time.Second
	}
	if d, ok := s.millis("heartbeat.interval.ms", time.Millisecond, most); ok {
		if d > session {
			s.wrong("heartbeat.interval.ms", "Heartbeat must be set lower than the session timeout")
		}
		opts = append(opts, kgo.HeartbeatInterval(d))
	} else if session <= 3*time.Second {
		opts = append(opts, kgo.HeartbeatInterval(session/3))
	}
	if d, ok := s.millis("max.poll.interval.ms", 100*time.Millisecond, most); ok {
		opts = append(opts, kgo.RebalanceTimeout(d))
	}
	if id, ok := s.text("group.instance.id"); ok && id != "" {
		opts = append(opts, kgo.InstanceID(id))
	}
	if protocol, _ := s.text("group.protocol"); protocol != "" && !strings.EqualFold(protocol, "classic") {
		s.wrong("group.protocol", "only classic is supported")
	}
	return append(opts, kgo.Balancers(balancers(s)...))
}

func balancers(s *settings) []kgo.GroupBalancer {
	const name = "partition.assignment.strategy"
	classes := []string{"CooperativeStickyAssignor", "RangeAssignor", "RoundRobinAssignor", "StickyAssignor"}
	text, _ := s.text(name)
	var chosen []kgo.GroupBalancer
	for _, class := range split(text) {
		switch strings.TrimPrefix(class, consumerPackage) {
		case "CooperativeStickyAssignor":
			chosen = append(chosen, kgo.CooperativeStickyBalancer())
		case "RangeAssignor":
			chosen = append(chosen, kgo.RangeBalancer())
		case "RoundRobinAssignor":
			chosen = append(chosen, kgo.RoundRobinBalancer())
		case "StickyAssignor":
			chosen = append(chosen, kgo.StickyBalancer())
		default:
			s.wrong(name, unsupportedClass(class, classes))
		}
	}
	if len(chosen) == 0 {
		return []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()}
	}
	return chosen
}

package clients

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says how the log is reached.
type Config struct {
	Bootstrap []string
	Dialer    func(ctx context.Context, network, address string) (net.Conn, error)
	Options   []kgo.Opt
	// Worker are the worker's properties. Clients of the worker itself take their settings from them, and clients of
	// connectors inherit security.protocol, sasl.* and ssl.* unless they go to a cluster of their own.
	Worker map[string]string
	// Ignored hears of settings without meaning here, by the kind of client; nil logs them.
	Ignored func(kind string, names []string)
	Log     *slog.Logger
}

// Internal are the options of a client of the worker itself.
func (c Config) Internal(clientID string) ([]kgo.Opt, error) {
	s := newSettings(c.Worker)
	opts := append(c.common(s, clientID, c.Bootstrap, c.Dialer), kgo.MetadataMinAge(metadataMinAge))
	return opts, s.err()
}

// Admin makes a client for administration; props are admin settings without prefix.
func (c Config) Admin(clientID string, props map[string]string) (*kgo.Client, error) {
	s, opts := c.begin(clientID, props)
	if n, ok := s.number("retries", 0, math.MaxInt32); ok {
		opts = append(opts, kgo.RequestRetries(int(n)))
	}
	s.accept("default.api.timeout.ms", "enable.metrics.push")
	if err := c.end("admin", s, props); err != nil {
		return nil, err
	}
	return kgo.NewClient(opts...)
}

const metadataMinAge = 100 * time.Millisecond

// begin reads what all clients have in common. The settings returned are props with what is inherited.
func (c Config) begin(clientID string, props map[string]string) (*settings, []kgo.Opt) {
	all := make(map[string]string)
	bootstrap, dialer := c.Bootstrap, c.Dialer
	if own := split(props["bootstrap.servers"]); len(own) > 0 {
		bootstrap, dialer = own, nil
	} else {
		for k, v := range c.Worker {
			if k == "security.protocol" || strings.HasPrefix(k, "sasl.") || strings.HasPrefix(k, "ssl.") {
				all[k] = v
			}
		}
	}
	maps.Copy(all, props)
	s := newSettings(all)
	if id, ok := s.text("client.id"); ok && id != "" {
		clientID = id
	}
	return s, append(c.common(s, clientID, bootstrap, dialer), kgo.MetadataMinAge(metadataMinAge))
}

// end reports what was not understood.
func (c Config) end(kind string, s *settings, props map[string]string) error {
	names := s.ignored(props)
	switch {
	case len(names) == 0:
	case c.Ignored != nil:
		c.Ignored(kind, names)
	default:
		c.Log.Warn("client settings have no meaning here and are ignored", "client", kind, "keys", strings.Join(names, ","))
	}
	return s.err()
}

// common are the options that every client has.
func (c Config) common(s *settings, clientID string, bootstrap []string, dialer func(context.Context, string, string) (net.Conn, error)) []kgo.Opt {
	opts := append([]kgo.Opt{kgo.SeedBrokers(bootstrap...), kgo.ClientID(clientID)}, c.Options...)
	s.accept("bootstrap.servers", "client.id")
	if dialer != nil {
		// The log of this process, in memory: nothing of a network applies.
		s.acceptPrefixes("security.", "sasl.", "ssl.", "socket.")
		s.accept("send.buffer.bytes", "receive.buffer.bytes", "connections.max.idle.ms", "client.dns.lookup")
		opts = append(opts, kgo.Dialer(dialer))
	} else {
		opts = append(opts, c.network(s)...)
	}
	if d, ok := s.millis("metadata.max.age.ms", metadataMinAge, time.Hour); ok {
		opts = append(opts, kgo.MetadataMaxAge(d))
	}
	if d, ok := s.millis("request.timeout.ms", 100*time.Millisecond, 15*time.Minute); ok {
		opts = append(opts, kgo.RequestTimeoutOverhead(d))
	}
	first, setFirst := s.millis("retry.backoff.ms", 0, time.Hour)
	most, setMost := s.millis("retry.backoff.max.ms", 0, time.Hour)
	if setFirst || setMost {
		if !setFirst {
			first = 100 * time.Millisecond
		}
		if !setMost {
			most = time.Second
		}
		opts = append(opts, kgo.RetryBackoffFn(func(tries int) time.Duration {
			return max(min(first<<min(max(tries-1, 0), 20), most), time.Millisecond)
		}))
	}
	// The client does these by itself, or they belong to Java's reporting.
	s.accept("metric.reporters", "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms", "enable.metrics.push",
		"metadata.recovery.strategy", "metadata.recovery.rebootstrap.trigger.ms")
	return opts
}

// network returns the dialer, with TLS, and what authenticates.
func (c Config) network(s *settings) []kgo.Opt {
	var opts []kgo.Opt
	if d, ok := s.millis("connections.max.idle.ms", 100*time.Millisecond, 15*time.Minute); ok {
		opts = append(opts, kgo.ConnIdleTimeout(d))
	}
	s.accept("client.dns.lookup", "socket.connection.setup.timeout.max.ms")
	d := dialer{Dialer: net.Dialer{Timeout: 10 * time.Second}}
	if t, ok := s.millis("socket.connection.setup.timeout.ms", time.Millisecond, time.Hour); ok {
		d.Timeout = t
	}
	if n, ok := s.number("send.buffer.bytes", 0, math.MaxInt32); ok {
		d.send = int(n)
	}
	if n, ok := s.number("receive.buffer.bytes", 0, math.MaxInt32); ok {
		d.receive = int(n)
	}
	config, mechanism := security(s, c.Worker)
	d.tls = config
	opts = append(opts, kgo.Dialer(d.dial))
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts
}

func split(list string) []string {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// AutoCreates is allow.auto.create.topics of a consumer's settings.
func AutoCreates(props map[string]string) bool {
	return !strings.EqualFold(strings.TrimSpace(props["allow.auto.create.topics"]), "false")
}

func unsupportedClass(class string, known []string) string {
	return fmt.Sprintf("class %s is not available here; there are %s", class, strings.Join(known, ", "))
}

package clients_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/plugins/clients"
)

// client makes a client of a kind that goes nowhere, and tells which settings it ignores.
func client(kind string, props map[string]string) (cl *kgo.Client, ignored []string, err error) {
	cfg := clients.Config{Bootstrap: []string{"127.0.0.1:1"}, Log: slog.New(slog.DiscardHandler),
		Ignored: func(_ string, names []string) { ignored = names }}
	switch kind {
	case "producer":
		cl, err = cfg.Producer("id", props)
	case "admin":
		cl, err = cfg.Admin("id", props)
	default:
		var opts []kgo.Opt
		if opts, err = cfg.Consumer("id", props); err == nil {
			cl, err = kgo.NewClient(append(opts, kgo.ConsumerGroup("g"))...)
		}
	}
	return cl, ignored, err
}

func TestSettings_reach_the_client(t *testing.T) {
	tests := []struct {
		kind, settings string
		option         any
		want           any
	}{
		{"producer", "", kgo.ClientID, "id"},
		{"producer", "client.id=mine", kgo.ClientID, "mine"},
		{"producer", "bootstrap.servers=a:1, b:2", kgo.SeedBrokers, []string{"a:1", "b:2"}},
		{"producer", "linger.ms=5", kgo.ProducerLinger, 5 * time.Millisecond},
		{"producer", "batch.size=2097152", kgo.ProducerBatchMaxBytes, int32(2097152)},
		{"producer", "batch.size=100", kgo.ProducerBatchMaxBytes, int32(1 << 20)},
		{"producer", "max.request.size=4096,batch.size=2097152", kgo.ProducerBatchMaxBytes, int32(4096)},
		{"producer", "acks=1", kgo.RequiredAcks, kgo.LeaderAck()},
		{"producer", "acks=0", kgo.DisableIdempotentWrite, true},
		{"producer", "acks=all", kgo.DisableIdempotentWrite, false},
		{"producer", "enable.idempotence=false,max.in.flight.requests.per.connection=7", kgo.MaxProduceRequestsInflightPerBroker, 7},
		{"producer", "enable.idempotence=false", kgo.MaxProduceRequestsInflightPerBroker, 1},
		{"producer", "delivery.timeout.ms=9000", kgo.RecordDeliveryTimeout, 9 * time.Second},
		{"producer", "retries=3", kgo.RecordRetries, int64(3)},
		{"producer", "request.timeout.ms=7000", kgo.ProduceRequestTimeout, 7 * time.Second},
		{"producer", "metadata.max.age.ms=7000", kgo.MetadataMaxAge, 7 * time.Second},
		{"producer", "connections.max.idle.ms=7000", kgo.ConnIdleTimeout, 7 * time.Second},
		{"producer", "compression.type=zstd", kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.ZstdCompression()}},
		{"producer", "compression.type=gzip,compression.gzip.level=7", kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.GzipCompression().WithLevel(7)}},
		{"consumer", "fetch.max.wait.ms=70", kgo.FetchMaxWait, 70 * time.Millisecond},
		{"consumer", "fetch.min.bytes=7", kgo.FetchMinBytes, int32(7)},
		{"consumer", "fetch.max.bytes=200000000", kgo.FetchMaxBytes, int32(200000000)},
		{"consumer", "max.partition.fetch.bytes=7", kgo.FetchMaxPartitionBytes, int32(7)},
		{"consumer", "session.timeout.ms=7000", kgo.SessionTimeout, 7 * time.Second},
		{"consumer", "session.timeout.ms=1500", kgo.HeartbeatInterval, 500 * time.Millisecond},
		{"consumer", "heartbeat.interval.ms=700", kgo.HeartbeatInterval, 700 * time.Millisecond},
		{"consumer", "max.poll.interval.ms=7000", kgo.RebalanceTimeout, 7 * time.Second},
		{"consumer", "client.rack=r", kgo.Rack, "r"},
		{"consumer", "auto.offset.reset=latest", kgo.ConsumeResetOffset, kgo.NewOffset().AtEnd()},
		{"consumer", "auto.offset.reset=none", kgo.ConsumeResetOffset, kgo.NoResetOffset()},
		{"consumer", "group.instance.id=i", kgo.InstanceID, "i"},
		{"admin", "retries=3", kgo.RequestRetries, int64(3)},
		{"admin", "request.timeout.ms=7000", kgo.RequestTimeoutOverhead, 7 * time.Second},
	}
	for _, tt := range tests {
		cl, ignored, err := client(tt.kind, settings(tt.settings))
		if err != nil || len(ignored) > 0 {
			t.Errorf("%s %s: %v, ignored %v", tt.kind, tt.settings, err, ignored)
			continue
		}
		got := cl.OptValue(tt.option)
		if p, ok := got.(*string); ok && p != nil {
			got = *p
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(kgo.Acks{}, kgo.Offset{}, kgo.CompressionCodec{})); diff != "" {
			t.Errorf("%s %s: %s", tt.kind, tt.settings, diff)
		}
		cl.Close()
	}
}

func settings(list string) map[string]string {
	props := make(map[string]string)
	key := ""
	for item := range strings.SplitSeq(list, ",") {
		if k, v, ok := strings.Cut(item, "="); ok {
			key, props[k] = k, v
		} else if key != "" {
			props[key] += "," + item
		}
	}
	return props
}

func TestSettings_that_are_wrong_or_ignored(t *testing.T) {
	const pkg = "org.apache.kafka.clients.consumer."
	tests := []struct{ kind, settings, want string }{
		{"producer", "linger.ms=x", "Invalid value x for configuration linger.ms: Not a number of type LONG"},
		{"producer", "acks=2", "Invalid value 2 for configuration acks"},
		{"producer", "acks=1,enable.idempotence=true", "Must set acks to all in order to use the idempotent producer"},
		{"producer", "max.in.flight.requests.per.connection=6", "at most 5"},
		{"producer", "enable.idempotence=perhaps", "Expected value to be either true or false"},
		{"producer", "compression.type=rar", "String must be one of: gzip, lz4, none, snappy, zstd"},
		{"producer", "partitioner.class=com.example.Mine", "class com.example.Mine is not available here"},
		{"producer", "security.protocol=SSH", "String must be one of: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"},
		{"producer", "security.protocol=SASL_SSL", "Invalid value GSSAPI for configuration sasl.mechanism"},
		{"producer", "security.protocol=SSL,ssl.truststore.location=/nowhere/at/all", "configuration ssl.truststore.location: stat /nowhere/at/all"},
		{"consumer", "auto.offset.reset=soon", "Invalid value soon for configuration auto.offset.reset"},
		{"consumer", "auto.offset.reset=by_duration:1h", "Invalid value by_duration:1h for configuration auto.offset.reset"},
		{"consumer", "isolation.level=full", "read_committed, read_uncommitted"},
		{"consumer", "partition.assignment.strategy=com.example.Mine", "class com.example.Mine is not available here"},
		{"consumer", "heartbeat.interval.ms=50000", "Heartbeat must be set lower than the session timeout"},
		{"consumer", "group.protocol=consumer", "only classic is supported"},
		// What is fine, and what is not listened to.
		{"consumer", "partition.assignment.strategy=" + pkg + "StickyAssignor," + pkg + "RoundRobinAssignor", ""},
		{"consumer", "auto.offset.reset=by_duration:P1DT2H3M4.5S", ""},
		{"consumer", "interceptor.classes=a.B,max.poll.records=9,enable.auto.commit=true", "ignored enable.auto.commit interceptor.classes"},
		{"producer", "partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner,key.serializer=x", ""},
		{"producer", "buffer.memory=1,transactional.id=t,what=ever,interceptor.classes=", "ignored buffer.memory transactional.id what"},
		{"admin", "linger.ms=1,security.protocol=PLAINTEXT,ssl.truststore.location=/unused", "ignored linger.ms"},
	}
	for _, tt := range tests {
		cl, ignored, err := client(tt.kind, settings(tt.settings))
		got := ""
		if len(ignored) > 0 {
			got = "ignored " + strings.Join(ignored, " ")
		}
		if err != nil {
			got = err.Error()
		} else {
			cl.Close()
		}
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s %s: got %q, want %q", tt.kind, tt.settings, got, tt.want)
		}
	}
}

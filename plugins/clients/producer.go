package clients

import (
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Producer makes a producer: all acks, no compression, no end to retries, Kafka's partitioning with explicit partitions
// honoured, missing topics created by the broker if it does that. Its buffer has no limit, since each task has its own.
// props are producer settings without prefix.
func (c Config) Producer(clientID string, props map[string]string) (*kgo.Client, error) {
	s, opts := c.begin(clientID, props)
	opts = append(opts,
		kgo.UnknownTopicRetries(-1),
		kgo.AllowAutoTopicCreation(),
		kgo.MaxBufferedRecords(math.MaxInt32),
		kgo.ProducerLinger(0),
	)
	opts = append(opts, delivery(s)...)
	opts = append(opts, batches(s)...)
	opts = append(opts, kgo.RecordPartitioner(partitioning(s)))
	s.accept("key.serializer", "value.serializer", "partitioner.adaptive.partitioning.enable", "partitioner.availability.timeout.ms",
		"max.block.ms", "metadata.max.idle.ms")
	if err := c.end("producer", s, props); err != nil {
		return nil, err
	}
	return kgo.NewClient(opts...)
}

// delivery is how safely and how long records are tried.
func delivery(s *settings) []kgo.Opt {
	opts := []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}
	acks, _ := s.text("acks")
	idempotent := s.yes("enable.idempotence", acks == "" || acks == "all" || acks == "-1")
	switch acks {
	case "", "all", "-1":
	case "1", "0":
		if idempotent {
			s.wrong("acks", "Must set acks to all in order to use the idempotent producer.")
		}
		opts[0] = kgo.RequiredAcks(kgo.LeaderAck())
		if acks == "0" {
			opts[0] = kgo.RequiredAcks(kgo.NoAck())
		}
	default:
		s.wrong("acks", "String must be one of: all, -1, 0, 1")
	}
	// An idempotent producer has up to five requests under way, in order.
	inFlight, set := s.number("max.in.flight.requests.per.connection", 1, 1000)
	if idempotent && set && inFlight > 5 {
		s.wrong("max.in.flight.requests.per.connection", "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.")
	}
	if !idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(int(max(inFlight, 1))))
	}
	if d, ok := s.millis("delivery.timeout.ms", time.Second, math.MaxInt32*time.Millisecond); ok {
		opts = append(opts, kgo.RecordDeliveryTimeout(d))
	}
	if n, ok := s.number("retries", 1, math.MaxInt32); ok && n < math.MaxInt32 {
		opts = append(opts, kgo.RecordRetries(int(n)))
	}
	if d, ok := s.millis("request.timeout.ms", 100*time.Millisecond, math.MaxInt32*time.Millisecond); ok {
		opts = append(opts, kgo.ProduceRequestTimeout(d))
	}
	return opts
}

// batches is how records travel together.
func batches(s *settings) []kgo.Opt {
	var opts []kgo.Opt
	// Java's batch.size is what it aims at, and max.request.size what it refuses; ours has the one bound, and fills batches
	// with what has come together, up to it.
	const javasMost = 1 << 20
	aim, _ := s.number("batch.size", 0, 1<<30)
	most, ok := s.number("max.request.size", 512, 1<<30)
	if !ok {
		most = max(aim, javasMost)
	}
	opts = append(opts, kgo.ProducerBatchMaxBytes(int32(most)), kgo.BrokerMaxWriteBytes(int32(max(most, 100<<20))))
	if d, ok := s.millis("linger.ms", 0, time.Minute); ok {
		opts = append(opts, kgo.ProducerLinger(d))
	}
	codec, ok := oneOf(s, "compression.type", map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	})
	if !ok {
		codec = kgo.NoCompression()
	}
	kind, _ := s.text("compression.type")
	for _, name := range []string{"gzip", "lz4", "zstd"} {
		level, set := s.number("compression."+name+".level", math.MinInt32, math.MaxInt32)
		if set && strings.EqualFold(kind, name) {
			codec = codec.WithLevel(int(level))
		}
	}
	return append(opts, kgo.ProducerBatchCompression(codec))
}

const producerPackage = "org.apache.kafka.clients.producer."

func partitioning(s *settings) kgo.Partitioner {
	ignoreKeys := s.yes("partitioner.ignore.keys", false)
	rest := kgo.StickyKeyPartitioner(nil)
	if ignoreKeys {
		rest = kgo.StickyPartitioner()
	}
	switch class, _ := s.text("partitioner.class"); class {
	case "", producerPackage + "internals.DefaultPartitioner":
	case producerPackage + "RoundRobinPartitioner":
		rest = kgo.RoundRobinPartitioner()
	case producerPackage + "UniformStickyPartitioner":
		rest = kgo.StickyPartitioner()
	default:
		s.wrong("partitioner.class", unsupportedClass(class,
			[]string{producerPackage + "RoundRobinPartitioner", producerPackage + "UniformStickyPartitioner"}))
	}
	return partitioner{rest}
}

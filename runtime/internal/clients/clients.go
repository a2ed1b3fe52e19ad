package clients

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says how the log is reached.
type Config struct {
	Bootstrap []string
	Dialer    func(ctx context.Context, network, address string) (net.Conn, error)
	Options   []kgo.Opt
	Log       *slog.Logger
}

// Base are the options of every client.
func (c Config) Base(clientID string) []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(c.Bootstrap...), kgo.ClientID(clientID)}
	if c.Dialer != nil {
		opts = append(opts, kgo.Dialer(c.Dialer))
	}
	return append(opts, c.Options...)
}

// Producer makes a producer: all acks, no compression, no end to retries, Kafka's partitioning with explicit partitions
// honoured, missing topics created by the broker if it does that. Its buffer has no limit, since each task has its own.
// props are producer settings without prefix.
func (c Config) Producer(clientID string, props map[string]string) (*kgo.Client, error) {
	opts := append(c.Base(clientID),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(newPartitioner()),
		kgo.UnknownTopicRetries(-1),
		kgo.AllowAutoTopicCreation(),
		kgo.MaxBufferedRecords(math.MaxInt32),
		kgo.MetadataMinAge(100*time.Millisecond),
	)
	more, err := c.options(producerKeys, props)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(opts, more...)...)
}

// Consumer returns the options of a sink task's consumer, to which the task adds its group and topics.
func (c Config) Consumer(clientID string, props map[string]string) ([]kgo.Opt, error) {
	opts := append(c.Base(clientID),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.Balancers(kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.MetadataMinAge(100*time.Millisecond),
	)
	more, err := c.options(consumerKeys, props)
	return append(opts, more...), err
}

// A mapping turns the text of a setting into an option; nil when the setting needs none.
type mapping map[string]func(name, text string) (kgo.Opt, error)

var producerKeys = mapping{
	"acks":             acks,
	"batch.size":       whole(func(n int64) kgo.Opt { return kgo.ProducerBatchMaxBytes(int32(max(n, 1<<20))) }),
	"linger.ms":        whole(func(n int64) kgo.Opt { return kgo.ProducerLinger(time.Duration(n) * time.Millisecond) }),
	"compression.type": compression,
	"max.request.size": whole(func(n int64) kgo.Opt { return kgo.ProducerBatchMaxBytes(int32(min(n, math.MaxInt32))) }),
	"request.timeout.ms": whole(func(n int64) kgo.Opt {
		return kgo.ProduceRequestTimeout(time.Duration(n) * time.Millisecond)
	}),
}

var consumerKeys = mapping{
	"auto.offset.reset": reset,
	"group.id":          nothing, // the task reads it
	"max.poll.records":  nothing,
	"fetch.max.wait.ms": whole(func(n int64) kgo.Opt { return kgo.FetchMaxWait(time.Duration(n) * time.Millisecond) }),
	"fetch.min.bytes":   whole(func(n int64) kgo.Opt { return kgo.FetchMinBytes(int32(min(n, math.MaxInt32))) }),
	"fetch.max.bytes":   whole(func(n int64) kgo.Opt { return kgo.FetchMaxBytes(int32(min(n, math.MaxInt32))) }),
	"max.partition.fetch.bytes": whole(func(n int64) kgo.Opt {
		return kgo.FetchMaxPartitionBytes(int32(min(n, math.MaxInt32)))
	}),
	"session.timeout.ms":    whole(func(n int64) kgo.Opt { return kgo.SessionTimeout(time.Duration(n) * time.Millisecond) }),
	"heartbeat.interval.ms": whole(func(n int64) kgo.Opt { return kgo.HeartbeatInterval(time.Duration(n) * time.Millisecond) }),
	"isolation.level":       isolation,
	"client.rack":           func(_, text string) (kgo.Opt, error) { return kgo.Rack(text), nil },
}

func (c Config) options(known mapping, props map[string]string) ([]kgo.Opt, error) {
	var opts []kgo.Opt
	for _, name := range slices.Sorted(maps.Keys(props)) {
		make, ok := known[name]
		if !ok {
			c.Log.Warn("client setting has no meaning here and is ignored", "key", name)
			continue
		}
		opt, err := make(name, strings.TrimSpace(props[name]))
		if err != nil {
			return nil, err
		}
		if opt != nil {
			opts = append(opts, opt)
		}
	}
	return opts, nil
}

func whole(opt func(int64) kgo.Opt) func(name, text string) (kgo.Opt, error) {
	return func(name, text string) (kgo.Opt, error) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("Invalid value %s for configuration %s: Not a number of type LONG", text, name)
		}
		return opt(n), nil
	}
}

func nothing(string, string) (kgo.Opt, error) { return nil, nil }

func acks(name, text string) (kgo.Opt, error) {
	switch text {
	case "all", "-1":
		return nil, nil
	}
	return nil, fmt.Errorf("Invalid value %s for configuration %s: only all is supported, since a record counts as delivered once it is safe", text, name)
}

func compression(name, text string) (kgo.Opt, error) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[strings.ToLower(text)]
	if !ok {
		return nil, fmt.Errorf("Invalid value %s for configuration %s: String must be one of: none, gzip, snappy, lz4, zstd", text, name)
	}
	return kgo.ProducerBatchCompression(codec), nil
}

func reset(name, text string) (kgo.Opt, error) {
	switch strings.ToLower(text) {
	case "earliest":
		return kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), nil
	case "latest":
		return kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), nil
	case "none":
		return kgo.ConsumeResetOffset(kgo.NoResetOffset()), nil
	}
	return nil, fmt.Errorf("Invalid value %s for configuration %s: String must be one of: latest, earliest, none", text, name)
}

func isolation(name, text string) (kgo.Opt, error) {
	switch text {
	case "read_committed":
		return kgo.FetchIsolationLevel(kgo.ReadCommitted()), nil
	case "read_uncommitted":
		return kgo.FetchIsolationLevel(kgo.ReadUncommitted()), nil
	}
	return nil, fmt.Errorf("Invalid value %s for configuration %s: String must be one of: read_committed, read_uncommitted", text, name)
}

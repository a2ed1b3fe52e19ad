package broker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker"
	"millrace/broker/brokertest"
)

// consume reads n records from the beginning of a topic.
func consume(t *testing.T, client *kgo.Client, n int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func TestCodecs(t *testing.T) {
	c := brokertest.Start(t)
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			c.CreateTopic(name, 3)
			client := c.Client(kgo.DefaultProduceTopic(name), kgo.ProducerBatchCompression(codec), kgo.ConsumeTopics(name),
				kgo.ProducerLinger(5*time.Millisecond))
			const n = 3000
			var records []*kgo.Record
			for i := range n {
				records = append(records, &kgo.Record{
					Key: fmt.Appendf(nil, "key-%d", i), Value: fmt.Appendf(nil, "value-%d-%s", i, strings.Repeat("z", 50)),
					Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{byte(i)}}, {Key: "null"}},
				})
			}
			if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			seen := make(map[string]bool)
			next := make(map[int32]int64)
			for _, r := range consume(t, client, n) {
				seen[string(r.Key)] = true
				if r.Offset != next[r.Partition] {
					t.Fatalf("partition %d: offset %d, want %d", r.Partition, r.Offset, next[r.Partition])
				}
				next[r.Partition]++
				if i := strings.TrimPrefix(string(r.Key), "key-"); !strings.HasPrefix(string(r.Value), "value-"+i+"-") || len(r.Headers) != 2 {
					t.Fatalf("record %s has value %s and %d headers", r.Key, r.Value, len(r.Headers))
				}
			}
			if len(seen) != n {
				t.Errorf("%d different records", len(seen))
			}
		})
	}
}

func TestIdempotentProducerAcrossRestarts(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 1)
	// A connection that a stopping broker closes before its first answer is no sign of missing SASL here.
	client := c.Client(kgo.DefaultProduceTopic("t"), kgo.ConsumeTopics("t"), kgo.AlwaysRetryEOF())
	const rounds, each = 4, 500
	produced := make(chan error, rounds*each)
	for round := range rounds {
		for i := range each {
			client.Produce(t.Context(), kgo.StringRecord(fmt.Sprint(round*each+i)), func(_ *kgo.Record, err error) { produced <- err })
		}
		if round < rounds-1 {
			c.Restart() // with requests under way
		}
	}
	for range rounds * each {
		if err := <-produced; err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range consume(t, client, rounds*each) {
		if string(r.Value) != fmt.Sprint(i) || r.Offset != int64(i) {
			t.Fatalf("record %d is %s at offset %d: lost, repeated or out of order", i, r.Value, r.Offset)
		}
	}
}

func TestGroup(t *testing.T) {
	c := brokertest.Start(t, func(cfg *broker.Config) {
		cfg.Groups.InitialRebalanceDelay = 0
		cfg.Groups.TopicPartitions = 4
	})
	c.CreateTopic("t", 4)
	producer := c.Client(kgo.DefaultProduceTopic("t"))
	for i := range 100 {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	group := func() *kgo.Client {
		return c.Client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit())
	}
	first := group()
	consume(t, first, 100)
	if err := first.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.Close()
	c.Restart()

	if err := producer.ProduceSync(t.Context(), kgo.StringRecord("last")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if got := consume(t, group(), 1); string(got[0].Value) != "last" {
		t.Errorf("after a restart the group got %s", got[0].Value)
	}
}

func TestAdmin(t *testing.T) {
	c := brokertest.Start(t)
	adm := kadm.NewClient(c.Client())
	ctx := t.Context()
	value := "1000"
	created, err := adm.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": &value}, "orders")
	if err != nil || created.NumPartitions != 3 {
		t.Fatal(created, err)
	}

	t.Run("describe", func(t *testing.T) {
		topics, err := adm.ListTopics(ctx)
		if err != nil || len(topics["orders"].Partitions) != 3 || topics["orders"].ID != created.ID {
			t.Fatal(topics, err)
		}
		m, err := adm.BrokerMetadata(ctx)
		if err != nil || m.Cluster != c.Broker().ClusterID() || len(m.Cluster) != 22 || len(m.Brokers) != 1 {
			t.Fatal(m, err)
		}
	})

	t.Run("configs", func(t *testing.T) {
		get := func(key string) kadm.Config {
			t.Helper()
			configs, err := adm.DescribeTopicConfigs(ctx, "orders")
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range configs[0].Configs {
				if c.Key == key {
					return c
				}
			}
			t.Fatalf("no config %s", key)
			return kadm.Config{}
		}
		if got := get("retention.ms"); *got.Value != "1000" || got.Source.String() != "DYNAMIC_TOPIC_CONFIG" {
			t.Errorf("got %+v", got)
		}
		if got := get("cleanup.policy"); *got.Value != "delete" || got.Source.String() != "DEFAULT_CONFIG" {
			t.Errorf("got %+v", got)
		}
		policy := "compact"
		if _, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}, "orders"); err != nil {
			t.Fatal(err)
		}
		if got := get("cleanup.policy"); *got.Value != "compact" {
			t.Errorf("got %+v", got)
		}
		if got := get("retention.ms"); *got.Value != "1000" {
			t.Errorf("an incremental change lost a value: %+v", got)
		}
		if _, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.DeleteConfig, Name: "cleanup.policy"}}, "orders"); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("broker configs", func(t *testing.T) {
		configs, err := adm.DescribeBrokerConfigs(ctx, 1)
		if err != nil || len(configs) != 1 || configs[0].Err != nil {
			t.Fatal(configs, err)
		}
		found := false
		for _, c := range configs[0].Configs {
			if c.Key == "num.partitions" {
				found = *c.Value == "1"
			}
		}
		if !found {
			t.Error("num.partitions is not 1")
		}
	})

	t.Run("partitions", func(t *testing.T) {
		if resp, err := adm.CreatePartitions(ctx, 2, "orders"); err != nil || resp["orders"].Err != nil {
			t.Fatal(resp, err)
		}
		client := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Partition: 4, Value: []byte("x")}).FirstErr(); err != nil {
			t.Error(err)
		}
		if resp, err := adm.UpdatePartitions(ctx, 2, "orders"); err == nil && resp["orders"].Err == nil {
			t.Error("partitions were taken away")
		}
	})

	t.Run("offsets and deleted records", func(t *testing.T) {
		client := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for i := range 10 {
			r := &kgo.Record{Topic: "orders", Partition: 0, Value: []byte("x"), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)*1000)}
			if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		var del kadm.Offsets
		del.AddOffset("orders", 0, 4, -1)
		if _, err := adm.DeleteRecords(ctx, del); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			list func() (kadm.ListedOffsets, error)
			want int64
		}{
			"start":       {func() (kadm.ListedOffsets, error) { return adm.ListStartOffsets(ctx, "orders") }, 4},
			"end":         {func() (kadm.ListedOffsets, error) { return adm.ListEndOffsets(ctx, "orders") }, 10},
			"committed":   {func() (kadm.ListedOffsets, error) { return adm.ListCommittedOffsets(ctx, "orders") }, 10},
			"timestamp":   {func() (kadm.ListedOffsets, error) { return adm.ListOffsetsAfterMilli(ctx, 1_700_000_006_500, "orders") }, 7},
			"max":         {func() (kadm.ListedOffsets, error) { return adm.ListMaxTimestampOffsets(ctx, "orders") }, 9},
			"local start": {func() (kadm.ListedOffsets, error) { return adm.ListLocalLogStartOffsets(ctx, "orders") }, 4},
		} {
			got, err := c.list()
			if err != nil {
				t.Fatal(name, err)
			}
			if o, ok := got.Lookup("orders", 0); !ok || o.Offset != c.want || o.Err != nil {
				t.Errorf("%s: got %+v, want %d", name, o, c.want)
			}
		}
	})

	t.Run("log dirs", func(t *testing.T) {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version = 4
		resp := c.Dial().Request(req).(*kmsg.DescribeLogDirsResponse)
		size := int64(0)
		for _, topic := range resp.Dirs[0].Topics {
			if topic.Topic == "orders" {
				size = topic.Partitions[0].Size
			}
		}
		if resp.Dirs[0].Dir != c.Dir() || resp.Dirs[0].TotalBytes <= 0 {
			t.Errorf("got %+v", resp.Dirs[0])
		}
		if size == 0 {
			t.Error("no size")
		}
	})

	t.Run("delete and make again", func(t *testing.T) {
		if _, err := adm.DeleteTopic(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
		again, err := adm.CreateTopic(ctx, 1, 1, nil, "orders")
		if err != nil || again.ID == created.ID {
			t.Fatal(again, err)
		}
		if end, err := adm.ListEndOffsets(ctx, "orders"); err != nil || end["orders"][0].Offset != 0 {
			t.Fatal(end, err)
		}
	})
}

func TestAutoCreation(t *testing.T) {
	c := brokertest.Start(t, func(cfg *broker.Config) { cfg.NumPartitions = 2 })
	client := c.Client(kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("made"))
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	if err != nil || len(topics["made"].Partitions) != 2 {
		t.Fatal(topics, err)
	}
}

func TestLongPollEndsWithTheFirstRecord(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 1)
	producer := c.Client(kgo.DefaultProduceTopic("t"))
	conn := c.Dial()
	for offset := range int64(5) {
		req := fetchOf("t", offset, 1<<20)
		req.MaxWaitMillis = 60_000
		conn.Send(req)
		if err := producer.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		resp := conn.Receive(req, int32(offset)+1).(*kmsg.FetchResponse)
		if len(resp.Topics[0].Partitions[0].RecordBatches) == 0 {
			t.Fatal("no records")
		}
	}
}

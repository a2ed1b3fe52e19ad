package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/brokertest"
)

// cpuTime starts counting the processor time of the whole process, client and broker; the returned function reports it per
// operation. It says more than the elapsed time on a machine that does other things too.
func cpuTime(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N), "cpu-ns/op") }
}

// pageCache is the topic config that acknowledges from the page cache, as Apache Kafka does by default.
var pageCache = []string{"flush.messages", "9223372036854775807", "flush.ms", "9223372036854775807"}

// flushModes are the two meanings of acks=all that are measured apart.
var flushModes = []struct {
	name    string
	configs []string
}{{"synced", nil}, {"cached", pageCache}}

// ways are how a client of the same process reaches the broker.
func ways(c *brokertest.Cluster) map[string]func() *brokertest.Conn {
	return map[string]func() *brokertest.Conn{"tcp": c.Dial, "memory": c.DialMemory}
}

// madeBatch is a record batch of n records of size bytes each, as a client sends it.
func madeBatch(b testing.TB, n, size int) []byte {
	b.Helper()
	c := brokertest.Start(b)
	c.CreateTopic("made", 1)
	client := c.Client(kgo.DefaultProduceTopic("made"), kgo.ProducerBatchMaxBytes(1<<20), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(50e6))
	value := bytes.Repeat([]byte("x"), size)
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Value: value}
	}
	if err := client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	resp := c.DialMemory().Request(fetchOf("made", 0, 2<<20)).(*kmsg.FetchResponse)
	return resp.Topics[0].Partitions[0].RecordBatches
}

func produceOf(topic string, batch []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks = 9, -1
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func fetchOf(topic string, offset int64, maxBytes int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes = 12, maxBytes, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, maxBytes
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// BenchmarkProduceBatches sends ready-made batches, five under way at a time.
func BenchmarkProduceBatches(b *testing.B) {
	for _, size := range []struct{ records, bytes int }{{1, 1024}, {16, 1000}, {64, 1000}, {600, 100}, {9000, 100}} {
		batch := madeBatch(b, size.records, size.bytes)
		for _, mode := range flushModes {
			c := brokertest.Start(b)
			c.CreateTopic("t", 1, mode.configs...)
			for way, dial := range ways(c) {
				b.Run(fmt.Sprintf("%s/%s/%dx%d", mode.name, way, size.records, size.bytes), func(b *testing.B) {
					const window = 5
					conn := dial()
					req := produceOf("t", batch)
					frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
					b.SetBytes(int64(len(batch)))
					b.ReportAllocs()
					slots := make(chan struct{}, window)
					done := make(chan struct{})
					report := cpuTime(b)
					go func() {
						defer close(done)
						for range slots {
							conn.ReceiveFrame()
						}
					}()
					for b.Loop() {
						slots <- struct{}{}
						conn.SendBytes(frame)
					}
					close(slots)
					<-done
					report()
					b.ReportMetric(float64(size.records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
				})
			}
		}
	}
}

// BenchmarkFetch reads a topic over and over.
func BenchmarkFetch(b *testing.B) {
	batch := madeBatch(b, 64, 1000)
	c := brokertest.Start(b)
	c.CreateTopic("t", 1, pageCache...)
	fill := c.DialMemory()
	const batches = 1000
	for range batches {
		fill.Request(produceOf("t", batch))
	}
	for _, maxBytes := range []int32{16 << 10, 1 << 20, 8 << 20} {
		for way, dial := range ways(c) {
			b.Run(fmt.Sprintf("%s/%dKiB", way, maxBytes>>10), func(b *testing.B) {
				conn := dial()
				formatter := kmsg.NewRequestFormatter()
				perFetch := max(1, int(maxBytes)/len(batch))
				b.SetBytes(int64(perFetch * len(batch)))
				b.ReportAllocs()
				var buf []byte
				report := cpuTime(b)
				for i := 0; b.Loop(); i++ {
					offset := int64(i*perFetch%(batches-perFetch)) * 64
					buf = formatter.AppendRequest(buf[:0], fetchOf("t", offset, int32(perFetch*len(batch))), 1)
					conn.SendBytes(buf)
					if got := len(conn.ReceiveFrame()); got < perFetch*len(batch)/2 {
						b.Fatalf("got %d bytes", got)
					}
				}
				report()
			})
		}
	}
}

// BenchmarkClientProduce is one kgo client, records to acknowledgements.
func BenchmarkClientProduce(b *testing.B) {
	for _, mode := range flushModes {
		for _, size := range []int{100, 1024} {
			b.Run(fmt.Sprintf("%s/%dB", mode.name, size), func(b *testing.B) {
				c := brokertest.Start(b)
				c.CreateTopic("t", 1, mode.configs...)
				client := c.Client(kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()),
					kgo.MaxBufferedRecords(100_000), kgo.ProducerBatchMaxBytes(1<<20))
				value := []byte(strings.Repeat("x", size))
				var failed atomic.Pointer[error]
				b.SetBytes(int64(size))
				b.ReportAllocs()
				report := cpuTime(b)
				for b.Loop() {
					client.Produce(context.Background(), &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
						if err != nil {
							failed.Store(&err)
						}
					})
				}
				if err := client.Flush(context.Background()); err != nil {
					b.Fatal(err)
				}
				if err := failed.Load(); err != nil {
					b.Fatal(*err)
				}
				report()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// BenchmarkClientConsume is one kgo client reading what was produced before.
func BenchmarkClientConsume(b *testing.B) {
	c := brokertest.Start(b)
	c.CreateTopic("t", 1, pageCache...)
	producer := c.Client(kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(100_000))
	const records = 1_000_000
	value := []byte(strings.Repeat("x", 100))
	for range records {
		producer.Produce(context.Background(), &kgo.Record{Value: value}, nil)
	}
	if err := producer.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(records * 100)
	report := cpuTime(b)
	for b.Loop() {
		client := c.Client(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		for got := 0; got < records; {
			fetches := client.PollFetches(context.Background())
			if err := fetches.Err(); err != nil {
				b.Fatal(err)
			}
			got += fetches.NumRecords()
		}
		client.Close()
	}
	report()
	b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

package replica_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker/metadata"
)

// BenchmarkProduce produces records of 1,000 bytes with acks=all, as many at a time as the client sends, to a partition with one
// replica and to one with three, in one process on one disk.
func BenchmarkProduce(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		b.Run(fmt.Sprintf("replicas=%d", replicas), func(b *testing.B) {
			c := startCluster(b, 3, nil)
			c.create("t", []metadata.BrokerID{1, 2, 3}[:replicas])
			client := c.client(kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
			value := make([]byte, 1000)
			var failed atomic.Int64
			b.SetBytes(int64(len(value)))
			b.ResetTimer()
			for range b.N {
				client.Produce(b.Context(), &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
					if err != nil {
						failed.Add(1)
					}
				})
			}
			if err := client.Flush(b.Context()); err != nil || failed.Load() > 0 {
				b.Fatal(err, failed.Load())
			}
		})
	}
}

// BenchmarkAck is the time until one record is acknowledged.
func BenchmarkAck(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		b.Run(fmt.Sprintf("replicas=%d", replicas), func(b *testing.B) {
			c := startCluster(b, 3, nil)
			c.create("t", []metadata.BrokerID{1, 2, 3}[:replicas])
			client := c.client(kgo.DefaultProduceTopic("t"), kgo.ProducerLinger(0))
			for b.Loop() {
				if err := client.ProduceSync(b.Context(), &kgo.Record{Value: []byte("x")}).FirstErr(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

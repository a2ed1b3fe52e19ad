package activemq_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"

	"millrace/connectors"
	"millrace/connectors/activemq/activemqtest"
	"millrace/connectors/connectortest"
)

// BenchmarkSource reads a queue of persistent messages: with the source, and with a bare go-stomp consumer that acknowledges as
// seldom as it does.
func BenchmarkSource(b *testing.B) {
	const messages, prefetch, interval = 50000, 1000, 100
	broker := activemqtest.Shared(b, activemqtest.FullJIT())
	body := strings.Repeat("x", 1024)
	fill := func(queue string) {
		c := dial(b, broker.Stomp)
		batch := make([]string, 1000)
		for i := range batch {
			batch[i] = body
		}
		for range messages / len(batch) {
			c.send(queue, batch)
		}
	}
	rounds := 0
	for name, read := range map[string]func(b *testing.B, queue string){
		"bare":   func(b *testing.B, queue string) { readBare(b, broker.Stomp, queue, messages, prefetch, interval) },
		"source": func(b *testing.B, queue string) { readSource(b, broker.Stomp, queue, messages, prefetch, interval) },
	} {
		b.Run(name, func(b *testing.B) {
			var spent time.Duration
			for b.Loop() {
				b.StopTimer()
				rounds++
				queue := fmt.Sprintf("/queue/bench.%d", rounds)
				fill(queue)
				b.StartTimer()
				begin := time.Now()
				read(b, queue)
				spent += time.Since(begin)
			}
			b.ReportMetric(float64(b.N)*messages/spent.Seconds(), "messages/s")
		})
	}
}

func readBare(b *testing.B, addr, queue string, messages, prefetch, interval int) {
	c := dial(b, addr)
	s, err := c.conn.Subscribe(queue, stomp.AckClient, stomp.SubscribeOpt.Header("activemq.prefetchSize", fmt.Sprint(prefetch)))
	if err != nil {
		b.Fatal(err)
	}
	for i := 1; i <= messages; i++ {
		m := <-s.C
		if m.Err != nil {
			b.Fatal(m.Err)
		}
		if i%interval == 0 {
			if err := c.conn.Ack(m); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func readSource(b *testing.B, addr, queue string, messages, prefetch, interval int) {
	config := map[string]string{
		"activemq.server_uris": "tcp://" + addr, "activemq.destination": queue, "topic": "t",
		"activemq.prefetch": fmt.Sprint(prefetch), "batch.size": fmt.Sprint(interval),
	}
	task := source.NewSource().NewTask()
	if err := task.Start(b.Context(), connectortest.NewSourceContext(b), config); err != nil {
		b.Fatal(err)
	}
	for n := 0; n < messages; {
		records, err := task.Poll(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		acked := make([]connectors.CommittedRecord, len(records))
		for i := range records {
			acked[i].Record = &records[i]
		}
		if err := task.(connectors.RecordCommitter).CommitRecords(b.Context(), acked); err != nil {
			b.Fatal(err)
		}
		n += len(records)
	}
	if err := task.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

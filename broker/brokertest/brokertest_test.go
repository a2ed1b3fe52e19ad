package brokertest_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker/brokertest"
)

func TestStart(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("orders", 1)
	client := c.Client(kgo.DefaultProduceTopic("orders"), kgo.ConsumeTopics("orders"))
	for i := range 10 {
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for got := 0; got < 10; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) != fmt.Sprint(got) || r.Offset != int64(got) {
				t.Errorf("record %d: got %q at offset %d", got, r.Value, r.Offset)
			}
			got++
		})
	}
	c.Restart()
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("again")).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

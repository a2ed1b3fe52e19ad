package kafkatest_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/runtime/kafkatest"
)

func TestStart(t *testing.T) {
	k := kafkatest.Start(t)
	client := k.Client(kgo.AllowAutoTopicCreation())
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatalf("%v; the broker says\n%s", err, k.Log())
	}
}

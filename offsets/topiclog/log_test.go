package topiclog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/offsets/topiclog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func cluster(t *testing.T) []kgo.Opt {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
}

func TestOpen_reads_to_the_end(t *testing.T) {
	opts := cluster(t)
	client, err := kgo.NewClient(append(opts, kgo.AllowAutoTopicCreation())...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	compact := "compact"
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(t.Context(), 3, 1, map[string]*string{"cleanup.policy": &compact}, "t"); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		r := &kgo.Record{Topic: "t", Key: fmt.Append(nil, i), Value: []byte("v")}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	l, err := topiclog.Open(t.Context(), topiclog.Config{Topic: "t", Client: opts, Apply: func(topiclog.Record) { n++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if n != 500 {
		t.Errorf("applied %d records, want 500", n)
	}
}

func TestOpen_refuses(t *testing.T) {
	opts := cluster(t)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	compact, remove := "compact", "delete"
	for topic, policy := range map[string]*string{"wide": &compact, "deleting": &remove} {
		configs := map[string]*string{"cleanup.policy": policy}
		if _, err := admin.CreateTopic(t.Context(), 2, 1, configs, topic); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]string{
		"wide":     "must have 1 partition, has 2",
		"deleting": "cleanup.policy must be compact, is delete",
	}
	for topic, want := range tests {
		_, err := topiclog.Open(t.Context(), topiclog.Config{
			Topic: topic, SinglePartition: true, Client: opts, Apply: func(topiclog.Record) {}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), topic) {
			t.Errorf("Open(%s) = %v, want %q", topic, err, want)
		}
	}
}

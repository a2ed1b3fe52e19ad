package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/proc"
	"millrace/runtime/kafkatest"
)

// example reads the body of a request under examples, with some settings replaced.
func example(t *testing.T, file string, config map[string]string) (name string, merged map[string]string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(examples, file))
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Name   string
		Config map[string]string
	}
	if err := json.Unmarshal(data, &body); err != nil {
		t.Fatal(err)
	}
	maps.Copy(body.Config, config)
	return body.Name, body.Config
}

// create posts a connector and waits for its tasks.
func create(t *testing.T, w *proc.Worker, name string, config map[string]string, tasks int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if err := w.Create(ctx, name, config); err != nil {
		t.Fatal(err)
	}
	if err := w.Running(ctx, name, tasks); err != nil {
		t.Fatal(err)
	}
}

func kafkaClient(t *testing.T, address string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(address), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// mirrorPartitions is how many partitions the topics to mirror have.
const mirrorPartitions = 3

// feed writes records first to last of a sequence to a topic, of every shape that a record can have.
func feed(t *testing.T, client *kgo.Client, topic string, first, last int) {
	t.Helper()
	var records []*kgo.Record
	for i := first; i < last; i++ {
		r := &kgo.Record{
			Topic: topic, Partition: int32(i % mirrorPartitions), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
			Key: []byte("key " + itoa(i)), Value: []byte{0, 0xff, '"', byte(i), byte(i >> 8)},
		}
		switch i % 5 {
		case 1:
			r.Key = nil
		case 2:
			r.Value = nil
		case 3:
			r.Key, r.Value = []byte{}, []byte{}
		}
		if i%2 == 0 {
			r.Headers = []kgo.RecordHeader{{Key: "n", Value: []byte(itoa(i))}, {Key: "", Value: []byte{0xfe, 0}}, {Key: "n", Value: nil}, {Key: "e", Value: []byte{}}}
		}
		records = append(records, r)
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// plain is what has to be the same in both clusters.
type plain struct {
	Partition  int32
	Time       int64
	Key, Value []byte
	Headers    []kgo.RecordHeader
}

// read reads a topic until it has seen the record with the last time of each partition, and returns each partition's records.
func read(t *testing.T, address, topic string, records int) map[int32][]plain {
	t.Helper()
	client := kafkaClient(t, address, kgo.ConsumeTopics(topic))
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	got, seen := make(map[int32][]plain), make(map[int64]bool)
	for len(seen) < records {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s has %d of %d records", topic, len(seen), records)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			seen[r.Timestamp.UnixMilli()] = true
			got[r.Partition] = append(got[r.Partition], plain{r.Partition, r.Timestamp.UnixMilli(), r.Key, r.Value, r.Headers})
		})
	}
	return got
}

// once drops records that came again after a crash: a run of records as they were before.
func once(partitions map[int32][]plain) map[int32][]plain {
	result := make(map[int32][]plain)
	for p, records := range partitions {
		latest := int64(-1)
		for _, r := range records {
			if r.Time > latest {
				result[p] = append(result[p], r)
				latest = r.Time
			}
		}
	}
	return result
}

// TestMirror moves a Kafka cluster into the log of a worker, kills the worker on the way, and takes a consumer group along.
func TestMirror(t *testing.T) {
	k := kafkatest.Start(t)
	k.CreateTopic("orders", mirrorPartitions, "retention.ms", "-1", "max.message.bytes", "2000000")
	k.CreateTopic("orders-idle", 1, "cleanup.policy", "compact")
	k.CreateTopic("others", 1)
	source := kafkaClient(t, k.Addr(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	feed(t, source, "orders", 0, 3000)

	w := start(t, "--set", "offset.flush.interval.ms=100")
	at := map[string]string{"source.cluster.bootstrap.servers": k.Addr(), "refresh.topics.interval.seconds": "1", "tasks.max": "2",
		"offset-syncs.topic.replication.factor": "1"}
	name, config := example(t, "mirror-source.json", at)
	create(t, w, name, config, 2)
	read(t, w.Kafka, "orders", 3000)
	eventually(t, "offsets of all partitions", func() bool {
		answer, err := w.Do(t.Context(), "GET", "/connectors/"+name+"/offsets", nil)
		return err == nil && strings.Count(string(answer), `{"offset":999}`) == mirrorPartitions
	})

	// A kill at any time, while records go on coming.
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	feed(t, source, "orders", 3000, 6000)
	again(t, w)
	read(t, w.Kafka, "orders", 4000)
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	again(t, w)
	feed(t, source, "orders", 6000, 9000)
	got := read(t, w.Kafka, "orders", 9000)
	if diff := cmp.Diff(read(t, k.Addr(), "orders", 9000), once(got)); diff != "" {
		t.Errorf("records (-source +target):\n%.4000s", diff)
	}

	for p, records := range got {
		if n := slices.IndexFunc(records[1000:], func(r plain) bool { return r.Time <= records[999].Time }); n >= 0 {
			t.Errorf("partition %d: record %v came again, though its offset was committed before the first kill", p, records[1000+n])
		}
	}

	t.Run("topics", func(t *testing.T) { mirroredTopics(t, k, w) })
	t.Run("groups", func(t *testing.T) { mirroredGroups(t, k, w) })
	t.Run("internal_topics", func(t *testing.T) { mirrorTopicsInJava(t, k, w) })
}

// mirroredTopics checks the settings of remote topics, and that they grow with their origins.
func mirroredTopics(t *testing.T, k *kafkatest.Kafka, w *proc.Worker) {
	from, to := kadm.NewClient(kafkaClient(t, k.Addr())), kadm.NewClient(kafkaClient(t, w.Kafka))
	settings := func(topic string) map[string]string {
		own := make(map[string]string)
		described, err := to.DescribeTopicConfigs(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range described[0].Configs {
			if c.Source.String() == "DYNAMIC_TOPIC_CONFIG" {
				own[c.Key] = c.MaybeValue()
			}
		}
		return own
	}
	if diff := cmp.Diff(map[string]string{"retention.ms": "-1", "max.message.bytes": "2000000"}, settings("orders")); diff != "" {
		t.Errorf("settings of orders (-source +target):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"cleanup.policy": "compact"}, settings("orders-idle")); diff != "" {
		t.Errorf("settings of orders-idle (-source +target):\n%s", diff)
	}
	if _, err := from.UpdatePartitions(t.Context(), 2, "orders-idle"); err != nil {
		t.Fatal(err)
	}
	k.CreateTopic("orders-late", 1)
	eventually(t, "a new partition and a new topic", func() bool {
		topics, err := to.ListTopics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if topics.Has("others") {
			t.Fatal("a topic was replicated that should not be")
		}
		return topics.Has("orders-late") && len(topics["orders-idle"].Partitions) == 2
	})
	feed(t, kafkaClient(t, k.Addr(), kgo.RecordPartitioner(kgo.ManualPartitioner())), "orders-late", 0, 1)
	read(t, w.Kafka, "orders-late", 1)
}

// mirroredGroups has a group stop in the source and go on in the target, where it must miss nothing.
func mirroredGroups(t *testing.T, k *kafkatest.Kafka, w *proc.Worker) {
	read := make(map[int64]bool)
	member := kafkaClient(t, k.Addr(), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for len(read) < 8000 {
		fetches := member.PollRecords(t.Context(), 1000)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { read[r.Timestamp.UnixMilli()] = true })
		if err := member.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	member.Close()

	name, config := example(t, "mirror-checkpoint.json", map[string]string{
		"source.cluster.bootstrap.servers": k.SecureAddr, "source.cluster.security.protocol": "SASL_SSL", "source.cluster.sasl.mechanism": "SCRAM-SHA-512",
		"source.cluster.sasl.jaas.config": `org.apache.kafka.common.security.scram.ScramLoginModule required username="` + kafkatest.ScramUser +
			`" password="` + kafkatest.ScramPassword + `";`,
		"source.cluster.ssl.truststore.location": k.Identity.TrustJKS, "source.cluster.ssl.truststore.password": kafkatest.Password,
		"refresh.groups.interval.seconds": "1", "emit.checkpoints.interval.seconds": "1", "sync.group.offsets.interval.seconds": "1"})
	create(t, w, name, config, 1)
	for _, path := range []string{"", "/tasks", "/config"} {
		answer, err := w.Do(t.Context(), "GET", "/connectors/"+name+path, nil)
		if err != nil || strings.Contains(string(answer), kafkatest.ScramPassword) {
			t.Errorf("GET %s shows the password: %s, %v", path, answer, err)
		}
	}
	admin := kadm.NewClient(kafkaClient(t, w.Kafka))
	committed, again := int64(0), 0
	eventually(t, "the group's offsets in the target", func() bool {
		offsets, err := admin.FetchOffsets(t.Context(), "billing")
		if err != nil {
			return false
		}
		committed = 0
		partitions := 0
		offsets.Each(func(o kadm.OffsetResponse) { committed += o.At; partitions++ })
		return partitions == mirrorPartitions && committed > 0
	})
	next := kafkaClient(t, w.Kafka, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for len(read) < 9000 {
		fetches := next.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("the group has %d records of 9000: %v", len(read), err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if read[r.Timestamp.UnixMilli()] {
				again++
			}
			read[r.Timestamp.UnixMilli()] = true
		})
	}
	t.Logf("the group went on from %d in all, and read %d records again", committed, again)
}

// mirrorTopicsInJava has Kafka's own formatters print the internal topics.
func mirrorTopicsInJava(t *testing.T, k *kafkatest.Kafka, w *proc.Worker) {
	name, config := example(t, "mirror-heartbeat.json", map[string]string{"emit.heartbeats.interval.seconds": "1"})
	create(t, w, name, config, 1)
	read(t, w.Kafka, "heartbeats", 1)
	for _, c := range []struct{ at, topic, formatter, line string }{
		{k.Addr(), "mm2-offset-syncs.millrace.internal", "OffsetSync", `^OffsetSync\{topicPartition=orders(-late)?-\d, upstreamOffset=\d+, downstreamOffset=\d+\}$`},
		{w.Kafka, "kafka.checkpoints.internal", "Checkpoint",
			`^Checkpoint\{consumerGroupId=billing, topicPartition=orders-\d, upstreamOffset=\d+, downstreamOffset=\d+, metadata=.*\}$`},
		{w.Kafka, "heartbeats", "Heartbeat", `^Heartbeat\{sourceClusterAlias=kafka, targetClusterAlias=millrace, timestamp=\d+\}$`},
	} {
		out := kafkaTool(t, "consumer.ConsoleConsumer").run(t, "", "--bootstrap-server", c.at, "--topic", c.topic, "--from-beginning",
			"--max-messages", "1", "--timeout-ms", "60000", "--formatter", "org.apache.kafka.connect.mirror.formatters."+c.formatter+"Formatter")
		if !regexp.MustCompile(c.line).MatchString(strings.TrimSpace(out)) {
			t.Errorf("Kafka prints %s as %q", c.topic, out)
		}
	}
}

// TestMirrorBetweenLogs chains two logs of ours: the second has the topics of the first behind its alias, and the first does not get them
// back.
func TestMirrorBetweenLogs(t *testing.T) {
	a, b := start(t), start(t)
	client := kafkaClient(t, a.Kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), mirrorPartitions, 1, nil, "events"); err != nil {
		t.Fatal(err)
	}
	feed(t, client, "events", 0, 2000)
	config := func(source, target string, at *proc.Worker) map[string]string {
		return map[string]string{
			"connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector", "tasks.max": "2",
			"source.cluster.alias": source, "target.cluster.alias": target, "source.cluster.bootstrap.servers": at.Kafka,
			"refresh.topics.interval.seconds": "1", "topics": `^(?!connect-|__).*`,
		}
	}
	create(t, b, "from-a", config("a", "b", a), 2)
	create(t, a, "from-b", config("b", "a", b), 0)
	if diff := cmp.Diff(read(t, a.Kafka, "events", 2000), read(t, b.Kafka, "a.events", 2000)); diff != "" {
		t.Errorf("records (-a +b):\n%.4000s", diff)
	}
	// What only b has comes to a, and by then b's copies would have come too.
	feed(t, kafkaClient(t, b.Kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowAutoTopicCreation()), "answers", 0, 1)
	read(t, a.Kafka, "b.answers", 1)
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics.Names() {
		if strings.HasPrefix(topic, "b.a.") || strings.HasPrefix(topic, "a.") {
			t.Errorf("a has got its own topic back as %s", topic)
		}
	}

	// The offsets of a mirror can be seen, set back and deleted.
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	do := func(method, path, body string) string {
		t.Helper()
		var content []byte
		if body != "" {
			content = []byte(body)
		}
		answer, err := b.Do(ctx, method, "/connectors/from-a"+path, content)
		if err != nil {
			return err.Error()
		}
		return string(answer)
	}
	do("PUT", "/stop", "")
	eventually(t, "stopped", func() bool { return strings.Contains(do("GET", "/status", ""), `"tasks":[]`) })
	partition := `{"cluster":"a","topic":"events","partition":%s}`
	patch := func(partition, offset string) string {
		return do("PATCH", "/offsets", fmt.Sprintf(`{"offsets":[{"partition":`+partition+`,"offset":%s}]}`, "0", offset))
	}
	if got := patch(partition, `{"offset":-1}`); !strings.Contains(got, "which cannot be negative") {
		t.Errorf("a negative offset is answered with %s", got)
	}
	if got := patch(partition, `{"offset":599}`); !strings.Contains(got, "successfully") {
		t.Errorf("a new offset is answered with %s", got)
	}
	do("PUT", "/resume", "")
	again := kafkaClient(t, b.Kafka, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"a.events": {0: kgo.NewOffset().At(667)}}))
	fetches := again.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	if first := fetches.Records()[0]; first.Timestamp.UnixMilli() != 1_700_000_000_000+600*mirrorPartitions {
		t.Errorf("after setting back, record %v came again first", first.Timestamp.UnixMilli())
	}
}

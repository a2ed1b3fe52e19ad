package metadata_test

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/metadata"
)

func id(n byte) metadata.TopicID { return metadata.TopicID{15: n} }

func apply(t *testing.T, im *metadata.Image, index uint64, rs ...metadata.Record) *metadata.Image {
	t.Helper()
	next, err := im.Apply(index, rs)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func partition(topic metadata.TopicID, n int32, leader metadata.BrokerID, epoch metadata.LeaderEpoch) *metadata.PartitionRecord {
	return &metadata.PartitionRecord{
		Topic: topic, Partition: n, Leader: leader, LeaderEpoch: epoch,
		Replicas: []metadata.BrokerID{1, 2}, ISR: []metadata.BrokerID{1},
	}
}

// sample is one record of every type.
func sample() []metadata.Record {
	return []metadata.Record{
		&metadata.ClusterRecord{ClusterID: "MkU3OEVBNTcwNTJENDM2Qg"},
		&metadata.FeatureRecord{Name: "metadata.version", Level: 30},
		&metadata.BrokerRecord{ID: 1, Incarnation: [16]byte{9}, Rack: "r1", Listeners: []metadata.Listener{
			{Name: "PLAINTEXT", Host: "a.example", Port: 9092, SecurityProtocol: "PLAINTEXT"},
		}},
		&metadata.BrokerRecord{ID: 2, Epoch: 77, Fenced: true},
		&metadata.BrokerRecord{ID: 3, Epoch: 78, ShuttingDown: true},
		&metadata.BrokerRecord{ID: 4, Epoch: 79, Fenced: true, Directory: metadata.DirectoryID{6}},
		&metadata.MemberRecord{Node: 1, Directory: metadata.DirectoryID{7}, RaftID: 2, Voter: true},
		&metadata.MemberRecord{Node: 2, Directory: metadata.DirectoryID{8}},
		&metadata.MemberRecord{Node: 9, Directory: metadata.DirectoryID{9}, RaftID: 10},
		&metadata.RemoveMemberRecord{Node: 9},
		&metadata.TopicRecord{Name: "orders.eu", ID: id(1)},
		partition(id(1), 0, 1, 3),
		partition(id(1), 1, metadata.NoBroker, 0),
		&metadata.ConfigRecord{Resource: metadata.TopicResource("orders.eu"), Name: "retention.ms", Value: "5"},
		&metadata.ConfigRecord{Resource: metadata.ClusterResource, Name: "log.retention.hours", Value: "2"},
		&metadata.ProducerIDsRecord{Next: 1000},
	}
}

func TestImage(t *testing.T) {
	before := apply(t, metadata.NewImage(), 5, sample()...)
	if got := before.Broker(1).Epoch; got != 5 {
		t.Errorf("epoch of a new registration is %d, want its log index 5", got)
	}
	if got := before.Broker(2).Epoch; got != 77 {
		t.Errorf("epoch of a registration from a snapshot is %d, want 77", got)
	}
	if got := before.Collision("orders_eu"); got != "orders.eu" {
		t.Errorf("Collision(orders_eu) = %q", got)
	}
	if got := before.Collision("orders.eu"); got != "" {
		t.Errorf("a name collides with itself: %q", got)
	}
	if m, _ := before.Member(2); m.RaftID != metadata.FirstRaftID+5 || before.NodeOfRaftID(m.RaftID) != 2 {
		t.Errorf("raft id of a new member is %d, want one from its log index", m.RaftID)
	}
	if live := before.LiveBrokers(); len(live) != 2 || live[0].ID != 1 || !live[0].Live() || live[1].Live() {
		t.Errorf("live brokers: %v", live)
	}

	t.Run("a new image leaves the old one alone", func(t *testing.T) {
		after := apply(t, before, 6,
			partition(id(1), 1, 2, 1), partition(id(1), 2, 2, 0),
			&metadata.ConfigRecord{Resource: metadata.TopicResource("orders.eu"), Name: "retention.ms", Remove: true},
			&metadata.TopicRecord{Name: "new", ID: id(2)})
		if n := len(before.Topic("orders.eu").Partitions); n != 2 {
			t.Errorf("old image has %d partitions now", n)
		}
		if before.Topic("new") != nil || before.Config(metadata.TopicResource("orders.eu"))["retention.ms"] != "5" {
			t.Error("old image changed")
		}
		if p := after.Partition("orders.eu", 1); p.Leader != 2 || p.LeaderEpoch != 1 {
			t.Errorf("partition 1 after: %+v", p)
		}
		d := metadata.Diff(before, after)
		if len(d.CreatedTopics) != 1 || len(d.ChangedTopics) != 1 || len(d.DeletedTopics) != 0 ||
			!slices.Equal(d.Configs, []metadata.ConfigResource{metadata.TopicResource("orders.eu")}) || len(d.Brokers) != 0 || d.Features {
			t.Errorf("diff: %+v", d)
		}
	})

	t.Run("a topic made again under its name is deleted and created", func(t *testing.T) {
		after := apply(t, before, 6, &metadata.RemoveTopicRecord{ID: id(1)},
			&metadata.TopicRecord{Name: "orders.eu", ID: id(9)}, partition(id(9), 0, 1, 0))
		d := metadata.Diff(before, after)
		if len(d.CreatedTopics) != 1 || len(d.DeletedTopics) != 1 || len(d.ChangedTopics) != 0 {
			t.Errorf("diff: %+v", d)
		}
		if after.Config(metadata.TopicResource("orders.eu")) != nil {
			t.Error("the new topic has the old one's configs")
		}
	})

	t.Run("same image has no diff", func(t *testing.T) {
		if d := metadata.Diff(before, before); !d.Empty() {
			t.Errorf("diff: %+v", d)
		}
	})

	for name, r := range map[string]metadata.Record{
		"raft id of another node":      &metadata.MemberRecord{Node: 3, RaftID: 2},
		"topic twice":                  &metadata.TopicRecord{Name: "orders.eu", ID: id(3)},
		"topic id twice":               &metadata.TopicRecord{Name: "x", ID: id(1)},
		"partition with a gap":         partition(id(1), 3, 1, 0),
		"partition of no topic":        partition(id(8), 0, 1, 0),
		"leader epoch that goes back":  partition(id(1), 0, 1, 2),
		"producer ids that go back":    &metadata.ProducerIDsRecord{Next: 999},
		"second cluster id":            &metadata.ClusterRecord{ClusterID: "other"},
		"removal of a topic not there": &metadata.RemoveTopicRecord{ID: id(8)},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if _, err := before.Apply(6, []metadata.Record{r}); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestSnapshot(t *testing.T) {
	im := apply(t, metadata.NewImage(), 5, sample()...)
	snapshot := im.Snapshot()
	back, err := metadata.Restore(5, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(im, back, cmp.AllowUnexported(metadata.Image{})); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(back.Snapshot(), snapshot) {
		t.Error("equal images give different bytes")
	}
}

func TestBatch(t *testing.T) {
	b := metadata.AppendBatch(nil, sample())
	got, err := metadata.DecodeBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Error(diff)
	}
	for n := range len(b) {
		if rs, err := metadata.DecodeBatch(b[:n]); err == nil && len(rs) == len(got) {
			t.Errorf("cut to %d of %d bytes it decodes whole", n, len(b))
		}
	}
	for name, b := range map[string][]byte{
		"other format":      {2},
		"unknown type":      {1, 99, 0, 0},
		"unknown version":   {1, 1, 7, 1, 0},
		"bytes left over":   {1, 4, 0, 2, 2, 2},
		"length past end":   {1, 4, 0, 200, 2},
		"list past the end": append([]byte{1, 7, 0, 21}, make([]byte, 20)...),
	} {
		if _, err := metadata.DecodeBatch(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(metadata.AppendBatch(nil, sample()))
	f.Add([]byte{1, 7, 0, 3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		rs, err := metadata.DecodeBatch(b)
		if err != nil {
			return
		}
		again, err := metadata.DecodeBatch(metadata.AppendBatch(nil, rs))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rs, again); diff != "" {
			t.Fatal(diff)
		}
		if im, err := metadata.NewImage().Apply(1, rs); err == nil {
			if _, err := metadata.Restore(1, im.Snapshot()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestValidateTopicName(t *testing.T) {
	for _, name := range []string{"a", "A-z_0.9", "...", strings.Repeat("x", 249)} {
		if err := metadata.ValidateTopicName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a b", "a/b", "ü", "a\x00", strings.Repeat("x", 250)} {
		if err := metadata.ValidateTopicName(name); !errors.Is(err, metadata.ErrInvalidTopic) {
			t.Errorf("%q: %v, want ErrInvalidTopic", name, err)
		}
	}
}

// TestTopicConfigTable compares the table with what Kafka 4.3.1's own classes print.
func TestTopicConfigTable(t *testing.T) {
	f, err := os.Open("testdata/kafka-4.3.1-topic-configs.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, syns, ok := strings.Cut(s.Text(), " -> "); ok {
			def, _ := metadata.LookupTopicConfig(name)
			var got []string
			for _, syn := range def.Synonyms {
				got = append(got, syn.Name)
			}
			if want := strings.Trim(syns, "[]"); strings.Join(got, ", ") != want {
				t.Errorf("%s: synonyms %v, want %s", name, got, want)
			}
			continue
		}
		part := strings.Split(s.Text(), "|")
		if part[4] == "true" { // internal
			continue
		}
		seen++
		def, ok := metadata.LookupTopicConfig(part[0])
		if !ok {
			t.Errorf("no key %s", part[0])
			continue
		}
		if got, want := def.Default, strings.Trim(part[2], "[]"); got != want || def.Type.String() != part[1] {
			t.Errorf("%s: %s %q, want %s %q", def.Name, def.Type, got, part[1], want)
		}
		if v, err := def.Parse(def.Default); err != nil || v != def.Default {
			t.Errorf("%s: its default parses to %q, %v", def.Name, v, err)
		}
	}
	if got := len(metadata.TopicConfigs()); got != seen {
		t.Errorf("table has %d keys, Kafka %d", got, seen)
	}
}

func TestConfigValues(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"cleanup.policy", "compact, delete", "compact,delete"},
		{"cleanup.policy", "compact,compact", "compact,compact"},
		{"cleanup.policy", "", ""},
		{"retention.ms", " 12 ", "12"},
		{"preallocate", "TRUE", "true"},
		{"compression.gzip.level", "-1", "-1"},
		{"leader.replication.throttled.replicas", "0:1, 2:3", "0:1,2:3"},
		{"leader.replication.throttled.replicas", "*", "*"},
	} {
		def, _ := metadata.LookupTopicConfig(c.key)
		if got, err := def.Parse(c.value); err != nil || got != c.want {
			t.Errorf("%s=%q: %q, %v", c.key, c.value, got, err)
		}
	}
	for _, c := range []struct{ key, value string }{
		{"cleanup.policy", "COMPACT"},
		{"cleanup.policy", "compact,"},
		{"retention.ms", "-2"},
		{"retention.ms", "1h"},
		{"retention.ms", "9223372036854775808"},
		{"segment.bytes", "1048575"},
		{"segment.bytes", "2147483648"},
		{"min.insync.replicas", "0"},
		{"min.cleanable.dirty.ratio", "1.1"},
		{"min.cleanable.dirty.ratio", "NaN"},
		{"compression.type", "lzma"},
		{"compression.gzip.level", "0"},
		{"preallocate", "yes"},
		{"leader.replication.throttled.replicas", "0"},
	} {
		def, _ := metadata.LookupTopicConfig(c.key)
		if got, err := def.Parse(c.value); !errors.Is(err, metadata.ErrInvalidConfig) {
			t.Errorf("%s=%q: %q, %v, want ErrInvalidConfig", c.key, c.value, got, err)
		} else if !strings.Contains(err.Error(), c.key) || !strings.Contains(err.Error(), c.value) {
			t.Errorf("error names not key and value: %v", err)
		}
	}
}

func TestResolveTopicConfig(t *testing.T) {
	def, _ := metadata.LookupTopicConfig("retention.ms")
	defaults := metadata.Defaults{
		Dynamic: map[string]string{"log.retention.ms": "1"},
		Cluster: map[string]string{"log.retention.minutes": "2"},
		Static:  map[string]string{"log.retention.hours": "3", "log.retention.ms": "4"},
	}
	e := metadata.ResolveTopicConfig(def, map[string]string{"retention.ms": "0"}, defaults)
	want := []metadata.ConfigValue{
		{Name: "retention.ms", Value: "0", Source: metadata.SourceTopic},
		{Name: "log.retention.ms", Value: "1", Source: metadata.SourceDynamicBroker},
		{Name: "log.retention.minutes", Value: "2", Source: metadata.SourceClusterWide},
		{Name: "log.retention.ms", Value: "4", Source: metadata.SourceStaticBroker},
		{Name: "log.retention.hours", Value: "3", Source: metadata.SourceStaticBroker},
		{Name: "log.retention.ms", Value: "604800000", Source: metadata.SourceDefault},
	}
	if diff := cmp.Diff(want, e.Synonyms); diff != "" || e.Value != "0" || e.Source != metadata.SourceTopic {
		t.Errorf("%s=%s from %d: %s", e.Def.Name, e.Value, e.Source, diff)
	}
	hours := metadata.ResolveTopicConfig(def, nil, metadata.Defaults{Static: map[string]string{"log.retention.hours": "3"}})
	if hours.Value != "10800000" || hours.Source != metadata.SourceStaticBroker {
		t.Errorf("3 hours are %s ms from %d", hours.Value, hours.Source)
	}
}

func TestNewTopicConfig(t *testing.T) {
	c, err := metadata.NewTopicConfig(nil, metadata.Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Delete || c.Compact || c.RetentionTime != 7*24*time.Hour || c.RetentionBytes != -1 || c.FlushSet || c.SegmentBytes != 1<<30 {
		t.Errorf("defaults: %+v", c)
	}
	c, err = metadata.NewTopicConfig(map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"},
		metadata.Defaults{Static: map[string]string{"log.flush.interval.messages": "1"}})
	if err != nil || !c.Compact || c.Delete || c.RetentionTime >= 0 || !c.FlushSet || c.FlushMessages != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := metadata.NewTopicConfig(nil, metadata.Defaults{Static: map[string]string{"log.roll.ms": "x"}}); err == nil || !strings.Contains(err.Error(), "log.roll.ms") {
		t.Errorf("a damaged broker value: %v", err)
	}
}

func TestTopicID(t *testing.T) {
	made, err := metadata.NewTopicID(strings.NewReader(strings.Repeat("\xfb", 16) + strings.Repeat("a", 16)))
	if err != nil || made.String()[0] == '-' {
		t.Errorf("%s, %v: an id that begins with a dash was not skipped", made, err)
	}
	if back, err := metadata.ParseTopicID(made.String()); err != nil || back != made {
		t.Errorf("ParseTopicID(%s) = %s, %v", made, back, err)
	}
	if _, err := metadata.ParseTopicID("short"); err == nil {
		t.Error("no error for a short id")
	}
}

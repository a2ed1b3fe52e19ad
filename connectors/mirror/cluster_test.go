package mirror

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/broker"
	"millrace/broker/brokertest"
	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/plugins/clients"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds every wait.
const soon = 30 * time.Second

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(soon)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timed out: %s", what)
		}
	}
}

// two are a source and a target.
type two struct {
	t          *testing.T
	from, to   *brokertest.Cluster
	fromC, toC *kadm.Client
	produce    *kgo.Client // to the source
	commit     *kgo.Client // to the target
	env        Environment
}

func startTwo(t *testing.T) *two {
	t.Helper()
	quick := func(c *broker.Config) { c.Groups = broker.EmbeddedConfig().Groups }
	c := &two{t: t, from: brokertest.Start(t, quick), to: brokertest.Start(t, quick)}
	byHand := kgo.RecordPartitioner(kgo.ManualPartitioner())
	c.produce, c.commit = c.from.Client(byHand), c.to.Client(byHand)
	t.Cleanup(c.produce.Close)
	t.Cleanup(c.commit.Close)
	c.fromC, c.toC = kadm.NewClient(c.produce), kadm.NewClient(c.commit)
	c.env = Environment{Regex: goRegex, Clients: clients.Config{
		Bootstrap: []string{c.to.Addr()}, Dialer: c.to.DialContext, Log: connectortest.Logger(t),
		Options: []kgo.Opt{kgo.MetadataMinAge(10 * time.Millisecond)},
	}}
	return c
}

// config has what all three connectors need.
func (c *two) config(more ...string) map[string]string {
	config := map[string]string{
		"name": "m", keySourceAlias: "a", keyTargetAlias: "b", "source.cluster.bootstrap.servers": c.from.Addr(),
	}
	for i := 0; i+1 < len(more); i += 2 {
		config[more[i]] = more[i+1]
	}
	return config
}

func (c *two) plugin(name string) connectors.Plugin {
	for _, p := range Plugins(c.env) {
		if strings.Contains(p.Class, "."+name+"Connector") {
			return p
		}
	}
	c.t.Fatalf("no plugin %s", name)
	return connectors.Plugin{}
}

// start starts a connector until the end of the test.
func (c *two) start(name string, config map[string]string) (connectors.Source, *connectortest.ConnectorContext) {
	c.t.Helper()
	source, ctx := c.plugin(name).NewSource(), connectortest.NewConnectorContext(c.t)
	if err := source.Start(ctx, config); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := source.Stop(); err != nil {
			c.t.Error(err)
		}
	})
	return source, ctx
}

func (c *two) write(records ...*kgo.Record) {
	c.t.Helper()
	if err := c.produce.ProduceSync(c.t.Context(), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// assigned are the values of a key in task configurations.
func assigned(t *testing.T, s connectors.Source, maxTasks int, key string) []string {
	t.Helper()
	configs, err := s.TaskConfigs(maxTasks)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, c := range configs {
		values = append(values, c[key])
	}
	return values
}

func TestSourceConnector(t *testing.T) {
	c := startTwo(t)
	for topic, partitions := range map[string]int32{"t0": 4, "t1": 2, "heartbeats": 1, "b.back": 1, "x.replica": 1, "mm2-offset-syncs.x.internal": 1} {
		c.from.CreateTopic(topic, partitions)
	}
	c.from.CreateTopic("compacted", 1, "cleanup.policy", "compact", "retention.ms", "5", "min.insync.replicas", "1")
	c.to.CreateTopic("a.t1", 1)
	s, ctx := c.start("MirrorSource", c.config(keyRefreshTopics+intervalSuffix, "1", keyTopics, "t., compacted", keySyncConfigs+intervalSuffix, "1"))
	want := []string{"compacted-0,t0-1,t1-0", "heartbeats-0,t0-2,t1-1", "t0-0,t0-3"}
	if diff := cmp.Diff(want, assigned(t, s, 3, keyTaskPartitions)); diff != "" {
		t.Errorf("partitions of tasks (-want +got):\n%s", diff)
	}
	topics, err := c.toC.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int)
	for name, d := range topics {
		got[name] = len(d.Partitions)
	}
	if diff := cmp.Diff(map[string]int{"a.t0": 4, "a.t1": 2, "a.compacted": 1, "a.heartbeats": 1}, got); diff != "" {
		t.Errorf("topics of the target (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"cleanup.policy": "compact", "retention.ms": "5"}, c.own("a.compacted")); diff != "" {
		t.Errorf("settings of a remote topic (-want +got):\n%s", diff)
	}

	// What changes in the source changes in the target.
	value := "delete"
	changes := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &value}, {Op: kadm.DeleteConfig, Name: "retention.ms"}}
	if _, err := c.fromC.AlterTopicConfigs(t.Context(), changes, "compacted"); err != nil {
		t.Fatal(err)
	}
	before := ctx.Reconfigurations()
	c.from.CreateTopic("t2", 1)
	eventually(t, "settings and a new topic", func() bool {
		return ctx.Reconfigurations() > before && maps.Equal(c.own("a.compacted"), map[string]string{"cleanup.policy": "delete"})
	})
	if diff := cmp.Diff(9, len(strings.Split(assigned(t, s, 1, keyTaskPartitions)[0], ","))); diff != "" {
		t.Errorf("partitions with the new topic (-want +got):\n%s", diff)
	}
}

// own are a topic's own settings in the target.
func (c *two) own(topic string) map[string]string {
	c.t.Helper()
	described, err := c.toC.DescribeTopicConfigs(c.t.Context(), topic)
	if err != nil {
		c.t.Fatal(err)
	}
	own := make(map[string]string)
	for _, config := range described[0].Configs {
		if config.Source.String() == "DYNAMIC_TOPIC_CONFIG" {
			own[config.Key] = config.MaybeValue()
		}
	}
	return own
}

func TestConnectorRefusesSettings(t *testing.T) {
	c := startTwo(t)
	tests := []struct {
		plugin string
		config []string
		want   string
	}{
		{"MirrorSource", []string{"source.cluster.bootstrap.servers", " "}, `Missing required configuration "source.cluster.bootstrap.servers"`},
		{"MirrorSource", []string{keyTopics, "(("}, "Invalid value (( for configuration topics"},
		{"MirrorSource", []string{keyRefreshTopics + intervalSuffix, "0"}, "refresh.topics.interval.seconds: Value must be at least 1"},
		{"MirrorSource", []string{"source.admin.request.timeout.ms", "soon"}, "Invalid value soon for configuration request.timeout.ms"},
		{"MirrorSource", []string{"target.cluster.security.protocol", "TLS"}, "Invalid value TLS for configuration security.protocol"},
		{"MirrorCheckpoint", []string{keyGroupsExclude, "*"}, "Invalid value * for configuration groups.exclude"},
		{"MirrorCheckpoint", []string{keyEmitSyncs, "false"}, "can't run without offset syncs"},
		{"MirrorHeartbeat", []string{keyEmitHeartbeats + intervalSuffix, "0"}, "emit.heartbeats.interval.seconds: Value must be at least 1"},
	}
	for _, tt := range tests {
		s := c.plugin(tt.plugin).NewSource()
		config := c.config(tt.config...)
		if tt.config[0] == "target.cluster.security.protocol" {
			config["target.cluster.bootstrap.servers"] = c.to.Addr()
		}
		if err := s.Start(connectortest.NewConnectorContext(t), config); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %v starts with %v, want %q", tt.plugin, tt.config, err, tt.want)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestDisabledConnectors(t *testing.T) {
	c := startTwo(t)
	for name, config := range map[string]map[string]string{
		"MirrorSource": c.config(keyEnabled, "false"), "MirrorCheckpoint": c.config(keyEnabled, "false"),
		"MirrorHeartbeat": c.config(keyEmitHeartbeats+enabledSuffix, "false"),
	} {
		s, _ := c.start(name, config)
		if configs, err := s.TaskConfigs(3); len(configs) != 0 || err != nil {
			t.Errorf("%s that is disabled has tasks %v, %v", name, configs, err)
		}
	}
}

func TestSourceTask(t *testing.T) {
	c := startTwo(t)
	c.from.CreateTopic("t", 2)
	c.from.CreateTopic("mm2-offset-syncs.b.internal", 1)
	record := func(p int32, key, value []byte, headers ...kgo.RecordHeader) *kgo.Record {
		return &kgo.Record{Topic: "t", Partition: p, Key: key, Value: value, Headers: headers, Timestamp: time.UnixMilli(1700000000000 + int64(p))}
	}
	c.write(record(0, []byte("k"), []byte{0xff}, kgo.RecordHeader{Key: "h", Value: []byte{0}}, kgo.RecordHeader{Key: "h"}), record(0, nil, nil),
		record(1, []byte{}, []byte{}))
	offsets := new(connectortest.Offsets)
	config := c.config(keyTaskPartitions, "t-0,t-1", keyTaskIndex, "0", keyPollTimeout, "50")
	task := connectortest.StartSourceTask(t, c.plugin("MirrorSource"), config, 0, offsets)
	records := task.Wait(3)
	var got []string
	for _, r := range records {
		got = append(got, fmt.Sprintf("%s-%d at %d: %#v=%#v %d headers, %v %v", r.Topic, r.Partition, r.Timestamp-1700000000000, r.Key, r.Value, len(r.Headers),
			r.SourcePartition.Map(), r.SourceOffset.Map()))
		for _, h := range r.Headers {
			got = append(got, fmt.Sprintf("%s=%#v", h.Key, h.Value))
		}
	}
	want := []string{
		`a.t-0 at 0: []byte{0x6b}=[]byte{0xff} 2 headers, map[cluster:a partition:0 topic:t] map[offset:0]`, `h=[]byte{0x0}`, `h=<nil>`,
		`a.t-0 at 0: <nil>=<nil> 0 headers, map[cluster:a partition:0 topic:t] map[offset:1]`,
		`a.t-1 at 1: []byte{}=[]byte{} 0 headers, map[cluster:a partition:1 topic:t] map[offset:0]`,
	}
	if records[0].Partition == 1 {
		want = append(want[4:], want[:4]...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	task.CommitAll()
	task.Stop()
	syncs := make(map[string]int)
	for _, r := range c.read("mm2-offset-syncs.b.internal", 3) {
		s, err := readOffsetSync(r.Key, r.Value)
		if err != nil {
			t.Fatal(err)
		}
		syncs[fmt.Sprintf("%s at %d", s.topicPartition, s.upstream)]++
	}
	if diff := cmp.Diff(map[string]int{"t-0 at 0": 1, "t-0 at 1": 1, "t-1 at 0": 1}, syncs); diff != "" {
		t.Errorf("offset syncs (-want +got):\n%s", diff)
	}

	// The next task goes on.
	c.write(record(1, []byte("next"), nil))
	next := connectortest.StartSourceTask(t, c.plugin("MirrorSource"), config, 0, offsets).Wait(1)
	if string(next[0].Key.([]byte)) != "next" {
		t.Errorf("the next task begins with %v", next[0].Key)
	}
	offsets.Set(map[string]any{"cluster": "a", "topic": "t", "partition": int64(0)}, map[string]any{"offset": "x"})
	bad := c.plugin("MirrorSource").NewSource().NewTask()
	tc := offsetsContext{connectortest.NewSourceContext(t), offsets}
	if err := bad.Start(t.Context(), tc, config); err == nil || !strings.Contains(err.Error(), "stored offset of t-0") {
		t.Errorf("a task with a bad offset starts with %v", err)
	}
	if err := bad.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// offsetsContext has stored offsets.
type offsetsContext struct {
	connectors.SourceTaskContext
	offsets *connectortest.Offsets
}

func (c offsetsContext) Offsets(_ context.Context, ps []*connectors.SourcePartition) ([]map[string]any, error) {
	var found []map[string]any
	for _, p := range ps {
		found = append(found, c.offsets.Get(p.Map()))
	}
	return found, nil
}

// read reads n records of a topic of the source.
func (c *two) read(topic string, n int) []*kgo.Record {
	c.t.Helper()
	client := c.from.Client(kgo.ConsumeTopics(topic))
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), soon)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			c.t.Fatalf("%s has %d of %d records: %v", topic, len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// offset commits an offset of a group.
func offset(t *testing.T, admin *kadm.Client, group, topic string, at int64) {
	t.Helper()
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: topic, Partition: 0, At: at, LeaderEpoch: -1, Metadata: "m"})
	responses, err := admin.CommitOffsets(t.Context(), group, o)
	if err == nil {
		err = responses.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheckpoints(t *testing.T) {
	c := startTwo(t)
	c.from.CreateTopic("t", 1)
	c.from.CreateTopic("not-replicated", 1)
	c.to.CreateTopic("a.t", 1)
	c.from.CreateTopic("mm2-offset-syncs.b.internal", 1)
	for _, s := range []offsetPair{{0, 0}, {50, 40}, {100, 90}} {
		sync := offsetSync{topicPartition{"t", 0}, s.upstream, s.downstream}
		c.write(&kgo.Record{Topic: "mm2-offset-syncs.b.internal", Key: sync.key(), Value: sync.value()})
	}
	c.write(&kgo.Record{Topic: "mm2-offset-syncs.b.internal", Key: []byte("garbage"), Value: nil})
	for group, at := range map[string]int64{"new": 100, "idle-behind": 120, "idle-ahead": 51, "active": 100} {
		offset(t, c.fromC, group, "t", at)
	}
	offset(t, c.fromC, "elsewhere", "not-replicated", 1)
	offset(t, c.fromC, "console-consumer-1", "t", 1)
	offset(t, c.toC, "idle-behind", "a.t", 3)
	offset(t, c.toC, "idle-ahead", "a.t", 77)
	member := c.to.Client(kgo.ConsumerGroup("active"), kgo.ConsumeTopics("a.t"), kgo.DisableAutoCommit())
	defer member.Close()
	eventually(t, "a member in the target", func() bool {
		groups, err := c.toC.ListGroups(t.Context())
		return err == nil && groups["active"].State == "Stable"
	})

	config := c.config(keyTopics, "t", keyEmitCheckpoints+intervalSuffix, "1", keySyncOffsets+enabledSuffix, "true", keySyncOffsets+intervalSuffix, "1",
		keyRefreshGroups+intervalSuffix, "1")
	s, ctx := c.start("MirrorCheckpoint", config)
	if diff := cmp.Diff([]string{"active,idle-ahead", "idle-behind,new"}, assigned(t, s, 2, keyTaskGroups)); diff != "" {
		t.Errorf("groups of tasks (-want +got):\n%s", diff)
	}
	configs, err := s.TaskConfigs(1)
	if err != nil {
		t.Fatal(err)
	}
	task := connectortest.StartSourceTask(t, c.plugin("MirrorCheckpoint"), configs[0], 0, nil)
	got := make(map[string]string)
	for _, r := range task.Wait(4) {
		cp, err := readCheckpoint(r.Key.([]byte), r.Value.([]byte))
		if err != nil {
			t.Fatal(err)
		}
		got[cp.group] = fmt.Sprintf("%s to %s, %d is %d, %s, %v", r.Topic, cp.topicPartition, cp.upstream, cp.downstream, cp.metadata, r.SourcePartition.Map()["group"])
	}
	want := map[string]string{
		"new":         "a.checkpoints.internal to a.t-0, 100 is 90, m, new",
		"idle-behind": "a.checkpoints.internal to a.t-0, 120 is 91, m, idle-behind",
		"idle-ahead":  "a.checkpoints.internal to a.t-0, 51 is 41, m, idle-ahead",
		"active":      "a.checkpoints.internal to a.t-0, 100 is 90, m, active",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checkpoints (-want +got):\n%s", diff)
	}
	committed := func() map[string]int64 {
		at := make(map[string]int64)
		for group, r := range c.toC.FetchManyOffsets(t.Context(), "new", "idle-behind", "idle-ahead", "active") {
			r.Fetched.Each(func(o kadm.OffsetResponse) { at[group] = o.At })
		}
		return at
	}
	eventually(t, "offsets in the target", func() bool { at := committed(); return at["new"] == 90 && at["idle-behind"] == 91 })
	if at := committed(); at["idle-ahead"] != 77 || at["active"] > 0 {
		t.Errorf("a group went back or was changed while in use: %v", at)
	}

	// Older syncs take nobody back; a group that goes back itself does. A new group makes new tasks.
	before := ctx.Reconfigurations()
	offset(t, c.fromC, "new", "t", 60)
	offset(t, c.fromC, "late", "t", 1)
	eventually(t, "a new group", func() bool { return ctx.Reconfigurations() > before })
	records := task.Wait(5)
	cp, err := readCheckpoint(records[4].Key.([]byte), records[4].Value.([]byte))
	if err != nil || cp.group != "new" || cp.upstream != 60 || cp.downstream != 41 {
		t.Errorf("after the group went back: %+v, %v", cp, err)
	}
}

func TestHeartbeats(t *testing.T) {
	c := startTwo(t)
	s, _ := c.start("MirrorHeartbeat", c.config())
	configs, err := s.TaskConfigs(5)
	if err != nil || len(configs) != 1 {
		t.Fatalf("%d tasks, %v; want one", len(configs), err)
	}
	eventually(t, "the topic", func() bool {
		topics, err := c.toC.ListTopics(t.Context())
		return err == nil && topics.Has("heartbeats")
	})
	if got := c.own("heartbeats")["cleanup.policy"]; got != "compact" {
		t.Errorf("the topic's cleanup.policy is %q", got)
	}
	began := time.Now().UnixMilli()
	r := connectortest.StartSourceTask(t, c.plugin("MirrorHeartbeat"), configs[0], 0, nil).Wait(1)[0]
	h, err := readHeartbeat(r.Key.([]byte), r.Value.([]byte))
	if err != nil || h.source != "a" || h.target != "b" || h.timestamp < began || h.timestamp != r.Timestamp || r.Topic != "heartbeats" || r.Partition != 0 {
		t.Errorf("heartbeat %+v in %+v, %v", h, r, err)
	}
}

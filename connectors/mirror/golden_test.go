package mirror

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/connectors"
)

// golden reads what Apache Kafka's own classes answered; testdata/README.md says how they were asked.
func golden[T any](t *testing.T, name string) []T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func environment() Environment { return Environment{Regex: goRegex} }

func plugin(t *testing.T, name string) connectors.Plugin {
	t.Helper()
	for _, p := range Plugins(environment()) {
		if p.Class == classPrefix+name+"Connector" {
			return p
		}
	}
	t.Fatalf("no plugin %s", name)
	return connectors.Plugin{}
}

func TestDefinitions(t *testing.T) {
	type definition struct {
		Connector, Name, Type, Importance, Width, Display string
		Required                                          bool
		Default, Validator, Group                         *string
		Order                                             int
		Dependents                                        []string
	}
	want := make(map[string][]definition)
	for _, d := range golden[definition](t, "definitions.json") {
		want[d.Connector] = append(want[d.Connector], d)
	}
	for name, list := range want {
		t.Run(name, func(t *testing.T) {
			var got []definition
			for _, k := range plugin(t, name).Config.Keys() {
				d := definition{
					Connector: name, Name: k.Name, Type: string(k.Type), Importance: string(k.Importance), Width: string(k.Width), Display: k.DisplayName,
					Required: k.Required, Order: k.Order, Dependents: []string{},
				}
				if k.Default != nil {
					text := connectors.Text(k.Default)
					if items, ok := k.Default.([]string); ok {
						text = strings.Join(items, ",")
					}
					d.Default = &text
				}
				if k.Validator != nil {
					rule := k.Validator.String()
					d.Validator = &rule
				}
				if k.Doc == "" {
					t.Errorf("%s has no documentation", k.Name)
				}
				got = append(got, d)
			}
			byName := func(a, b definition) int { return strings.Compare(a.Name, b.Name) }
			slices.SortFunc(got, byName)
			slices.SortFunc(list, byName)
			if diff := cmp.Diff(list, got); diff != "" {
				t.Errorf("keys (-Kafka +ours):\n%s", diff)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	type validation struct {
		Connector string
		Config    map[string]*string
		Errors    map[string][]string
	}
	for _, c := range golden[validation](t, "validate.json") {
		given := connectors.RawConfig(c.Config).Strings()
		delete(given, "name")
		delete(given, "connector.class")
		t.Run(fmt.Sprint(c.Connector, given), func(t *testing.T) {
			p := plugin(t, c.Connector)
			values := p.Config.Validate(c.Config)
			if v, ok := p.NewSource().(connectors.ConfigValidator); ok {
				v.ValidateConfig(connectors.RawConfig(c.Config).Strings(), values)
			}
			got := make(map[string][]string)
			for _, v := range values {
				if len(v.Errors) > 0 {
					got[v.Name] = v.Errors
				}
			}
			want := c.Errors
			delete(want, "exactly.once.support") // is the framework's business here
			if topics := c.Config[keyTopics]; topics != nil && *topics == "((" && c.Connector == "MirrorSource" {
				// Kafka notices when the connector starts.
				if len(got[keyTopics]) != 1 || !strings.Contains(got[keyTopics][0], "((") {
					t.Errorf("a broken pattern has errors %v", got)
				}
				return
			}
			if c.Connector == "MirrorCheckpoint" {
				delete(want, keyEmitSyncs) // Kafka's answer has this key, which its definition has not
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("errors (-Kafka +ours):\n%s", diff)
			}
		})
	}
}

func TestBytes(t *testing.T) {
	type record struct {
		Kind, Topic, Group, Metadata, Source, Target string
		Partition                                    int32
		Upstream, Downstream, Timestamp              int64
		Key, Value                                   string
	}
	for _, c := range golden[record](t, "bytes.json") {
		key, _ := base64.StdEncoding.DecodeString(c.Key)
		value, _ := base64.StdEncoding.DecodeString(c.Value)
		tp := topicPartition{c.Topic, c.Partition}
		var gotKey, gotValue []byte
		var read, want any
		var err error
		switch c.Kind {
		case "offset-sync":
			s := offsetSync{tp, c.Upstream, c.Downstream}
			gotKey, gotValue, want = s.key(), s.value(), s
			read, err = readOffsetSync(key, value)
		case "checkpoint":
			s := checkpoint{c.Group, tp, c.Upstream, c.Downstream, c.Metadata}
			gotKey, gotValue, want = s.key(), s.value(), s
			read, err = readCheckpoint(key, value)
		case "heartbeat":
			s := heartbeat{c.Source, c.Target, c.Timestamp}
			gotKey, gotValue, want = s.key(), s.value(), s
			read, err = readHeartbeat(key, value)
		}
		if string(gotKey) != string(key) || string(gotValue) != string(value) {
			t.Errorf("%v: bytes %x %x, Kafka's %x %x", want, gotKey, gotValue, key, value)
		}
		if err != nil || read != want {
			t.Errorf("read %+v, %v, want %+v", read, err, want)
		}
	}
}

func TestPolicies(t *testing.T) {
	type answer struct {
		Policy                        string
		Config                        map[string]string
		Topic                         *string
		Remote, Original              string
		Source, Upstream              *string
		Heartbeats, Internal          bool
		Cycle, Replicate              bool
		Error                         string
		OffsetSyncs, CheckpointsTopic string
	}
	for _, c := range golden[answer](t, "policies.json") {
		p := newPolicy(c.Policy, c.Config)
		if c.Topic == nil {
			if p.offsetSyncsTopic("x") != c.OffsetSyncs || p.checkpointsTopic("x") != c.CheckpointsTopic {
				t.Errorf("%s %v: internal topics %s, %s", c.Policy, c.Config, p.offsetSyncsTopic("x"), p.checkpointsTopic("x"))
			}
			continue
		}
		topic := *c.Topic
		if c.Error != "" {
			t.Logf("%s %v %s: Kafka fails with %s", c.Policy, c.Config, topic, c.Error)
			continue
		}
		orNil := func(s string, ok bool) *string {
			if !ok {
				return nil
			}
			return &s
		}
		source := &sourceConnector{
			connector: connector{s: &settings{Values: connectors.Values{keyReplicateHeartbeats: true}, policy: p, source: "source", target: "target"}},
			topics:    filter{func(t string) bool { return !strings.Contains(t, "heartbeats") }, nothing},
		}
		got := answer{
			Policy: c.Policy, Config: c.Config, Topic: c.Topic, Remote: p.remote("source", topic), Original: p.original(topic),
			Source: orNil(p.topicSource(topic)), Upstream: orNil(p.upstream(topic)), Heartbeats: p.heartbeats(topic), Internal: p.internalTopic(topic),
			Cycle: p.cycle("target", topic), Replicate: source.replicates(topic),
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%s %v %s (-Kafka +ours):\n%s", c.Policy, c.Config, topic, diff)
		}
	}
}

func TestFilters(t *testing.T) {
	type answer struct {
		Config                                map[string]string
		Name                                  string
		Topic, Group, Property, SourceDefault bool
	}
	for _, c := range golden[answer](t, "filters.json") {
		config := map[string]string{keySourceAlias: "source"}
		for k, v := range c.Config {
			config[k] = v
		}
		s, err := read(sourceRead, config)
		if err != nil {
			t.Fatal(err)
		}
		g, err := read(checkpointRead, config)
		if err != nil {
			t.Fatal(err)
		}
		topics, err1 := environment().filter(s.Values, keyTopics, keyTopicsExclude)
		groups, err2 := environment().filter(g.Values, keyGroups, keyGroupsExclude)
		properties, err3 := environment().pattern(keyPropertiesExclude, s.List(keyPropertiesExclude))
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
		got := answer{c.Config, c.Name, topics.has(c.Name), groups.has(c.Name), !properties(c.Name), s.String(keyUseDefaultsFrom) == atSource}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%v %s (-Kafka +ours):\n%s", c.Config, c.Name, diff)
		}
	}
}

func TestTranslations(t *testing.T) {
	type history struct {
		Before, After [][2]int64
		MustReadToEnd bool
		Kept          []int64
		Translations  [][2]int64
	}
	for i, c := range golden[history](t, "translations.json") {
		store := newSyncStore(c.MustReadToEnd)
		tp := topicPartition{"t", 0}
		for _, s := range c.Before {
			store.add(offsetSync{tp, s[0], s[1]})
		}
		store.lastOnly = false
		for _, s := range c.After {
			store.add(offsetSync{tp, s[0], s[1]})
		}
		var kept []int64
		for _, p := range store.partitions[tp] {
			kept = append(kept, p.upstream)
		}
		if diff := cmp.Diff(c.Kept, kept); diff != "" {
			t.Errorf("case %d keeps (-Kafka +ours):\n%s", i, diff)
		}
		for _, q := range c.Translations {
			got, ok := store.translate(tp, q[0])
			if want := q[1]; ok != (want >= 0) || ok && got != want {
				t.Errorf("case %d: offset %d is translated to %d, %v; Kafka's is %d", i, q[0], got, ok, want)
			}
		}
	}
}

func TestSyncsDue(t *testing.T) {
	type history struct {
		Lag   int64
		Steps [][3]any
	}
	for i, c := range golden[history](t, "syncs.json") {
		s := newSyncState(c.Lag)
		for _, step := range c.Steps {
			up, _ := step[0].(json.Number).Int64()
			down, _ := step[1].(json.Number).Int64()
			if got := s.due(up, down); got != step[2] {
				t.Errorf("case %d, lag %d: a sync of %d and %d is due: %v, Kafka %v", i, c.Lag, up, down, got, step[2])
			}
		}
	}
}

func TestAlterOffsets(t *testing.T) {
	type change struct {
		Connector         string
		Partition, Offset map[string]any
		Result            bool
		Error             string
	}
	for _, c := range golden[change](t, "offsets.json") {
		name := strings.TrimSuffix(c.Connector, "Connector")
		po := connectors.PartitionOffset{Partition: numbers(c.Partition), Offset: numbers(c.Offset)}
		ok, err := plugin(t, name).NewSource().(connectors.OffsetAlterer).AlterOffsets(nil, []connectors.PartitionOffset{po})
		switch {
		case err == nil && (c.Error != "" || !ok):
			t.Errorf("%s %v %v: accepted; Kafka: %s", name, c.Partition, c.Offset, c.Error)
		case err != nil && sorted(err.Error()) != sorted(c.Error):
			t.Errorf("%s %v %v:\n%v, Kafka's\n%s", name, c.Partition, c.Offset, err, c.Error)
		}
	}
}

// sorted makes texts of Java's maps comparable.
func sorted(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,{}", r) })
	slices.Sort(words)
	return strings.Join(words, " ")
}

func numbers(m map[string]any) map[string]any {
	for k, v := range m {
		if n, ok := v.(json.Number); ok {
			if i, err := n.Int64(); err == nil {
				m[k] = i
			} else if f, err := n.Float64(); err == nil {
				m[k] = f
			}
		}
	}
	return m
}

func TestInRuns(t *testing.T) {
	letters := []string{"a", "b", "c", "d", "e", "f", "g"}
	for n, want := range map[int]string{1: "[abcdefg]", 2: "[abcd efg]", 3: "[abc de fg]", 4: "[ab cd ef g]", 9: "[a b c d e f g]"} {
		var got []string
		for _, run := range inRuns(letters, n) {
			got = append(got, strings.Join(run, ""))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%d runs are %v, want %s", n, got, want)
		}
	}
}

func TestCopiedRules(t *testing.T) {
	const topic, group = kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup
	const literal, prefixed = kmsg.ACLResourcePatternTypeLiteral, kmsg.ACLResourcePatternTypePrefixed
	const allow, deny = kmsg.ACLPermissionTypeAllow, kmsg.ACLPermissionTypeDeny
	resource := func(kind kmsg.ACLResourceType, name string, pattern kmsg.ACLResourcePatternType, p kmsg.ACLPermissionType, ops ...kmsg.ACLOperation) kmsg.DescribeACLsResponseResource {
		r := kmsg.DescribeACLsResponseResource{ResourceType: kind, ResourceName: name, ResourcePatternType: pattern}
		for _, op := range ops {
			r.ACLs = append(r.ACLs, kmsg.DescribeACLsResponseResourceACL{Principal: "User:a", Host: "*", Operation: op, PermissionType: p})
		}
		return r
	}
	rules := copiedRules([]kmsg.DescribeACLsResponseResource{
		resource(topic, "t", literal, allow, kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationAll),
		resource(topic, "t", literal, deny, kmsg.ACLOperationWrite, kmsg.ACLOperationAll),
		resource(topic, "t", prefixed, allow, kmsg.ACLOperationRead),
		resource(topic, "other", literal, allow, kmsg.ACLOperationRead),
		resource(group, "t", literal, allow, kmsg.ACLOperationRead),
	}, func(topic string) bool { return topic == "t" }, func(topic string) string { return "a." + topic })
	var got []string
	for _, r := range rules {
		got = append(got, fmt.Sprint(r.ResourceName, " ", r.PermissionType, " ", r.Operation))
	}
	want := []string{"a.t ALLOW READ", "a.t ALLOW READ", "a.t DENY WRITE", "a.t DENY ALL"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestClientSettings(t *testing.T) {
	s, err := read(sourceRead, map[string]string{
		keyName: "m", keySourceAlias: "a", keyTaskIndex: "2", keyAdminTimeout: "1000", keyPollTimeout: "5",
		"source.cluster.bootstrap.servers": "s:1", "source.cluster.sasl.mechanism": "PLAIN", "source.cluster.fetch.max.bytes": "1", "source.cluster.alias2": "x",
		"target.cluster.bootstrap.servers": "t:1", "consumer.fetch.max.bytes": "2", "source.consumer.fetch.max.bytes": "3", "target.consumer.fetch.max.bytes": "4",
		"consumer.client.id": "mine", "admin.retries": "7", "producer.override.linger.ms": "5", "producer.linger.ms": "6",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   side
		kind string
		id   string
		want map[string]string
	}{
		{theSource, "consumer", "mine|a->target|m-2|x", map[string]string{"bootstrap.servers": "s:1", "sasl.mechanism": "PLAIN", "fetch.max.bytes": "3"}},
		{theTarget, "consumer", "mine|a->target|m-2|x", map[string]string{"bootstrap.servers": "t:1", "fetch.max.bytes": "4"}},
		{theTarget, "producer", "a->target|m-2|x", map[string]string{"bootstrap.servers": "t:1", "linger.ms": "6"}},
		{theSource, "admin", "a->target|m-2|x", map[string]string{"bootstrap.servers": "s:1", "sasl.mechanism": "PLAIN", "retries": "7"}},
	} {
		id, props, err := s.prepare(c.at, c.kind, "x")
		if diff := cmp.Diff(c.want, props); diff != "" || id != c.id || err != nil {
			t.Errorf("%s %s: id %s, error %v, settings (-want +got):\n%s", c.at, c.kind, id, err, diff)
		}
	}
}

func FuzzReaders(f *testing.F) {
	for _, s := range []offsetSync{{topicPartition{"t", 1}, 2, 3}} {
		f.Add(s.key(), s.value())
	}
	c := checkpoint{"g", topicPartition{"t", 1}, 2, 3, "m"}
	f.Add(c.key(), c.value())
	h := heartbeat{"a", "b", 1}
	f.Add(h.key(), h.value())
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if s, err := readOffsetSync(key, value); err == nil {
			if again, err := readOffsetSync(s.key(), s.value()); err != nil || again != s {
				t.Errorf("offset sync %v is read again as %v, %v", s, again, err)
			}
		}
		if c, err := readCheckpoint(key, value); err == nil {
			if again, err := readCheckpoint(c.key(), c.value()); err != nil || again != c {
				t.Errorf("checkpoint %v is read again as %v, %v", c, again, err)
			}
		}
		if h, err := readHeartbeat(key, value); err == nil {
			if again, err := readHeartbeat(h.key(), h.value()); err != nil || again != h {
				t.Errorf("heartbeat %v is read again as %v, %v", h, again, err)
			}
		}
	})
}

package broker_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker"
	"millrace/broker/brokertest"
)

func TestMetadataRules(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("a", 2)
	c.CreateTopic("b.c", 1)
	conn := c.Dial()
	ask := func(version int16, create bool, names ...string) *kmsg.MetadataResponse {
		t.Helper()
		req := kmsg.NewPtrMetadataRequest()
		req.Version, req.AllowAutoTopicCreation, req.Topics = version, create, []kmsg.MetadataRequestTopic{}
		for _, name := range names {
			req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
		}
		return conn.Request(req).(*kmsg.MetadataResponse)
	}
	code := func(resp *kmsg.MetadataResponse) int16 { return resp.Topics[0].ErrorCode }

	if got := ask(0, false); len(got.Topics) != 2 {
		t.Errorf("v0, an empty list: %d topics", len(got.Topics))
	}
	if got := ask(1, false); len(got.Topics) != 0 || len(got.Brokers) != 1 {
		t.Errorf("v1, an empty list: %+v", got)
	}
	if got := conn.Request(&kmsg.MetadataRequest{Version: 9}).(*kmsg.MetadataResponse); len(got.Topics) != 2 || got.Topics[0].AuthorizedOperations != -2147483648 {
		t.Errorf("v9, null: %+v", got.Topics)
	}
	if got := ask(9, false, "a", "a"); len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 2 {
		t.Errorf("a topic that is named twice: %+v", got.Topics)
	}
	for _, create := range []bool{true, false} {
		if got := code(ask(9, create, "no/name")); got != 17 {
			t.Errorf("a bad name: %d", got)
		}
	}
	if got := code(ask(9, true, "b_c")); got != 3 {
		t.Errorf("a name that collides: %d", got)
	}
	if got := code(ask(9, false, "new")); got != 3 {
		t.Errorf("creation not allowed: %d", got)
	}
	if got := code(ask(9, true, "new")); got != 3 {
		t.Errorf("created just now: %d", got)
	}
	if got := code(ask(9, false, "new")); got != 0 {
		t.Errorf("created before: %d", got)
	}

	id := ask(12, false, "a").Topics[0].TopicID
	byID := func(version int16, topic kmsg.MetadataRequestTopic) *kmsg.MetadataResponse {
		return conn.Request(&kmsg.MetadataRequest{Version: version, Topics: []kmsg.MetadataRequestTopic{topic}}).(*kmsg.MetadataResponse)
	}
	other := "b.c"
	if got := byID(12, kmsg.MetadataRequestTopic{TopicID: id, Topic: &other}); *got.Topics[0].Topic != "a" {
		t.Errorf("an id beside another name: %+v", got.Topics)
	}
	if got := byID(12, kmsg.MetadataRequestTopic{TopicID: [16]byte{9}}); code(got) != 100 {
		t.Errorf("an unknown id: %d", code(got))
	}
	if got := byID(10, kmsg.MetadataRequestTopic{TopicID: id}); code(got) != 42 || len(got.Brokers) != 0 || got.ControllerID != -1 {
		t.Errorf("an id at v10: %+v", got)
	}
}

func TestDescribeTopicPartitions(t *testing.T) {
	c := brokertest.Start(t)
	for _, name := range []string{"b", "a"} {
		c.CreateTopic(name, 3)
	}
	conn := c.Dial()
	describe := func(limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, names ...string) (got []string, next string) {
		t.Helper()
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit, req.Cursor = limit, cursor
		for _, name := range names {
			req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
		}
		resp := conn.Request(req).(*kmsg.DescribeTopicPartitionsResponse)
		for _, topic := range resp.Topics {
			if topic.ErrorCode != 0 {
				got = append(got, fmt.Sprintf("%s error %d", *topic.Topic, topic.ErrorCode))
			}
			for _, p := range topic.Partitions {
				got = append(got, fmt.Sprintf("%s-%d", *topic.Topic, p.Partition))
			}
		}
		if resp.NextCursor != nil {
			next = fmt.Sprintf("%s-%d", resp.NextCursor.Topic, resp.NextCursor.Partition)
		}
		return got, next
	}
	at := func(topic string, n int32) *kmsg.DescribeTopicPartitionsRequestCursor {
		return &kmsg.DescribeTopicPartitionsRequestCursor{Topic: topic, Partition: n}
	}
	for name, step := range map[string]struct {
		limit  int32
		cursor *kmsg.DescribeTopicPartitionsRequestCursor
		names  []string
		want   []string
		next   string
	}{
		"all":                 {limit: 100, want: []string{"a-0", "a-1", "a-2", "b-0", "b-1", "b-2"}},
		"sorted and once":     {limit: 100, names: []string{"b", "a", "b"}, want: []string{"a-0", "a-1", "a-2", "b-0", "b-1", "b-2"}},
		"a limit":             {limit: 2, want: []string{"a-0", "a-1"}, next: "a-2"},
		"a limit at the edge": {limit: 3, want: []string{"a-0", "a-1", "a-2"}, next: "b-0"},
		"a limit of nothing":  {limit: 0, want: []string{"a-0"}, next: "a-1"},
		"going on":            {limit: 2, cursor: at("a", 2), want: []string{"a-2", "b-0"}, next: "b-1"},
		"a negative cursor":   {limit: 2, cursor: at("a", -1), names: []string{"a"}, want: []string{"a error 42"}},
		"a cursor behind all": {limit: 2, cursor: at("z", 0), names: []string{"a"}, want: []string{"a error 42"}},
		"unknown":             {limit: 9, names: []string{"x"}, want: []string{"x error 3"}},
		"a bad name":          {limit: 9, names: []string{"x/"}, want: []string{"x/ error 17"}},
	} {
		if got, next := describe(step.limit, step.cursor, step.names...); !slices.Equal(got, step.want) || next != step.next {
			t.Errorf("%s: %v and %q, want %v and %q", name, got, next, step.want, step.next)
		}
	}
}

func TestTopicRules(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("here", 1)
	c.CreateTopic("compacted", 1, "cleanup.policy", "compact")
	conn := c.Dial()
	text := func(s string) *string { return &s }
	create := func(topics ...kmsg.CreateTopicsRequestTopic) []kmsg.CreateTopicsResponseTopic {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.Topics, req.TimeoutMillis = 7, topics, 10_000
		return conn.Request(req).(*kmsg.CreateTopicsResponse).Topics
	}
	for name, step := range map[string]struct {
		topic kmsg.CreateTopicsRequestTopic
		want  int16
	}{
		"defaults":        {kmsg.CreateTopicsRequestTopic{Topic: "d", NumPartitions: -1, ReplicationFactor: -1}, 0},
		"no partitions":   {kmsg.CreateTopicsRequestTopic{Topic: "x", NumPartitions: 0, ReplicationFactor: 1}, 37},
		"two replicas":    {kmsg.CreateTopicsRequestTopic{Topic: "x", NumPartitions: 1, ReplicationFactor: 2}, 38},
		"a bad name":      {kmsg.CreateTopicsRequestTopic{Topic: "x y", NumPartitions: 1, ReplicationFactor: 1}, 17},
		"exists":          {kmsg.CreateTopicsRequestTopic{Topic: "here", NumPartitions: 1, ReplicationFactor: 1}, 36},
		"an unknown key":  {kmsg.CreateTopicsRequestTopic{Topic: "x", NumPartitions: 1, ReplicationFactor: 1, Configs: []kmsg.CreateTopicsRequestTopicConfig{{Name: "nonsense", Value: text("1")}}}, 40},
		"a bad value":     {kmsg.CreateTopicsRequestTopic{Topic: "x", NumPartitions: 1, ReplicationFactor: 1, Configs: []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: text("soon")}}}, 40},
		"an unknown node": {kmsg.CreateTopicsRequestTopic{Topic: "x", NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{99}}}}, 39},
	} {
		got := create(step.topic)[0]
		if got.ErrorCode != step.want || step.want != 0 && (got.NumPartitions != -1 || got.Configs == nil || len(got.Configs) > 0) {
			t.Errorf("%s: %+v, want %d", name, got, step.want)
		}
		if step.want == 0 && (got.NumPartitions != 1 || len(got.Configs) < 20 || got.TopicID == [16]byte{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	twice := kmsg.CreateTopicsRequestTopic{Topic: "twice", NumPartitions: 1, ReplicationFactor: 1}
	once := kmsg.CreateTopicsRequestTopic{Topic: "once", NumPartitions: 1, ReplicationFactor: 1}
	codes := map[string]int16{}
	for _, got := range create(twice, once, twice) {
		codes[got.Topic] = got.ErrorCode
	}
	if len(codes) != 2 || codes["twice"] != 42 || codes["once"] != 0 {
		t.Errorf("a topic that is named twice: %v", codes)
	}

	for _, step := range []struct {
		topic  string
		offset int64
		want   int16
	}{{"here", 5, 1}, {"here", -2, 1}, {"here", -1, 0}, {"compacted", 0, 44}, {"missing", 0, 3}} {
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.Version, req.TimeoutMillis = 2, 5000
		req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: step.topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: step.offset}}}}
		if got := conn.Request(req).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]; got.ErrorCode != step.want {
			t.Errorf("delete records of %s before %d: %d, want %d", step.topic, step.offset, got.ErrorCode, step.want)
		}
	}

	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TimeoutMillis = 6, 5000
	del.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: text("here")}, {Topic: text("missing")}, {TopicID: [16]byte{3}}}
	var deleted []int16
	for _, got := range conn.Request(del).(*kmsg.DeleteTopicsResponse).Topics {
		deleted = append(deleted, got.ErrorCode)
		if got.ErrorCode == 100 && got.Topic != nil {
			t.Errorf("an unknown id has the name %q", *got.Topic)
		}
	}
	slices.Sort(deleted)
	if !slices.Equal(deleted, []int16{0, 3, 100}) {
		t.Errorf("deleting: %v", deleted)
	}
}

func TestListOffsetsRules(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 1)
	conn := c.Dial()
	produceTo(conn, 9, "t", testBatch(3))
	for _, step := range []struct {
		version   int16
		timestamp int64
		want      int16
		offset    int64
	}{
		{1, -1, 0, 3}, {1, -2, 0, 0}, {6, -3, 35, -1}, {7, -3, 0, 0}, {7, -4, 35, -1}, {8, -4, 0, 0}, {8, -5, 35, -1}, {9, -5, 0, -1},
		{10, -6, 35, -1}, {11, -6, 0, -1}, {11, -7, 35, -1}, {5, 0, 0, 0}, {5, 1 << 60, 0, -1},
	} {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Timestamp = step.timestamp
		req := &kmsg.ListOffsetsRequest{Version: step.version, ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{part}}}}
		got := conn.Request(req).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
		if got.ErrorCode != step.want || got.Offset != step.offset {
			t.Errorf("timestamp %d at v%d: error %d, offset %d, want %d, %d", step.timestamp, step.version, got.ErrorCode, got.Offset, step.want, step.offset)
		}
	}

	epoch := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	epoch.LeaderEpoch = 0
	req := &kmsg.OffsetForLeaderEpochRequest{Version: 4, ReplicaID: -1, Topics: []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{epoch}}}}
	if got := conn.Request(req).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]; got.EndOffset != 3 || got.LeaderEpoch != 0 {
		t.Errorf("the present epoch: %+v", got)
	}
	req.Topics[0].Partitions[0].LeaderEpoch = 9
	if got := conn.Request(req).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.EndOffset != -1 || got.LeaderEpoch != -1 {
		t.Errorf("an epoch to come: %+v", got)
	}
}

func TestBrokerValuesAreTopicDefaults(t *testing.T) {
	parsed, err := broker.ParseConfig(map[string]string{"log.retention.hours": "2", "message.max.bytes": "300"})
	if err != nil {
		t.Fatal(err)
	}
	c := brokertest.Start(t, func(cfg *broker.Config) { cfg.Static = parsed.Static })
	c.CreateTopic("t", 1)
	conn := c.Dial()
	req := &kmsg.DescribeConfigsRequest{Version: 4, IncludeSynonyms: true, IncludeDocumentation: true, Resources: []kmsg.DescribeConfigsRequestResource{
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t", ConfigNames: []string{"retention.ms", "max.message.bytes"}},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "missing"},
		{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "55"},
	}}
	resp := conn.Request(req).(*kmsg.DescribeConfigsResponse)
	values := map[string]string{}
	for _, c := range resp.Resources[0].Configs {
		values[c.Name] = *c.Value
		if c.Source.String() != "STATIC_BROKER_CONFIG" || len(c.ConfigSynonyms) < 2 || *c.Documentation == "" {
			t.Errorf("%+v", c)
		}
	}
	if len(values) != 2 || values["retention.ms"] != "7200000" || values["max.message.bytes"] != "300" {
		t.Errorf("got %v", values)
	}
	if resp.Resources[1].ErrorCode != 3 || resp.Resources[2].ErrorCode != 42 {
		t.Errorf("got %d, %d", resp.Resources[1].ErrorCode, resp.Resources[2].ErrorCode)
	}
	if got := produceTo(conn, 9, "t", testBatch(30)); got.ErrorCode != 10 {
		t.Errorf("a batch above message.max.bytes: %+v", got)
	}
}

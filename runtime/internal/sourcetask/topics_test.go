package sourcetask_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"millrace/broker/brokertest"
	"millrace/runtime/internal/sourcetask"
)

func TestTopicCreation(t *testing.T) {
	b := brokertest.Start(t)
	admin := kadm.NewClient(b.Client())
	tc, err := sourcetask.ParseTopicCreation(map[string]string{
		"topic.creation.groups":                     "logs,wide",
		"topic.creation.default.replication.factor": "-1",
		"topic.creation.default.partitions":         "2",
		"topic.creation.logs.include":               "log-.*",
		"topic.creation.logs.exclude":               "log-x,log-y",
		"topic.creation.logs.cleanup.policy":        "compact",
		"topic.creation.wide.include":               "log-x,w(?!all).*+",
		"topic.creation.wide.partitions":            "5",
	}, admin)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		topic, policy string
		partitions    int
	}{{"log-a", "compact", 2}, {"log-x", "delete", 5}, {"log-y", "delete", 2}, {"a-log-b", "delete", 2}, {"w", "delete", 5}, {"wall", "delete", 2}}
	for _, tt := range tests {
		for range 2 { // the second finds it there
			if err := tc.Ensure(t.Context(), tt.topic); err != nil {
				t.Fatal(err)
			}
		}
		topics, err := kadm.NewClient(b.Client()).ListTopics(t.Context(), tt.topic) // a client of its own: they cache
		if err != nil || len(topics[tt.topic].Partitions) != tt.partitions {
			t.Errorf("%s: %d partitions, %v, want %d", tt.topic, len(topics[tt.topic].Partitions), err, tt.partitions)
		}
		configs, err := admin.DescribeTopicConfigs(t.Context(), tt.topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range configs[0].Configs {
			if c.Key == "cleanup.policy" && c.MaybeValue() != tt.policy {
				t.Errorf("%s: cleanup.policy %s, want %s", tt.topic, c.MaybeValue(), tt.policy)
			}
		}
	}
}

func TestParseTopicCreation(t *testing.T) {
	if tc, err := sourcetask.ParseTopicCreation(map[string]string{"topic": "t"}, nil); tc != nil || err != nil {
		t.Errorf("without keys: %v, %v", tc, err)
	}
	tests := map[string]map[string]string{
		`Missing required configuration "topic.creation.default.replication.factor"`: {"topic.creation.default.partitions": "1"},
		`Invalid value 0 for configuration topic.creation.default.partitions: Number of partitions must be positive`: {
			"topic.creation.default.partitions": "0", "topic.creation.default.replication.factor": "1"},
		`topic.creation.g.include`: {"topic.creation.groups": "g", "topic.creation.g.include": "(x",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"},
	}
	for want, config := range tests {
		if _, err := sourcetask.ParseTopicCreation(config, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}

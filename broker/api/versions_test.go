package api

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestVersions checks the table against what Apache Kafka 4.3.1 advertises: the same floor, and every version up to the
// lower of its maximum and kmsg's.
func TestVersions(t *testing.T) {
	want := map[kmsg.Key][2]int16{
		kmsg.Produce: {0, 13}, kmsg.Fetch: {4, 18}, kmsg.ListOffsets: {1, 11}, kmsg.Metadata: {0, 13},
		kmsg.OffsetCommit: {2, 10}, kmsg.OffsetFetch: {1, 10}, kmsg.FindCoordinator: {0, 6}, kmsg.JoinGroup: {0, 9},
		kmsg.Heartbeat: {0, 4}, kmsg.LeaveGroup: {0, 5}, kmsg.SyncGroup: {0, 5}, kmsg.DescribeGroups: {0, 6},
		kmsg.ListGroups: {0, 5}, kmsg.ApiVersions: {0, 4}, kmsg.CreateTopics: {2, 7}, kmsg.DeleteTopics: {1, 6},
		kmsg.DeleteRecords: {0, 2}, kmsg.InitProducerID: {0, 5}, kmsg.OffsetForLeaderEpoch: {2, 4},
		kmsg.DescribeConfigs: {1, 4}, kmsg.AlterConfigs: {0, 2}, kmsg.DescribeLogDirs: {1, 5},
		kmsg.CreatePartitions: {0, 3}, kmsg.DeleteGroups: {0, 2}, kmsg.IncrementalAlterConfigs: {0, 1},
		kmsg.OffsetDelete: {0, 0}, kmsg.DescribeCluster: {0, 2}, kmsg.DescribeTopicPartitions: {0, 0},
		kmsg.DescribeQuorum: {0, 2}, kmsg.UnregisterBroker: {0, 0}, kmsg.AddRaftVoter: {0, 1}, kmsg.RemoveRaftVoter: {0, 0},
		kmsg.ElectLeaders: {0, 2}, kmsg.AlterPartitionAssignments: {0, 1}, kmsg.ListPartitionReassignments: {0, 0},
	}
	var unlisted []kmsg.Key
	table := newTable(rows)
	for key, e := range table {
		k := kmsg.Key(key)
		switch w, ok := want[k]; {
		case e != nil && e.unlisted:
			unlisted = append(unlisted, k)
		case e == nil && ok:
			t.Errorf("%s is not served", k.Name())
		case e != nil && !ok:
			t.Errorf("%s is served unexpectedly", k.Name())
		case e != nil && (e.min != w[0] || e.max != w[1]):
			t.Errorf("%s: %d-%d, want %d-%d", k.Name(), e.min, e.max, w[0], w[1])
		}
	}
	if want := []kmsg.Key{kmsg.AlterPartition, kmsg.BrokerRegistration, kmsg.BrokerHeartbeat, kmsg.AllocateProducerIDs, kmsg.GetTelemetrySubscriptions, kmsg.PushTelemetry}; !slices.Equal(unlisted, want) {
		t.Errorf("answered but not shown: %v, want %v", unlisted, want)
	}
}

// TestFlexible checks where header version 2 begins for keys whose rules are easy to get wrong.
func TestFlexible(t *testing.T) {
	table := newTable(rows)
	for key, want := range map[kmsg.Key]int16{
		kmsg.Produce: 9, kmsg.Fetch: 12, kmsg.Metadata: 9, kmsg.ApiVersions: 3, kmsg.DescribeTopicPartitions: 0, kmsg.DescribeCluster: 0,
	} {
		if got := table[key].flexible; got != want {
			t.Errorf("%s: flexible from %d, want %d", key.Name(), got, want)
		}
	}
}

package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// row is one API of the version table.
type row struct {
	key kmsg.Key
	// min and max are advertised in ApiVersions, unless unlisted.
	min, max int16
	handle   handler

	// serves is the lowest version that is answered, if that is not min: see Produce.
	serves int16
	// forward: the controller answers, on whichever node it is.
	forward bool
	// unlisted: answered, but not shown in ApiVersions.
	unlisted bool
}

// rows is the one table of what is served; ApiVersions is made from it. Versions go from Apache Kafka 4's floor to the
// lower of what Apache Kafka 4.3.1 advertises and what kmsg knows, without holes: older clients do not check ranges
// version by version.
//
// Ranges must agree with each other: topic ids in Fetch 13, Produce 13, OffsetCommit 10 and OffsetFetch 10 need
// Metadata 12. Clients use the parts of Produce 12 that belong to transactions only when transaction.version 2 is finalized.
var rows = []row{
	// librdkafka before 2.11 compresses only if version 0 is in the range; nobody sends it. Like Apache Kafka, refuse it then.
	{key: kmsg.Produce, min: 0, serves: 3, max: 13, handle: produce},
	{key: kmsg.Fetch, min: 4, max: 18, handle: fetch},
	{key: kmsg.ListOffsets, min: 1, max: 11, handle: now((*API).listOffsets)},
	{key: kmsg.Metadata, min: 0, max: 13, handle: now((*API).metadata)},
	{key: kmsg.OffsetCommit, min: 2, max: 10, handle: later((*API).offsetCommit)},
	{key: kmsg.OffsetFetch, min: 1, max: 10, handle: later((*API).offsetFetch)},
	{key: kmsg.FindCoordinator, min: 0, max: 6, handle: now((*API).findCoordinator)},
	{key: kmsg.JoinGroup, min: 0, max: 9, handle: later((*API).joinGroup)},
	{key: kmsg.Heartbeat, min: 0, max: 4, handle: later((*API).heartbeat)},
	{key: kmsg.LeaveGroup, min: 0, max: 5, handle: later((*API).leaveGroup)},
	{key: kmsg.SyncGroup, min: 0, max: 5, handle: later((*API).syncGroup)},
	{key: kmsg.DescribeGroups, min: 0, max: 6, handle: later((*API).describeGroups)},
	{key: kmsg.ListGroups, min: 0, max: 5, handle: later((*API).listGroups)},
	{key: kmsg.ApiVersions, min: 0, max: 4, handle: now((*API).apiVersions)},
	{key: kmsg.CreateTopics, min: 2, max: 7, handle: now((*API).createTopics), forward: true},
	{key: kmsg.DeleteTopics, min: 1, max: 6, handle: now((*API).deleteTopics), forward: true},
	{key: kmsg.DeleteRecords, min: 0, max: 2, handle: now((*API).deleteRecords)},
	{key: kmsg.InitProducerID, min: 0, max: 5, handle: now((*API).initProducerID)},
	{key: kmsg.OffsetForLeaderEpoch, min: 2, max: 4, handle: now((*API).offsetForLeaderEpoch)},
	{key: kmsg.DescribeConfigs, min: 1, max: 4, handle: now((*API).describeConfigs)},
	{key: kmsg.AlterConfigs, min: 0, max: 2, handle: now((*API).alterConfigs), forward: true},
	{key: kmsg.DescribeLogDirs, min: 1, max: 5, handle: now((*API).describeLogDirs)},
	{key: kmsg.CreatePartitions, min: 0, max: 3, handle: now((*API).createPartitions), forward: true},
	{key: kmsg.DeleteGroups, min: 0, max: 2, handle: later((*API).deleteGroups)},
	{key: kmsg.ElectLeaders, min: 0, max: 2, handle: now((*API).electLeaders), forward: true},
	{key: kmsg.IncrementalAlterConfigs, min: 0, max: 1, handle: now((*API).incrementalAlterConfigs), forward: true},
	{key: kmsg.AlterPartitionAssignments, min: 0, max: 1, handle: now((*API).alterPartitionReassignments), forward: true},
	{key: kmsg.ListPartitionReassignments, min: 0, max: 0, handle: now((*API).listPartitionReassignments), forward: true},
	{key: kmsg.OffsetDelete, min: 0, max: 0, handle: later((*API).offsetDelete)},
	{key: kmsg.AlterPartition, min: 3, max: 3, handle: now((*API).alterPartition), unlisted: true},
	{key: kmsg.DescribeQuorum, min: 0, max: 2, handle: now((*API).describeQuorum), forward: true},
	{key: kmsg.UnregisterBroker, min: 0, max: 0, handle: now((*API).unregisterBroker), forward: true},
	{key: kmsg.AddRaftVoter, min: 0, max: 1, handle: now((*API).addRaftVoter), forward: true},
	{key: kmsg.RemoveRaftVoter, min: 0, max: 0, handle: now((*API).removeRaftVoter), forward: true},
	{key: kmsg.DescribeCluster, min: 0, max: 2, handle: now((*API).describeCluster)},
	{key: kmsg.BrokerRegistration, min: 4, max: 4, handle: now((*API).brokerRegistration), unlisted: true},
	{key: kmsg.BrokerHeartbeat, min: 0, max: 2, handle: now((*API).brokerHeartbeat), unlisted: true},
	{key: kmsg.AllocateProducerIDs, min: 0, max: 0, handle: now((*API).allocateProducerIDsFor), forward: true, unlisted: true},
	{key: kmsg.GetTelemetrySubscriptions, min: 0, max: 0, handle: now((*API).getTelemetrySubscriptions), unlisted: true},
	{key: kmsg.PushTelemetry, min: 0, max: 0, handle: now((*API).pushTelemetry), unlisted: true},
	{key: kmsg.DescribeTopicPartitions, min: 0, max: 0, handle: now((*API).describeTopicPartitions)},
}

// entry is a row with what follows from it.
type entry struct {
	row
	flexible int16 // first version with a flexible header, -1 if there is none
}

// maxKey bounds the table that requests are looked up in.
const maxKey = 128

// newTable indexes rows by key. A mistake in rows is a programming error and panics at start.
func newTable(rows []row) (t [maxKey]*entry) {
	for _, r := range rows {
		if r.serves < r.min {
			r.serves = r.min
		}
		req := r.key.Request()
		if req == nil || r.max > req.MaxVersion() || r.min > r.max || r.key.Int16() >= maxKey || t[r.key.Int16()] != nil {
			panic(fmt.Sprintf("api: bad version table row for key %d", r.key.Int16()))
		}
		e := &entry{row: r, flexible: -1}
		for v := r.max; v >= 0; v-- {
			if req.SetVersion(v); req.IsFlexible() {
				e.flexible = v
			}
		}
		t[r.key.Int16()] = e
	}
	return t
}

// entry returns the table's entry for a key, or nil.
func (a *API) entry(key int16) *entry {
	if key < 0 || key >= maxKey {
		return nil
	}
	return a.table[key]
}

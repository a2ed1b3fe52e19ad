package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// listOffsetsSince is the first version that may ask for each special timestamp (KIP-734, KIP-405, KIP-1005, KIP-1023).
var listOffsetsSince = map[int64]int16{
	partition.TimestampLatest:                0,
	partition.TimestampEarliest:              0,
	partition.TimestampMax:                   7,
	partition.TimestampEarliestLocal:         8,
	partition.TimestampLatestTiered:          9,
	partition.TimestampEarliestPendingUpload: 11,
}

// ListOffsets, versions 1 to 11.
//
//   - v2 isolation level, v4 leader epochs, v6 flexible, v10 timeout (of no use without remote storage)
//   - special timestamps as listed in listOffsetsSince; one that is too new for the version, or unknown, is
//     UNSUPPORTED_VERSION for its partition
func (a *API) listOffsets(_ context.Context, _ *Call, req *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	image := a.image()
	isolation := partition.ReadUncommitted
	switch {
	case req.ReplicaID >= 0:
		isolation = partition.ReadReplica
	case req.IsolationLevel == 1:
		isolation = partition.ReadCommitted
	}
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = rt.Topic
		t := image.Topic(rt.Topic)
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			out := kmsg.NewListOffsetsResponseTopicPartition()
			out.Partition, out.Offset, out.Timestamp, out.LeaderEpoch = rp.Partition, -1, -1, -1
			found, err := a.listOffset(t, rp, req.Version, isolation)
			if err != nil {
				out.ErrorCode = errorCode(err)
			} else {
				out.Offset, out.Timestamp, out.LeaderEpoch = found.Offset, found.Timestamp, found.LeaderEpoch
			}
			topic.Partitions = append(topic.Partitions, out)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (a *API) listOffset(t *metadata.Topic, rp *kmsg.ListOffsetsRequestTopicPartition, version int16, isolation partition.Isolation) (partition.ListedOffset, error) {
	if since, special := listOffsetsSince[rp.Timestamp]; rp.Timestamp < 0 && (!special || version < since) {
		return partition.ListedOffset{}, kerr.UnsupportedVersion
	}
	p, err := a.leader(t, rp.Partition)
	if err == nil {
		err = checkEpoch(p, rp.CurrentLeaderEpoch)
	}
	if err != nil {
		return partition.ListedOffset{}, err
	}
	found, err := p.ListOffset(rp.Timestamp, isolation)
	if errors.Is(err, partition.ErrInvalidTimestamp) {
		err = kerr.UnsupportedVersion
	}
	return found, err
}

// checkEpoch compares the leader epoch a client believes in, which is below zero if it does not say, with the log's.
func checkEpoch(p *partition.Partition, epoch int32) error {
	switch current := p.LeaderEpoch(); {
	case epoch > current:
		return partition.ErrUnknownLeaderEpoch
	case epoch >= 0 && epoch < current:
		return partition.ErrFencedLeaderEpoch
	}
	return nil
}

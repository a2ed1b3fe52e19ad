package api

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// maxDescribedPartitions is max.request.partition.size.limit, the most partitions in one answer.
const maxDescribedPartitions = 2000

// DescribeTopicPartitions, version 0 (KIP-966): topics in the order of their names, a limited number of partitions at a
// time, and a cursor to go on with. A topic that is named twice comes once; a limit below one counts as one.
func (a *API) describeTopicPartitions(_ context.Context, _ *Call, req *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	image := a.image()
	names := make([]string, 0, len(req.Topics))
	for i := range req.Topics {
		names = append(names, req.Topics[i].Topic)
	}
	all := len(names) == 0
	if all {
		for t := range image.Topics() {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	from := int32(0)
	if cur := req.Cursor; cur != nil {
		names = slices.DeleteFunc(names, func(n string) bool { return n < cur.Topic })
		if cur.Partition < 0 || len(names) == 0 && !all {
			for i := range req.Topics {
				resp.Topics = append(resp.Topics, topicFault(req.Topics[i].Topic, kerr.InvalidRequest))
			}
			return resp
		}
		if len(names) > 0 && names[0] == cur.Topic {
			from = cur.Partition
		}
	}
	left := max(1, min(int(req.ResponsePartitionLimit), maxDescribedPartitions))
	for _, name := range names {
		t := image.Topic(name)
		if t == nil {
			code := kerr.UnknownTopicOrPartition
			if metadata.ValidateTopicName(name) != nil {
				code = kerr.InvalidTopicException
			}
			resp.Topics = append(resp.Topics, topicFault(name, code))
			continue
		}
		if left == 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name}
			break
		}
		out, next := describePartitions(image, t, from, left)
		resp.Topics = append(resp.Topics, out)
		if next >= 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: next}
			break
		}
		left -= len(out.Partitions)
		from = 0
	}
	return resp
}

func topicFault(name string, code *kerr.Error) kmsg.DescribeTopicPartitionsResponseTopic {
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	name = strings.Clone(name)
	out.Topic, out.ErrorCode, out.AuthorizedOperations = &name, code.Code, notAsked
	return out
}

// describePartitions lists at most limit partitions of t; next is the first one left out, -1 if there is none.
func describePartitions(image *metadata.Image, t *metadata.Topic, from int32, limit int) (out kmsg.DescribeTopicPartitionsResponseTopic, next int32) {
	out = kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.TopicID, out.IsInternal, out.AuthorizedOperations = &t.Name, t.ID, metadata.IsInternal(t.Name), allTopicOps
	for n := int(from); n < len(t.Partitions); n++ {
		if len(out.Partitions) == limit {
			return out, int32(n)
		}
		p := &t.Partitions[n]
		op := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		op.Partition, op.LeaderID, op.LeaderEpoch = int32(n), int32(p.Leader), int32(p.LeaderEpoch)
		op.Replicas, op.ISR = brokerIDs(p.Replicas), brokerIDs(p.ISR)
		op.EligibleLeaderReplicas, op.LastKnownELR = brokerIDs(p.ELR), []int32{}
		op.OfflineReplicas = offline(image, p)
		if p.Leader == metadata.NoBroker {
			op.ErrorCode = kerr.LeaderNotAvailable.Code
		}
		out.Partitions = append(out.Partitions, op)
	}
	return out, -1
}

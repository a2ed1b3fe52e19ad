package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// DeleteRecords, versions 0 to 2 (KIP-107; v2 flexible): moves log starts up; -1 is the high watermark. A topic that is only
// compacted is POLICY_VIOLATION, an internal one INVALID_TOPIC_EXCEPTION.
func (a *API) deleteRecords(_ context.Context, _ *Call, req *kmsg.DeleteRecordsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	image := a.image()
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := kmsg.NewDeleteRecordsResponseTopic()
		topic.Topic = rt.Topic
		t := image.Topic(rt.Topic)
		for _, rp := range rt.Partitions {
			out := kmsg.NewDeleteRecordsResponseTopicPartition()
			out.Partition, out.LowWatermark = rp.Partition, -1
			if low, err := a.deleteBefore(t, rp.Partition, rp.Offset); err != nil {
				out.ErrorCode = errorCode(err)
			} else {
				out.LowWatermark = low
			}
			topic.Partitions = append(topic.Partitions, out)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (a *API) deleteBefore(t *metadata.Topic, n int32, offset int64) (int64, error) {
	p, err := a.leader(t, n)
	switch {
	case err != nil:
		return -1, err
	case metadata.IsInternal(t.Name):
		return -1, metadata.ErrInvalidTopic
	}
	return p.DeleteRecordsBefore(offset)
}

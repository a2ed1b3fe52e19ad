package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/group"
)

// OffsetCommit, versions 2 to 10.
//
//   - v2 to v4 carry a retention time of their own, v5 dropped it (KIP-211); v6 leader epochs (KIP-320), v7 static members
//   - v8 flexible; v9 member epochs (KIP-848), which classic groups read as their generation; v10 topics by id
//
// Errors come per partition. The answer waits until the offsets are durable.
func (a *API) offsetCommit(_ context.Context, c *Call, req *kmsg.OffsetCommitRequest) Reply {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	commit := group.CommitRequest{
		MemberRef: memberRef(req.Group, req.Generation, req.MemberID, req.InstanceID),
		NewErrors: req.Version >= 9,
		Retention: -1,
	}
	if req.Version <= 4 && req.RetentionTimeMillis >= 0 {
		commit.Retention = millis64(req.RetentionTimeMillis)
	}
	byID := req.Version >= 10
	var places []*int16 // of the codes of commit.Offsets
	image := a.image()
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(req.Topics))
	for i := range req.Topics {
		rt := &req.Topics[i]
		out := &resp.Topics[i]
		out.Topic, out.TopicID = rt.Topic, rt.TopicID
		out.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(rt.Partitions))
		t := requestedTopic(image, rt.Topic, rt.TopicID, byID)
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			po := &out.Partitions[j]
			po.Partition = rp.Partition
			switch {
			case t == nil && byID:
				po.ErrorCode = kerr.UnknownTopicID.Code
				continue
			case t.Partition(rp.Partition) == nil:
				po.ErrorCode = kerr.UnknownTopicOrPartition.Code
				continue
			}
			o := group.OffsetCommit{
				TopicPartition: group.TopicPartition{Topic: t.Name, Partition: rp.Partition},
				TopicID:        t.ID, Offset: rp.Offset, LeaderEpoch: -1,
			}
			if req.Version >= 6 {
				o.LeaderEpoch = rp.LeaderEpoch
			}
			if rp.Metadata != nil {
				o.Metadata = *rp.Metadata
			}
			commit.Offsets = append(commit.Offsets, o)
			places = append(places, &po.ErrorCode)
		}
	}
	if len(places) == 0 {
		return c.Now(resp)
	}
	p := c.Promise()
	a.cfg.Groups.Commit(commit, func(results []error, err error) {
		for i, code := range places {
			if err != nil {
				*code = errorCode(err)
			} else {
				*code = errorCode(results[i])
			}
		}
		p.Set(resp)
	})
	return p
}

func memberRef(groupID string, generation int32, memberID string, instanceID *string) group.MemberRef {
	ref := group.MemberRef{Group: groupID, Generation: generation, MemberID: memberID}
	if instanceID != nil {
		ref.InstanceID = *instanceID
	}
	return ref
}

// millis64 converts milliseconds, which go further than a Duration.
func millis64(ms int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(ms, most)) * time.Millisecond
}

func millis32(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

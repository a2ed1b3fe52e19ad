package api

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/group"
	"millrace/broker/metadata"
)

// OffsetFetch, versions 1 to 10.
//
//   - v2 null topics are all topics, and a code for the whole group; v5 leader epochs; v7 only stable offsets (KIP-447)
//   - v8 several groups in one request; v9 member epochs (KIP-848), not looked at for classic groups; v10 topics by id
//
// A partition without an offset, or a group nobody knows, has offset -1 and no error.
func (a *API) offsetFetch(_ context.Context, c *Call, req *kmsg.OffsetFetchRequest) Reply {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	p := c.Promise()
	if req.Version < 8 {
		a.fetchOneGroup(p, req, resp)
		return p
	}
	if len(req.Groups) == 0 {
		return c.Now(resp)
	}
	image := a.image()
	resp.Groups = make([]kmsg.OffsetFetchResponseGroup, len(req.Groups))
	var left atomic.Int32
	left.Store(int32(len(req.Groups)))
	for i := range req.Groups {
		rg, out := &req.Groups[i], &resp.Groups[i]
		out.Default()
		out.Group = rg.Group
		want, unknown := wantedOffsets(image, rg, req.Version >= 10)
		a.cfg.Groups.FetchOffsets(rg.Group, want, func(offsets []group.FetchedOffset, err error) {
			if out.ErrorCode = errorCode(err); err == nil {
				fillOffsets(image, out, offsets, req.Version >= 10)
				out.Topics = append(out.Topics, unknown...)
			}
			if left.Add(-1) == 0 {
				p.Set(resp)
			}
		})
	}
	return p
}

// wantedOffsets returns the partitions asked for, nil for all, and the answer for topics whose id nobody knows.
func wantedOffsets(image *metadata.Image, rg *kmsg.OffsetFetchRequestGroup, byID bool) (want []group.TopicPartition, unknown []kmsg.OffsetFetchResponseGroupTopic) {
	if rg.Topics == nil {
		return nil, nil
	}
	want = []group.TopicPartition{}
	for i := range rg.Topics {
		rt := &rg.Topics[i]
		name := rt.Topic
		if byID {
			t := image.TopicByID(rt.TopicID)
			if t == nil {
				out := kmsg.NewOffsetFetchResponseGroupTopic()
				out.TopicID = rt.TopicID
				for _, n := range rt.Partitions {
					po := kmsg.NewOffsetFetchResponseGroupTopicPartition()
					po.Partition, po.Offset, po.LeaderEpoch, po.Metadata, po.ErrorCode = n, -1, -1, new(string), kerr.UnknownTopicID.Code
					out.Partitions = append(out.Partitions, po)
				}
				unknown = append(unknown, out)
				continue
			}
			name = t.Name
		}
		for _, n := range rt.Partitions {
			want = append(want, group.TopicPartition{Topic: name, Partition: n})
		}
	}
	return want, unknown
}

// fillOffsets answers one group. Offsets come with those of one topic side by side.
func fillOffsets(image *metadata.Image, out *kmsg.OffsetFetchResponseGroup, offsets []group.FetchedOffset, byID bool) {
	if byID { // a topic that was deleted just now has no id to name it by
		offsets = slices.DeleteFunc(offsets, func(o group.FetchedOffset) bool { return image.Topic(o.Topic) == nil })
	}
	for i := range offsets {
		o := &offsets[i]
		if i == 0 || offsets[i-1].Topic != o.Topic {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic = o.Topic
			if byID {
				t.TopicID = image.Topic(o.Topic).ID
			}
			out.Topics = append(out.Topics, t)
		}
		po := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		po.Partition, po.Offset, po.LeaderEpoch, po.Metadata = o.Partition, o.Offset, o.LeaderEpoch, &o.Metadata
		t := &out.Topics[len(out.Topics)-1]
		t.Partitions = append(t.Partitions, po)
	}
}

// fetchOneGroup answers versions before 8.
func (a *API) fetchOneGroup(p *Promise, req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse) {
	var want []group.TopicPartition
	if req.Topics != nil || req.Version < 2 {
		want = []group.TopicPartition{}
	}
	for i := range req.Topics {
		for _, n := range req.Topics[i].Partitions {
			want = append(want, group.TopicPartition{Topic: req.Topics[i].Topic, Partition: n})
		}
	}
	a.cfg.Groups.FetchOffsets(req.Group, want, func(offsets []group.FetchedOffset, err error) {
		resp.ErrorCode = errorCode(err)
		if err != nil && req.Version < 2 { // no other place for it
			for _, tp := range want {
				offsets = append(offsets, group.FetchedOffset{TopicPartition: tp, Offset: -1, LeaderEpoch: -1})
			}
		}
		for i := range offsets {
			o := &offsets[i]
			if i == 0 || offsets[i-1].Topic != o.Topic {
				t := kmsg.NewOffsetFetchResponseTopic()
				t.Topic = o.Topic
				resp.Topics = append(resp.Topics, t)
			}
			po := kmsg.NewOffsetFetchResponseTopicPartition()
			po.Partition, po.Offset, po.LeaderEpoch, po.Metadata = o.Partition, o.Offset, o.LeaderEpoch, &o.Metadata
			if req.Version < 2 {
				po.ErrorCode = errorCode(err)
			}
			t := &resp.Topics[len(resp.Topics)-1]
			t.Partitions = append(t.Partitions, po)
		}
		p.Set(resp)
	})
}

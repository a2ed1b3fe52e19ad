package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
	"millrace/broker/quorum"
)

// DescribeQuorum, versions 0 to 2 (v1 times, v2 directories and nodes, KIP-853): who votes on the metadata, who follows, and how
// far each is. Its only topic is __cluster_metadata.
func (a *API) describeQuorum(ctx context.Context, _ *Call, req *kmsg.DescribeQuorumRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	for i := range req.Topics {
		rt := kmsg.NewDescribeQuorumResponseTopic()
		rt.Topic = req.Topics[i].Topic
		for _, p := range req.Topics[i].Partitions {
			rp := kmsg.NewDescribeQuorumResponseTopicPartition()
			rp.Partition, rp.LeaderID = p.Partition, -1
			if rt.Topic == metadata.ClusterMetadataTopic && p.Partition == 0 {
				a.quorumState(ctx, &rp)
			} else {
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	image := a.image()
	for _, m := range image.Members() {
		node := kmsg.NewDescribeQuorumResponseNode()
		node.NodeID = int32(m.Node)
		if b := image.Broker(m.Node); b != nil {
			for _, l := range b.Listeners {
				nl := kmsg.NewDescribeQuorumResponseNodeListener()
				nl.Name, nl.Host, nl.Port = l.Name, l.Host, l.Port
				node.Listeners = append(node.Listeners, nl)
			}
		}
		resp.Nodes = append(resp.Nodes, node)
	}
	return resp
}

func (a *API) quorumState(ctx context.Context, rp *kmsg.DescribeQuorumResponseTopicPartition) {
	status, err := a.cfg.Controller.QuorumStatus(ctx)
	if err != nil || status.Progress == nil {
		rp.ErrorCode = kerr.NotLeaderForPartition.Code
		return
	}
	rp.LeaderID, rp.LeaderEpoch, rp.HighWatermark = int32(a.cfg.NodeID), int32(status.Term), int64(status.Commit)+1
	for _, m := range a.image().Members() {
		p, ok := status.Progress[m.RaftID]
		if !ok {
			continue
		}
		state := a.memberState(m, p, status)
		if p.Voter {
			rp.CurrentVoters = append(rp.CurrentVoters, state)
		} else {
			rp.Observers = append(rp.Observers, state)
		}
	}
}

// memberState is one member. When it was heard of last is known to within an election timeout only.
func (a *API) memberState(m metadata.Member, p quorum.Progress, s quorum.Status) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	state.ReplicaID, state.ReplicaDirectoryID, state.LogEndOffset = int32(m.Node), m.Directory, int64(p.Match)+1
	state.LastFetchTimestamp, state.LastCaughtUpTimestamp = -1, -1
	if now := a.cfg.Clock().UnixNano() / int64(time.Millisecond); p.Active {
		state.LastFetchTimestamp = now
		if p.Match >= s.Commit {
			state.LastCaughtUpTimestamp = now
		}
	}
	return state
}

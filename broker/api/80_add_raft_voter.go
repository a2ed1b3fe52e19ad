package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// AddRaftVoter, versions 0 and 1 (KIP-853): makes a node that follows the metadata a voter. The answer comes when that is decided;
// the node votes as soon as it has caught up.
func (a *API) addRaftVoter(ctx context.Context, _ *Call, req *kmsg.AddRaftVoterRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AddRaftVoterResponse)
	ctx, cancel := withTimeout(ctx, req.TimeoutMillis)
	defer cancel()
	err := a.setVoter(ctx, req.ClusterID, req.VoterID, req.VoterDirectoryID, true)
	resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
	return resp
}

// RemoveRaftVoter, version 0 (KIP-853): a voter becomes a learner, which follows the metadata like any broker.
func (a *API) removeRaftVoter(ctx context.Context, _ *Call, req *kmsg.RemoveRaftVoterRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
	err := a.setVoter(ctx, req.ClusterID, req.VoterID, req.VoterDirectoryID, false)
	resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
	return resp
}

func (a *API) setVoter(ctx context.Context, cluster *string, node int32, dir metadata.DirectoryID, voter bool) error {
	if cluster != nil && *cluster != a.image().ClusterID() {
		return kerr.InconsistentClusterID
	}
	return a.cfg.Controller.SetVoter(ctx, metadata.BrokerID(node), dir, voter)
}

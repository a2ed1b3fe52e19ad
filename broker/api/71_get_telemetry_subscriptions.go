package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/commitlog"
)

// GetTelemetrySubscriptions, version 0 (KIP-714), answered though not advertised, as on Apache Kafka without a receiver of
// telemetry: an instance id for a client that has none, and no metrics wanted.
func (a *API) getTelemetrySubscriptions(_ context.Context, _ *Call, req *kmsg.GetTelemetrySubscriptionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.GetTelemetrySubscriptionsResponse)
	resp.ClientInstanceID = req.ClientInstanceID
	if resp.ClientInstanceID == [16]byte{} {
		resp.ClientInstanceID = commitlog.NewID()
	}
	resp.AcceptedCompressionTypes = []int8{1, 2, 3, 4} // gzip, snappy, lz4, zstd
	resp.PushIntervalMillis = 60_000
	resp.TelemetryMaxBytes = 1 << 20
	resp.DeltaTemporality = true
	return resp
}

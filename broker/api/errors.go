package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/broker/controller"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// codes maps the conditions of the packages below to what clients are told. The order matters only for errors that match
// several.
var codes = []struct {
	is   error
	code *kerr.Error
}{
	{partition.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
	{partition.ErrCorruptBatch, kerr.CorruptMessage},
	{partition.ErrInvalidRecord, kerr.InvalidRecord},
	{partition.ErrInvalidTimestamp, kerr.InvalidTimestamp},
	{partition.ErrMessageTooLarge, kerr.MessageTooLarge},
	{partition.ErrUnsupportedCompression, kerr.UnsupportedCompressionType},
	{partition.ErrOutOfOrderSequence, kerr.OutOfOrderSequenceNumber},
	{partition.ErrInvalidProducerEpoch, kerr.InvalidProducerEpoch},
	{partition.ErrInvalidTxnState, kerr.InvalidTxnState},
	{partition.ErrCoordinatorFenced, kerr.TransactionCoordinatorFenced},
	{partition.ErrFencedLeaderEpoch, kerr.FencedLeaderEpoch},
	{partition.ErrUnknownLeaderEpoch, kerr.UnknownLeaderEpoch},
	{partition.ErrNotLeader, kerr.NotLeaderForPartition},
	{partition.ErrNotEnoughReplicas, kerr.NotEnoughReplicas},
	{partition.ErrNotEnoughReplicasAfterAppend, kerr.NotEnoughReplicasAfterAppend},
	{partition.ErrTimedOut, kerr.RequestTimedOut},
	{partition.ErrOffsetNotAvailable, kerr.OffsetNotAvailable},
	{partition.ErrPolicyViolation, kerr.PolicyViolation},
	// Both are retriable: another attempt finds space, or a partition that was opened again.
	{partition.ErrNoSpace, kerr.KafkaStorageError},
	{partition.ErrStorage, kerr.KafkaStorageError},
	// Requests end before the logs are closed, so a closed one has been deleted.
	{partition.ErrClosed, kerr.UnknownTopicOrPartition},

	{metadata.ErrUnknownTopic, kerr.UnknownTopicOrPartition},
	{metadata.ErrUnknownTopicID, kerr.UnknownTopicID},
	{metadata.ErrInvalidTopic, kerr.InvalidTopicException},
	{metadata.ErrTopicExists, kerr.TopicAlreadyExists},
	{metadata.ErrInvalidPartitions, kerr.InvalidPartitions},
	{metadata.ErrInvalidReplicationFactor, kerr.InvalidReplicationFactor},
	{metadata.ErrInvalidReplicaAssignment, kerr.InvalidReplicaAssignment},
	{metadata.ErrInvalidConfig, kerr.InvalidConfig},
	{metadata.ErrInvalidRequest, kerr.InvalidRequest},
	{metadata.ErrUnsupported, kerr.UnsupportedVersion},
	{metadata.ErrStaleBrokerEpoch, kerr.StaleBrokerEpoch},
	{metadata.ErrDuplicateBroker, kerr.DuplicateBrokerRegistration},
	{metadata.ErrUnknownBroker, kerr.BrokerIDNotRegistered},
	{metadata.ErrDuplicateVoter, kerr.DuplicateVoter},
	{metadata.ErrVoterNotFound, kerr.VoterNotFound},
	{metadata.ErrInconsistentCluster, kerr.InconsistentClusterID},

	{controller.ErrStaleBrokerEpoch, kerr.StaleBrokerEpoch},
	{controller.ErrFencedLeaderEpoch, kerr.FencedLeaderEpoch},
	{controller.ErrInvalidUpdateVersion, kerr.InvalidUpdateVersion},
	{controller.ErrIneligibleReplica, kerr.IneligibleReplica},
	{controller.ErrNoReassignment, kerr.NoReassignmentInProgress},
	{controller.ErrElectionNotNeeded, kerr.ElectionNotNeeded},
	{controller.ErrPreferredLeaderNotAvailable, kerr.PreferredLeaderNotAvailable},
	{controller.ErrEligibleLeadersNotAvailable, kerr.EligibleLeadersNotAvailable},
	{controller.ErrNotController, kerr.NotController},
	{controller.ErrTimeout, kerr.RequestTimedOut},
	{controller.ErrBusy, kerr.ThrottlingQuotaExceeded},
	{controller.ErrClosed, kerr.NotController},
	{context.DeadlineExceeded, kerr.RequestTimedOut},
	{context.Canceled, kerr.NotController},
}

// errorCode returns the Kafka error code for err, 0 for nil and UNKNOWN_SERVER_ERROR (-1) for what has no code.
func errorCode(err error) int16 {
	if err == nil {
		return 0
	}
	if k, ok := errors.AsType[*kerr.Error](err); ok {
		return k.Code
	}
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return c.code.Code
		}
	}
	return kerr.UnknownServerError.Code
}

// errorMessage returns the text that goes beside the code in answers that have a place for one: nil for no error and
// for errors that carry no text of their own.
func errorMessage(err error) *string {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*kerr.Error](err); ok {
		return nil
	}
	if refused, ok := errors.AsType[*metadata.Error](err); ok && refused.Message == "" {
		return nil
	}
	s := err.Error()
	return &s
}

package metadata

import "errors"

// Kinds of refusal that commands on metadata come back with. An Error wraps one of them, so callers test with
// errors.Is and the protocol layer maps each to its Kafka code.
var (
	// ErrUnknownTopic: no topic of that name, or no such partition of it (UNKNOWN_TOPIC_OR_PARTITION).
	ErrUnknownTopic = errors.New("unknown topic or partition")
	// ErrUnknownTopicID: no topic with that id (UNKNOWN_TOPIC_ID).
	ErrUnknownTopicID = errors.New("unknown topic id")
	// ErrInvalidTopic: the name breaks the rules for topic names (INVALID_TOPIC_EXCEPTION).
	ErrInvalidTopic = errors.New("invalid topic")
	// ErrTopicExists: the name is taken (TOPIC_ALREADY_EXISTS).
	ErrTopicExists = errors.New("topic already exists")
	// ErrInvalidPartitions: a partition count that cannot be served (INVALID_PARTITIONS).
	ErrInvalidPartitions = errors.New("invalid partitions")
	// ErrInvalidReplicationFactor: below one or above the number of live brokers (INVALID_REPLICATION_FACTOR).
	ErrInvalidReplicationFactor = errors.New("invalid replication factor")
	// ErrInvalidReplicaAssignment: a manual assignment with a fault (INVALID_REPLICA_ASSIGNMENT).
	ErrInvalidReplicaAssignment = errors.New("invalid replica assignment")
	// ErrInvalidConfig: an unknown config key or a value outside its rule (INVALID_CONFIG).
	ErrInvalidConfig = errors.New("invalid config")
	// ErrInvalidRequest: the request contradicts itself (INVALID_REQUEST).
	ErrInvalidRequest = errors.New("invalid request")
	// ErrDuplicateBroker: another live process registered the same node id (DUPLICATE_BROKER_REGISTRATION).
	ErrDuplicateBroker = errors.New("duplicate broker registration")
	// ErrStaleBrokerEpoch: a broker speaks under a registration that is not in force (STALE_BROKER_EPOCH).
	ErrStaleBrokerEpoch = errors.New("stale broker epoch")
	// ErrUnknownBroker: no broker of that id is registered (BROKER_ID_NOT_REGISTERED).
	ErrUnknownBroker = errors.New("broker not registered")
	// ErrInconsistentCluster: a node of another cluster (INCONSISTENT_CLUSTER_ID).
	ErrInconsistentCluster = errors.New("inconsistent cluster id")
	// ErrDuplicateVoter: the node votes already (DUPLICATE_VOTER).
	ErrDuplicateVoter = errors.New("duplicate voter")
	// ErrVoterNotFound: the node does not vote (VOTER_NOT_FOUND).
	ErrVoterNotFound = errors.New("voter not found")
	// ErrUnsupported: a feature or resource this version does not have (UNSUPPORTED_VERSION).
	ErrUnsupported = errors.New("unsupported")
)

// Error is a refused command: Kind is one of the sentinels above, Message names the thing, the value and the rule
// and is what a client sees as the error message. An empty Message is sent as null.
type Error struct {
	Kind    error
	Message string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Kind.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Kind }

package group

import "time"

// Errors in results are *kerr.Error values: the codes of Kafka's group protocol are this package's own vocabulary.

// JoinRequest asks for membership in the next generation of a group.
type JoinRequest struct {
	Group            string
	MemberID         string // empty for a new member
	InstanceID       string // empty for a dynamic member
	ClientID         string
	ClientHost       string
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	ProtocolType     string
	Protocols        []Protocol
	// NeedsKnownID: a new member is first told its id (MEMBER_ID_REQUIRED) and joins with that (v4 and above).
	NeedsKnownID bool
	// CanSkipAssignment: a leader may be told not to assign anew (v9 and above).
	CanSkipAssignment bool
}

// Protocol is one assignment protocol a member supports, in order of preference.
type Protocol struct {
	Name     string
	Metadata []byte
}

// JoinResult answers a JoinRequest. Generation is -1 with an error.
type JoinResult struct {
	Err            error
	Generation     int32
	ProtocolType   string
	Protocol       string
	Leader         string
	MemberID       string
	SkipAssignment bool
	// Members are all members, for the leader only.
	Members []JoinedMember
}

// JoinedMember is a member as its leader sees it.
type JoinedMember struct {
	MemberID   string
	InstanceID string
	Metadata   []byte
}

// MemberRef names the sender of a request.
type MemberRef struct {
	Group      string
	Generation int32
	MemberID   string
	InstanceID string
}

// SyncRequest asks for the member's assignment; the leader's brings those of all members.
type SyncRequest struct {
	MemberRef
	// CheckProtocol: ProtocolType and Protocol must be the group's (v5 and above).
	CheckProtocol          bool
	ProtocolType, Protocol string
	Assignments            map[string][]byte
}

// SyncResult answers a SyncRequest.
type SyncResult struct {
	Err                    error
	ProtocolType, Protocol string
	Assignment             []byte
}

// LeaveResult answers one member of a leave request.
type LeaveResult struct {
	MemberID   string
	InstanceID string
	Err        error
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// OffsetCommit is one offset to commit.
type OffsetCommit struct {
	TopicPartition
	TopicID     [16]byte
	Offset      int64
	LeaderEpoch int32 // -1: unknown
	Metadata    string
}

// CommitRequest commits offsets.
type CommitRequest struct {
	MemberRef
	Offsets []OffsetCommit
	// Retention, if not negative, limits the offsets' life from now (v2 to v4).
	Retention time.Duration
	// NewErrors: a missing group is GROUP_ID_NOT_FOUND instead of ILLEGAL_GENERATION (v9 and above).
	NewErrors bool
}

// FetchedOffset is one committed offset. Offset is -1 if there is none.
type FetchedOffset struct {
	TopicPartition
	Offset      int64
	LeaderEpoch int32
	Metadata    string
}

// Description describes a group. An unknown group has state Dead and Err GROUP_ID_NOT_FOUND.
type Description struct {
	Err          error
	Group        string
	State        string
	ProtocolType string
	Protocol     string
	Members      []DescribedMember
}

// DescribedMember is one member of a Description.
type DescribedMember struct {
	MemberID   string
	InstanceID string
	ClientID   string
	ClientHost string
	Metadata   []byte
	Assignment []byte
}

// Listing is one group in a list.
type Listing struct {
	Group        string
	ProtocolType string
	State        string
}

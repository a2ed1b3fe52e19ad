package metadata

import (
	"fmt"
	"strings"
)

// Names of the topics that brokers keep for themselves.
const (
	// OffsetsTopic holds committed offsets and group metadata.
	OffsetsTopic = "__consumer_offsets"
	// TransactionsTopic holds the state of transactions.
	TransactionsTopic = "__transaction_state"
	// ClusterMetadataTopic is the name Kafka reserves for its metadata log; it can never be created.
	ClusterMetadataTopic = "__cluster_metadata"
)

// maxTopicName is Kafka's limit, which leaves room for "-<partition>" in a directory name of 255 bytes.
const maxTopicName = 249

// IsInternal reports whether name is one of the broker's own topics, which clients see flagged as internal.
func IsInternal(name string) bool { return name == OffsetsTopic || name == TransactionsTopic }

// ValidateTopicName checks Kafka's rules: 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and '-', but not "." or "..".
func ValidateTopicName(name string) error {
	refuse := func(format string, args ...any) error {
		return &Error{ErrInvalidTopic, "Topic name is invalid: " + fmt.Sprintf(format, args...)}
	}
	switch {
	case name == "":
		return refuse("the empty string is not allowed")
	case name == "." || name == "..":
		return refuse("'.' or '..' is not allowed")
	case len(name) > maxTopicName:
		return refuse("the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '.' && c != '_' && c != '-' {
			return refuse("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
}

// CollisionKey maps names that differ only in '.' and '_' to the same key: metric names cannot tell them apart, so
// Kafka refuses the second of such a pair.
func CollisionKey(name string) string { return strings.ReplaceAll(name, ".", "_") }

// Package metadata holds the cluster's metadata: the records of the metadata log, the immutable Image they build, the
// difference of two images, snapshots, the rules for topic names, and the table of topic configs.
//
// Read Image first: brokers, topics, partitions, configs and features at one index of the log. The controller turns
// commands into records, the quorum replicates them, and every node applies them to its own image in the same order,
// so equal indexes mean equal images. Nothing here has a clock, a goroutine or a file.
//
//   - image.go, diff.go: the image and what changed between two of them
//   - record.go, codec.go, apply.go, snapshot.go: records, their bytes, and the state machine
//   - config.go, configtable.go: topic config keys with type, default, rule and broker synonym
//   - configresolve.go, topicconfig.go: values in force with their sources; the typed view for partitions
//   - names.go, ids.go, errors.go: name rules, ids, kinds of refusal
package metadata

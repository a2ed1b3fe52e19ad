package mirror

import (
	"strings"
)

const (
	defaultPolicy  = "org.apache.kafka.connect.mirror.DefaultReplicationPolicy"
	identityPolicy = "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"
)

// A policy names remote topics (ReplicationPolicy of Kafka). A text of "" with false stands for Java's null: the topic is no
// remote topic.
type policy struct {
	separator string
	// internal is the separator in the names of internal topics.
	internal string
	// identity leaves names as they are; source is then where every topic is said to come from, if hasSource.
	identity  bool
	source    string
	hasSource bool
}

func newPolicy(class string, config map[string]string) policy {
	p := policy{separator: ".", internal: ".", identity: simpleName(class) == simpleName(identityPolicy)}
	if separator, ok := config[keySeparator]; ok {
		p.separator, p.internal = separator, separator
		if enabled, set := config[keyInternalSeparator]; set && !strings.EqualFold(enabled, "true") {
			p.internal = "."
		}
	}
	if p.identity {
		p.source, p.hasSource = config[keySourceAlias]
	}
	return p
}

// remote is the name of a source's topic in the target.
func (p policy) remote(alias, topic string) string {
	if p.identity && !p.looksLikeHeartbeat(topic) {
		return topic
	}
	return alias + p.separator + topic
}

// topicSource is the alias of the cluster that a topic was replicated from.
func (p policy) topicSource(topic string) (string, bool) {
	if p.identity && !p.looksLikeHeartbeat(topic) {
		return p.source, p.hasSource
	}
	// As Java splits: empty parts at the end do not count, and with an empty separator every character is a part.
	if p.separator == "" {
		first := ""
		for i, r := range topic {
			if i > 0 {
				return first, true
			}
			first = string(r)
		}
		return "", false
	}
	first, rest, found := strings.Cut(topic, p.separator)
	if !found || strings.ReplaceAll(rest, p.separator, "") == "" {
		return "", false
	}
	return first, true
}

// upstream is a remote topic's name in the cluster that it was replicated from.
func (p policy) upstream(topic string) (string, bool) {
	if p.identity && !p.looksLikeHeartbeat(topic) {
		return topic, true
	}
	source, ok := p.topicSource(topic)
	if !ok {
		return "", false
	}
	return topic[len(source)+len(p.separator):], true
}

// original is the topic's name in the cluster where it began.
func (p policy) original(topic string) string {
	for {
		up, ok := p.upstream(topic)
		if !ok || up == topic {
			return topic
		}
		topic = up
	}
}

// cycle reports whether a source's topic has come from the target already, over any number of clusters.
func (p policy) cycle(target, topic string) bool {
	for {
		source, ok := p.topicSource(topic)
		if !ok {
			return false
		}
		if source == target {
			return true
		}
		up, ok := p.upstream(topic)
		if !ok || up == topic {
			return false // the identity policy cannot tell
		}
		topic = up
	}
}

const heartbeatsTopic = "heartbeats"

func (p policy) looksLikeHeartbeat(topic string) bool {
	return strings.HasSuffix(topic, heartbeatsTopic)
}

func (p policy) heartbeats(topic string) bool { return p.original(topic) == heartbeatsTopic }

func (p policy) offsetSyncsTopic(alias string) string {
	return "mm2-offset-syncs" + p.internal + alias + p.internal + "internal"
}

func (p policy) checkpointsTopic(alias string) string {
	return alias + p.internal + "checkpoints" + p.internal + "internal"
}

// internalTopic reports whether a topic belongs to Kafka or MirrorMaker, and is never replicated.
func (p policy) internalTopic(topic string) bool {
	suffix := p.internal + "internal"
	return strings.HasPrefix(topic, "__") || strings.HasPrefix(topic, ".") || strings.HasPrefix(topic, "mm2") && strings.HasSuffix(topic, suffix) ||
		strings.HasSuffix(topic, p.internal+"checkpoints"+suffix)
}

// simpleName is a class's name without its package.
func simpleName(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

package metadata

import (
	"maps"
	"reflect"
)

// Delta is what changed between two images. The slices are in no particular order.
type Delta struct {
	// CreatedTopics are in the new image only. A topic deleted and created again between the images is in both lists.
	CreatedTopics []*Topic
	// DeletedTopics are in the old image only.
	DeletedTopics []*Topic
	// ChangedTopics are in both under one id, with other partitions or other partition states.
	ChangedTopics []TopicChange
	// Brokers lists the ids of brokers that were registered, changed or removed.
	Brokers []BrokerID
	// Configs lists the resources whose set values changed.
	Configs []ConfigResource
	// Features is true when a finalized feature level changed.
	Features bool
}

// TopicChange is a topic before and after.
type TopicChange struct{ Old, New *Topic }

// Empty reports whether nothing changed.
func (d Delta) Empty() bool {
	return len(d.CreatedTopics)+len(d.DeletedTopics)+len(d.ChangedTopics)+len(d.Brokers)+len(d.Configs) == 0 && !d.Features
}

// Diff compares two images. Parts that the two share cost nothing, so for images of one history the cost is that of
// comparing pointers.
func Diff(old, next *Image) Delta {
	var d Delta
	if !sameMap(old.byID, next.byID) {
		for id, t := range next.byID {
			if was, ok := old.byID[id]; !ok {
				d.CreatedTopics = append(d.CreatedTopics, t)
			} else if was != t {
				d.ChangedTopics = append(d.ChangedTopics, TopicChange{was, t})
			}
		}
		for id, t := range old.byID {
			if _, ok := next.byID[id]; !ok {
				d.DeletedTopics = append(d.DeletedTopics, t)
			}
		}
	}
	d.Brokers = changedKeys(old.brokers, next.brokers, func(a, b *Broker) bool { return a == b })
	if !sameMap(old.configs, next.configs) {
		d.Configs = changedKeys(old.configs, next.configs, maps.Equal[map[string]string, map[string]string])
	}
	d.Features = !maps.Equal(old.features, next.features)
	return d
}

func changedKeys[K comparable, V any](old, next map[K]V, equal func(a, b V) bool) []K {
	var keys []K
	for k, v := range next {
		if was, ok := old[k]; !ok || !equal(was, v) {
			keys = append(keys, k)
		}
	}
	for k := range old {
		if _, ok := next[k]; !ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// sameMap reports whether a and b are one map in memory.
func sameMap[K comparable, V any](a, b map[K]V) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}

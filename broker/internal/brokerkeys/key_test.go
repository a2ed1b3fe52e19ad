package brokerkeys

import (
	"slices"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	if !slices.IsSortedFunc(keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("keys are not sorted by name")
	}
	for _, k := range keys {
		if _, ok := Lookup(k.Name); !ok {
			t.Errorf("%s is not found", k.Name)
		}
		if rule := k.Check(k.Default); k.HasDefault && rule != "" {
			t.Errorf("%s: default %q %s", k.Name, k.Default, rule)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ key, value, rule string }{
		{"num.partitions", "3", ""},
		{"num.partitions", " 3 ", ""},
		{"num.partitions", "0", "must be at least 1"},
		{"num.partitions", "three", "must be a whole number of 32 bits"},
		{"compression.lz4.level", "18", "must be at most 17"},
		{"offsets.topic.replication.factor", "40000", "must be a whole number of 16 bits"},
		{"auto.create.topics.enable", "yes", "must be true or false"},
		{"auto.create.topics.enable", "TRUE", ""},
		{"log.cleaner.min.cleanable.ratio", "half", "must be a number"},
		{"log.dirs", "anything", ""},
	} {
		k, ok := Lookup(c.key)
		if !ok {
			t.Fatalf("no key %s", c.key)
		}
		if got := k.Check(c.value); got != c.rule {
			t.Errorf("%s=%s: got %q, want %q", c.key, c.value, got, c.rule)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"logs.dirs", "log.dirs"},
		{"num.partition", "num.partitions"},
		{"advertised.listener", "advertised.listeners"},
		{"completely.different.thing.altogether", ""},
	} {
		if got := Nearest(c.name); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

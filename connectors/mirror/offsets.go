package mirror

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"millrace/connectors"
)

// What PATCH and DELETE /connectors/{c}/offsets may say, with Kafka's texts. The task of MirrorSource goes on from such offsets; the
// others only remember having written something, so that any offset but 0 is a mistake. A null offset is always welcome: garbage
// has to be removable.

func alter(offsets []connectors.PartitionOffset, onlyZero bool, checks ...func(partition map[string]any) error) (bool, error) {
	for _, po := range offsets {
		if po.Offset == nil {
			continue
		}
		if po.Partition == nil {
			return false, errors.New("Source partitions may not be null")
		}
		for _, check := range checks {
			if err := check(po.Partition); err != nil {
				return false, err
			}
		}
		if err := checkOffset(po, onlyZero); err != nil {
			return false, err
		}
	}
	return true, nil
}

func isText(name string) func(map[string]any) error {
	return func(partition map[string]any) error {
		value, ok := partition[name]
		if !ok {
			return missingKey(partition, name)
		}
		if _, ok := value.(string); !ok {
			return invalid(partition, value, name, "must be a string")
		}
		return nil
	}
}

func isPartition(partition map[string]any) error {
	const name = "partition"
	value, ok := partition[name]
	if !ok {
		return missingKey(partition, name)
	}
	n, ok := value.(int64)
	switch {
	case !ok || n > math.MaxInt32:
		return invalid(partition, value, name, "must be an integer")
	case n < 0:
		return invalid(partition, value, name, "cannot be negative")
	}
	return nil
}

func missingKey(partition map[string]any, name string) error {
	return fmt.Errorf("Source partition %s is missing the '%s' key, which is required", javaMap(partition), name)
}

func invalid(partition map[string]any, value any, name, rule string) error {
	return fmt.Errorf("Source partition %s has an invalid value %s for the '%s' key, which %s", javaMap(partition), connectors.Text(value), name, rule)
}

// javaMap is the text of a map in Java, its keys in order.
func javaMap(m map[string]any) string {
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+connectors.Text(m[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func checkOffset(po connectors.PartitionOffset, onlyZero bool) error {
	const name = "offset"
	of := fmt.Sprintf("Source offset %s for source partition %s", javaMap(po.Offset), javaMap(po.Partition))
	value, ok := po.Offset[name]
	if !ok {
		return fmt.Errorf("%s is missing the '%s' key, which is required", of, name)
	}
	n, ok := value.(int64)
	of = fmt.Sprintf("%s has an invalid value %s for the '%s' key", of, connectors.Text(value), name)
	switch {
	case !ok:
		return fmt.Errorf("%s, which must be an integer", of)
	case onlyZero && n != 0:
		return fmt.Errorf("%s; the only accepted value is 0", of)
	case n < 0:
		return fmt.Errorf("%s, which cannot be negative", of)
	}
	return nil
}

func (c *sourceConnector) AlterOffsets(_ map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	return alter(offsets, false, isText("cluster"), isText("topic"), isPartition)
}

func (c *checkpointConnector) AlterOffsets(_ map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	return alter(offsets, true, isText("group"), isText("topic"), isPartition)
}

func (c *heartbeatConnector) AlterOffsets(_ map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	return alter(offsets, true, isText("sourceClusterAlias"), isText("targetClusterAlias"))
}

package offsets

import (
	"fmt"

	"millrace/offsets/connectjson"
)

// Key returns the key bytes of a source partition. Members are in the order of their names.
func Key(connector string, partition map[string]any) ([]byte, error) {
	if err := checkFields(partition); err != nil {
		return nil, fmt.Errorf("source partition: %w", err)
	}
	// A nil map is written as null, as Kafka Connect does.
	var p any
	if partition != nil {
		p = partition
	}
	return connectjson.Append(nil, []any{connector, p})
}

// Value returns the value bytes of a source offset, nil for a nil one.
func Value(offset map[string]any) ([]byte, error) {
	if offset == nil {
		return nil, nil
	}
	if err := checkFields(offset); err != nil {
		return nil, fmt.Errorf("source offset: %w", err)
	}
	return connectjson.Append(nil, offset)
}

// DecodeKey reads key bytes.
func DecodeKey(key []byte) (connector string, partition map[string]any, err error) {
	v, err := connectjson.Read(key)
	if err != nil {
		return "", nil, fmt.Errorf("offset key %q: %w", key, err)
	}
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return "", nil, fmt.Errorf("offset key %q: must be a list of connector and source partition", key)
	}
	if connector, ok = pair[0].(string); !ok {
		return "", nil, fmt.Errorf("offset key %q: the connector must be a string", key)
	}
	if partition, ok = pair[1].(map[string]any); !ok && pair[1] != nil {
		return "", nil, fmt.Errorf("offset key %q: the source partition must be an object", key)
	}
	return connector, partition, nil
}

// DecodeValue reads value bytes; null and no bytes are a removed offset.
func DecodeValue(value []byte) (map[string]any, error) {
	if len(value) == 0 {
		return nil, nil
	}
	v, err := connectjson.Read(value)
	if err != nil {
		return nil, fmt.Errorf("offset value %q: %w", value, err)
	}
	offset, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, fmt.Errorf("offset value %q: must be an object", value)
	}
	return offset, nil
}

// A NestedError is a source partition or offset with a value that is not primitive, which Kafka Connect cannot read back.
type NestedError struct {
	Field string
	// Type is ARRAY or MAP.
	Type string
}

func (e *NestedError) Error() string {
	return fmt.Sprintf("Offsets may only contain primitive types as values, but field %s contains %s", e.Field, e.Type)
}

func checkFields(fields map[string]any) error {
	for name, v := range fields {
		switch v.(type) {
		case []any:
			return &NestedError{name, "ARRAY"}
		case map[string]any:
			return &NestedError{name, "MAP"}
		}
	}
	return nil
}

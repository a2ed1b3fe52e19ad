package converters

import (
	"fmt"

	"millrace/connectors"
)

// bytesConverter is the ByteArrayConverter: bytes as they are.
type bytesConverter struct{}

var _ connectors.Converter = bytesConverter{}

func (bytesConverter) Configure(map[string]string, bool) error { return nil }

func (bytesConverter) FromConnect(_ string, _ connectors.Headers, schema *connectors.Schema, value any) ([]byte, error) {
	if schema != nil && schema.Type != connectors.TypeBytes {
		return nil, &connectors.DataError{Msg: fmt.Sprintf("Invalid schema type for ByteArrayConverter: %s", schema.Type)}
	}
	if value == nil {
		return nil, nil
	}
	b, ok := value.([]byte)
	if !ok {
		return nil, &connectors.DataError{
			Msg: fmt.Sprintf("ByteArrayConverter is not compatible with objects of type %s", connectors.TypeName(value)),
		}
	}
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

func (bytesConverter) ToConnect(_ string, _ connectors.Headers, data []byte) (connectors.SchemaAndValue, error) {
	if data == nil {
		return connectors.SchemaAndValue{Schema: connectors.OptionalBytesSchema}, nil
	}
	return connectors.SchemaAndValue{Schema: connectors.OptionalBytesSchema, Value: data}, nil
}

func (bytesConverter) Close() error { return nil }

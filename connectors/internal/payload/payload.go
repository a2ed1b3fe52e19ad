package payload

import (
	"fmt"

	"millrace/connectors"
)

// Of returns the bytes of a string or bytes value; null is nil. Any other value is a *connectors.DataError.
func Of(value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	default:
		return nil, &connectors.DataError{Msg: fmt.Sprintf("cannot send a value of type %T: use ByteArrayConverter or StringConverter", value)}
	}
}

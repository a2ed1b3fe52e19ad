package wire

import (
	"errors"

	"millrace/connectors"
	"millrace/plugins/external/proto"
)

// Error returns err for the wire, nil if it is nil.
func Error(err error) *proto.Error {
	if err == nil {
		return nil
	}
	e := &proto.Error{Message: err.Error()}
	var data *connectors.DataError
	var config *connectors.ConfigError
	switch {
	case connectors.Retriable(err):
		e.Kind = proto.Error_RETRIABLE
	case errors.As(err, &config):
		e.Kind = proto.Error_CONFIG
	case errors.As(err, &data):
		e.Kind = proto.Error_DATA
	}
	return e
}

// FromError is the reverse of Error.
func FromError(e *proto.Error) error {
	if e == nil {
		return nil
	}
	switch e.GetKind() {
	case proto.Error_RETRIABLE:
		return &connectors.RetriableError{Err: errors.New(e.GetMessage())}
	case proto.Error_CONFIG:
		return &connectors.ConfigError{Msg: e.GetMessage()}
	case proto.Error_DATA:
		return &connectors.DataError{Msg: e.GetMessage()}
	}
	return errors.New(e.GetMessage())
}

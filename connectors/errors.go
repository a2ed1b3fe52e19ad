package connectors

import "errors"

// A status and the headers of a dead letter call an error by the name of a Java class, which tools look for: that of the types below,
// else org.apache.kafka.connect.errors.ConnectException. An error with a method ErrorClass() string names its own.

// A DataError is a record that cannot be converted, transformed or written: trying again does not help, errors.tolerance
// may skip it.
type DataError struct {
	Msg   string
	Cause error
}

func (e *DataError) Error() string {
	if e.Cause == nil {
		return e.Msg
	}
	return e.Msg + ": " + e.Cause.Error()
}

func (e *DataError) Unwrap() error { return e.Cause }

// A ConfigError is a configuration that cannot work. Tasks that fail with it are not restarted by themselves.
type ConfigError struct{ Msg string }

func (e *ConfigError) Error() string { return e.Msg }

// A RetriableError is worth trying again. Wrap a cause in it to say so to the runtime.
type RetriableError struct{ Err error }

func (e *RetriableError) Error() string { return e.Err.Error() }

func (e *RetriableError) Unwrap() error { return e.Err }

// Retriable reports whether trying again may help: whether a RetriableError is in err's chain.
func Retriable(err error) bool {
	var r *RetriableError
	return errors.As(err, &r)
}

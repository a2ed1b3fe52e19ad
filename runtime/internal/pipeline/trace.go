package pipeline

import (
	"errors"
	"strings"

	"millrace/connectors"
)

// ErrorClass names the Java class that tools know err as. An error with a method ErrorClass says so itself.
func ErrorClass(err error) string {
	const pkg = "org.apache.kafka.connect.errors."
	switch e := err.(type) {
	case interface{ ErrorClass() string }:
		return e.ErrorClass()
	case *connectors.DataError:
		return pkg + "DataException"
	case *connectors.ConfigError:
		return "org.apache.kafka.common.config.ConfigException"
	case *connectors.RetriableError:
		return pkg + "RetriableException"
	}
	return pkg + "ConnectException"
}

// Trace is the text that a status shows of err: its class and message, then its causes, one a line, as users know it
// from Kafka Connect. Wrapped errors whose text is part of their wrapper's are not repeated, nor is a text that is the class.
func Trace(err error) string {
	var b strings.Builder
	shown := ""
	for i := 0; err != nil; i++ {
		text := err.Error()
		if i == 0 || !strings.Contains(shown, text) {
			if i > 0 {
				b.WriteString("\nCaused by: ")
			}
			class := ErrorClass(err)
			b.WriteString(class)
			if text != class {
				b.WriteString(": ")
				b.WriteString(text)
			}
			shown = text
		}
		var p *PanicError
		if errors.As(err, &p) && p == err {
			b.WriteByte('\n')
			b.WriteString(p.Stack)
		}
		err = errors.Unwrap(err)
	}
	return b.String()
}

// A PanicError is a plugin's panic: it ends the task, not the worker.
type PanicError struct {
	Value string
	Stack string
}

func (e *PanicError) Error() string { return "panic: " + e.Value }

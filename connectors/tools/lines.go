package tools

import (
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"millrace/connectors"
)

// lines writes whole lines of any number of tasks.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

// write writes some lines at once.
func (l *lines) write(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.w.Write(text); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// The members of a line stand in the order in which Java's hash map has them, so that a line is the same text as Kafka's.

// appendTail appends the members after time_ms that all lines have.
func appendTail(b []byte, name, topic string) []byte {
	b = append(b, `,"name":`...)
	b = appendString(b, name)
	b = append(b, `,"topic":`...)
	return appendString(b, topic)
}

// appendJSON appends a value of any schema.
func appendJSON(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendString(b, v)
	case []byte:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v)
		return append(b, '"')
	case time.Time:
		return strconv.AppendInt(b, v.UnixMilli(), 10)
	case float32:
		return appendFloat(b, float64(v), 32)
	case float64:
		return appendFloat(b, v, 64)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			b = appendJSON(appendComma(b, i), e)
		}
		return append(b, ']')
	case *connectors.Map:
		b = append(b, '{')
		for i := range v.Len() {
			e := v.At(i)
			b = appendString(appendComma(b, i), connectors.Text(e.Key))
			b = appendJSON(append(b, ':'), e.Value)
		}
		return append(b, '}')
	case *connectors.Struct:
		b = append(b, '{')
		for i, f := range v.Schema().Fields {
			b = appendString(appendComma(b, i), f.Name)
			b = appendJSON(append(b, ':'), v.At(i))
		}
		return append(b, '}')
	case nil, bool, int8, int16, int32, int64, connectors.Decimal, *big.Int:
		return connectors.AppendText(b, v)
	}
	return appendString(b, connectors.Text(value))
}

func appendComma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

// appendFloat quotes what JSON has no number for.
func appendFloat(b []byte, f float64, bits int) []byte {
	if !math.IsNaN(f) && !math.IsInf(f, 0) {
		return connectors.AppendFloat(b, f, bits)
	}
	b = connectors.AppendFloat(append(b, '"'), f, bits)
	return append(b, '"')
}

// escapes are the control characters that have a letter.
var escapes = [' ']byte{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r'}

// appendString escapes what has to be, and nothing else.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s { // broken UTF-8 becomes U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ':
			b = utf8.AppendRune(b, r)
		case escapes[r] != 0:
			b = append(b, '\\', escapes[r])
		default:
			b = fmt.Appendf(b, `\u%04X`, r)
		}
	}
	return append(b, '"')
}

package external

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
)

// maxLine bounds a line of a plugin's log; a longer one is cut into several.
const maxLine = 16 << 10

// A lineLogger writes the lines that a plugin prints to the worker's log: JSON objects with msg and level, as log/slog and hclog write
// them, with their members, and any other line as it is.
type lineLogger struct {
	log *slog.Logger
	buf []byte
}

func (l *lineLogger) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		end := min(len(rest), maxLine-len(l.buf))
		if i >= 0 && i <= end {
			l.buf = append(l.buf, rest[:i]...)
			rest = rest[i+1:]
		} else {
			l.buf = append(l.buf, rest[:end]...)
			rest = rest[end:]
			if len(l.buf) < maxLine {
				break
			}
		}
		l.line(l.buf)
		l.buf = l.buf[:0]
	}
	return len(p), nil
}

func (l *lineLogger) line(line []byte) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return
	}
	var members map[string]any
	if line[0] != '{' || json.Unmarshal(line, &members) != nil {
		l.log.Info("plugin output", "line", string(line))
		return
	}
	take := func(names ...string) string {
		for _, name := range names {
			if s, ok := members[name].(string); ok {
				delete(members, name)
				return s
			}
		}
		return ""
	}
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(strings.ToUpper(take("level", "@level")))); err != nil {
		level = slog.LevelInfo
	}
	msg := take("msg", "@message")
	take("time", "@timestamp")
	keys := make([]string, 0, len(members))
	for k := range members {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	attrs := make([]slog.Attr, len(keys))
	for i, k := range keys {
		attrs[i] = slog.Any(k, members[k])
	}
	l.log.LogAttrs(context.Background(), level, msg, attrs...)
}

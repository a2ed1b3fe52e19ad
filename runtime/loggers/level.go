package loggers

import (
	"log/slog"
	"math"
	"strings"
)

// Connect's levels as slog sees them: those that slog does not have lie outside of those that it has.
const (
	levelAll   = slog.Level(math.MinInt32)
	levelTrace = slog.LevelDebug - 4
	levelFatal = slog.LevelError + 4
	levelOff   = slog.Level(math.MaxInt32)
)

var levels = []struct {
	name  string
	level slog.Level
}{
	{"OFF", levelOff}, {"FATAL", levelFatal}, {"ERROR", slog.LevelError}, {"WARN", slog.LevelWarn},
	{"INFO", slog.LevelInfo}, {"DEBUG", slog.LevelDebug}, {"TRACE", levelTrace}, {"ALL", levelAll},
}

// ParseLevel reads a level by its name, in any case and with blanks around it.
func ParseLevel(name string) (slog.Level, bool) {
	name = strings.TrimSpace(name)
	for _, l := range levels {
		if strings.EqualFold(l.name, name) {
			return l.level, true
		}
	}
	return 0, false
}

// levelName is the name of the least level that lets everything through that level lets through.
func levelName(level slog.Level) string {
	for _, l := range levels {
		if level >= l.level {
			return l.name
		}
	}
	return "ALL"
}

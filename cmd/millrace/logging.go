package main

import (
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
)

// logFlags say what a server writes to standard error.
type logFlags struct{ level string }

func (f *logFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.level, "log-level", "info", "`least` severity of log lines: debug, info, warn, error")
	complete(cmd, "log-level", "debug", "info", "warn", "error")
}

// parse returns the least severity.
func (f *logFlags) parse() (level slog.Level, err error) {
	if err := level.UnmarshalText([]byte(strings.TrimSpace(f.level))); err != nil {
		return level, usagef("--log-level %s: want debug, info, warn or error", f.level)
	}
	return level, nil
}

func (f *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	level, err := f.parse()
	return slog.New(textHandler(w, level)), err
}

func textHandler(w io.Writer, level slog.Level) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
}

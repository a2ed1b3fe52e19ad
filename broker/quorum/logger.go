package quorum

import (
	"fmt"
	"log/slog"

	"go.etcd.io/raft/v3"
)

// raftLogger sends raft's own lines to slog. Elections are not errors, so all but broken invariants are Debug.
type raftLogger struct{ log *slog.Logger }

var _ raft.Logger = raftLogger{}

func (l raftLogger) debug(text string) { l.log.Debug("raft", "event", text) }

func (l raftLogger) Debug(v ...any)                   { l.debug(fmt.Sprint(v...)) }
func (l raftLogger) Debugf(format string, v ...any)   { l.debug(fmt.Sprintf(format, v...)) }
func (l raftLogger) Info(v ...any)                    { l.debug(fmt.Sprint(v...)) }
func (l raftLogger) Infof(format string, v ...any)    { l.debug(fmt.Sprintf(format, v...)) }
func (l raftLogger) Warning(v ...any)                 { l.debug(fmt.Sprint(v...)) }
func (l raftLogger) Warningf(format string, v ...any) { l.debug(fmt.Sprintf(format, v...)) }
func (l raftLogger) Error(v ...any)                   { l.log.Error("raft", "event", fmt.Sprint(v...)) }
func (l raftLogger) Errorf(format string, v ...any) {
	l.log.Error("raft", "event", fmt.Sprintf(format, v...))
}
func (l raftLogger) Fatal(v ...any)                 { panic(fmt.Sprint(v...)) }
func (l raftLogger) Fatalf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }
func (l raftLogger) Panic(v ...any)                 { panic(fmt.Sprint(v...)) }
func (l raftLogger) Panicf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }

package quorum

import (
	"errors"
	"syscall"

	"millrace/broker/commitlog"
)

var (
	// ErrNotLeader: this node does not lead the term given to Propose; nothing was proposed.
	ErrNotLeader = errors.New("not the leader of this term")
	// ErrBusy: too much is proposed and not committed yet; nothing was proposed, try again later.
	ErrBusy = errors.New("too many proposals in flight")
	// ErrClosed: Run has ended.
	ErrClosed = errors.New("quorum node closed")
)

// noSpace reports whether err goes away when somebody makes room on the disk.
func noSpace(err error) bool {
	return errors.Is(err, commitlog.ErrNoSpace) || errors.Is(err, syscall.ENOSPC)
}
